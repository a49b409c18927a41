//! Another process that uses the engine, on files that can fail.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::Dir;

/// A test of this binary, to be run in a process of its own.
pub(crate) fn run(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this is a file"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--quiet"]);
    command.env("RUST_BACKTRACE", "0");
    command
}

/// What is left of a directory after a power cut: see `shadow.c`.
pub(crate) struct Shadow {
    pub(crate) dir: Dir,
    shadow: Dir,
}

impl Shadow {
    pub(crate) fn of(dir: Dir) -> Self {
        let shadow = Dir::new();
        // What is there at first was there for long.
        let mut names = fs::File::create(shadow.file("names")).expect("a file");
        for entry in fs::read_dir(dir.path()).expect("a directory").flatten() {
            use std::os::unix::fs::DirEntryExt;
            let name = entry.file_name();
            writeln!(names, "{} {}", entry.ino(), name.display()).expect("it is written");
            fs::copy(entry.path(), shadow.file(&entry.ino().to_string())).expect("a copy");
        }
        Self { dir, shadow }
    }

    /// A test of this binary, to be run in a process of its own on this directory.
    pub(crate) fn run(&self, test: &str) -> Command {
        let mut command = run(test);
        command.env("LD_PRELOAD", library());
        command.env("DISK_DIR", self.dir.path());
        command.env("DISK_SHADOW", self.shadow.path());
        command
    }

    /// What is left. Of what was not synced, `arrives` says whether a block is there nevertheless.
    pub(crate) fn cut(&self, mut arrives: impl FnMut() -> bool) -> Dir {
        const BLOCK: usize = 4096;
        let left = Dir::new();
        let names = fs::read_to_string(self.shadow.file("names")).expect("names");
        for line in names.lines() {
            let (inode, name) = line.split_once(' ').expect("two words");
            let mut bytes = fs::read(self.shadow.file(inode)).unwrap_or_default();
            let written = fs::read(self.dir.file(name)).unwrap_or_default();
            for (number, block) in written.chunks(BLOCK).enumerate() {
                if arrives() {
                    let at = number * BLOCK;
                    bytes.resize(bytes.len().max(at + block.len()), 0);
                    bytes[at..at + block.len()].copy_from_slice(block);
                }
            }
            fs::write(left.file(name), bytes).expect("it is written");
        }
        left
    }
}

/// What stands before the files.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/disk/shadow.c");
        let name = format!("shadow-{}.so", std::process::id());
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        let done = cc.arg(&library).arg(&source).arg("-ldl").status();
        assert!(done.expect("a C compiler").success());
        library
    })
}

/// The directory that this process was started on, and what it can tell the files.
pub(crate) struct Started {
    pub(crate) dir: PathBuf,
    shadow: PathBuf,
}

impl Started {
    pub(crate) fn new() -> Self {
        let path = |name| PathBuf::from(std::env::var_os(name).expect("started by a test"));
        Self {
            dir: path("DISK_DIR"),
            shadow: path("DISK_SHADOW"),
        }
    }

    /// From now on that file cannot be synced.
    pub(crate) fn fail(&self, name: Option<&str>) {
        let file = self.shadow.join("fail");
        match name {
            Some(name) => fs::write(file, name).expect("it is written"),
            None => fs::remove_file(file).expect("it was there"),
        }
    }

    /// From now on nothing can be written, or it can again.
    pub(crate) fn full(&self, full: bool) {
        let file = self.shadow.join("full");
        match full {
            true => fs::write(file, "").expect("it is written"),
            false => fs::remove_file(file).expect("it was there"),
        }
    }

    /// What was synced of each file, so that it can be compared.
    pub(crate) fn synced(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(&self.shadow).expect("a directory").flatten();
        let mut files: Vec<_> = files
            .map(|entry| entry.path())
            .map(|path| (path.clone(), fs::read(path).unwrap_or_default()))
            .filter(|(path, _)| !path.ends_with("fail"))
            .collect();
        files.sort();
        files
    }
}
