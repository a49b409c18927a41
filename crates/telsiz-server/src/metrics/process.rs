//! What the operating system tells of this process.

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// What the operating system tells of this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// The memory that it has, in bytes.
    pub(super) resident: u64,
    /// The time that processors worked for it, in seconds.
    pub(super) cpu: f64,
    /// When it started, in seconds since 1970.
    pub(super) started: u64,
    /// How many files it has open, if that is known.
    pub(super) files: Option<usize>,
    /// How many it may have open, if that is known.
    pub(super) files_limit: Option<usize>,
}

impl Process {
    /// Asks. It takes the longer the more files are open.
    pub(super) fn ask() -> Option<Self> {
        let pid = sysinfo::get_current_pid().ok()?;
        let mut system = System::new();
        let kind = ProcessRefreshKind::nothing()
            .with_memory()
            .with_cpu()
            .without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        let process = system.process(pid)?;
        Some(Self {
            resident: process.memory(),
            cpu: process.accumulated_cpu_time() as f64 / 1e3,
            started: process.start_time(),
            files: process.open_files(),
            files_limit: process.open_files_limit(),
        })
    }
}
