//! What a process holds: memory, files, threads. Linux alone tells it.

use std::fs;
use std::io;

/// What a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Resident memory, in KiB.
    pub(crate) resident: u64,
    /// Open file descriptors.
    pub(crate) files: usize,
    pub(crate) threads: u64,
}

impl Held {
    /// By the process `id` now.
    pub(crate) fn by(id: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
        Ok(Self {
            resident: figure(&rollup, "Rss:")?,
            files: fs::read_dir(format!("/proc/{id}/fd"))?.count(),
            threads: figure(&status, "Threads:")?,
        })
    }
}

fn figure(text: &str, name: &str) -> io::Result<u64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
    let value = value.and_then(|value| value.parse().ok());
    value.ok_or_else(|| io::Error::other(format!("no figure {name}")))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn open_files_and_threads_count() {
        let held = || Held::by(std::process::id()).expect("figures");
        let before = held();
        let open = |_| fs::File::open("/proc/self/status").expect("a file");
        let files: Vec<_> = (0..100).map(open).collect();
        let after = held();
        drop(files);
        // Other tests may have closed some.
        assert!(after.files > before.files + 50, "{before:?} {after:?}");
        assert!(before.resident > 0 && before.threads > 0);
    }
}
