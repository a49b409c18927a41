//! What the disk gives alone: how often a second something written can be made to last.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::Error;
use crate::stats;

const KIB: usize = 1024;
const SIZES: [usize; 4] = [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB];

/// How long each way of writing is tried.
const MOMENT: Duration = Duration::from_millis(500);

/// A folder of our own that goes with us.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Made inside another one, which is made too if it is not there.
    pub(crate) fn create(within: &Path) -> Result<Self, Error> {
        let folder = within.join(format!("telsiz-bench-{}", std::process::id()));
        fs::create_dir_all(&folder)
            .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Where a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// Behind the end of the file, which grows.
    Append,
    /// Where something stands already.
    Overwrite,
}

/// One way of writing: `bytes` at a time, each followed by `fdatasync`.
#[derive(Debug, Serialize)]
pub(crate) struct Syncs {
    pub(crate) place: Place,
    pub(crate) bytes: usize,
    pub(crate) per_second: f64,
    pub(crate) median_ms: f64,
    pub(crate) longest_ms: f64,
}

/// Tries all ways in a folder.
pub(crate) fn measure(folder: &Path) -> Result<Vec<Syncs>, Error> {
    let mut found = Vec::new();
    for bytes in SIZES {
        for place in [Place::Append, Place::Overwrite] {
            found.push(syncs(&folder.join("disk"), place, bytes)?);
        }
    }
    Ok(found)
}

fn syncs(file: &Path, place: Place, bytes: usize) -> Result<Syncs, Error> {
    let piece = vec![0x5a; bytes];
    let mut open = OpenOptions::new();
    let mut open: File = open.write(true).create(true).truncate(true).open(file)?;
    open.write_all(&piece)?;
    open.sync_all()?;
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < MOMENT {
        let before = Instant::now();
        if place == Place::Overwrite {
            open.rewind()?;
        }
        open.write_all(&piece)?;
        open.sync_data()?;
        times.push(1e3 * before.elapsed().as_secs_f64());
    }
    let elapsed = start.elapsed();
    fs::remove_file(file)?;
    Ok(Syncs {
        place,
        bytes,
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        median_ms: stats::median(&times).unwrap_or_default(),
        longest_ms: times.iter().copied().fold(0.0, f64::max),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_is_measured_and_leaves_nothing() {
        let within = std::env::temp_dir();
        let folder = Folder::create(&within).expect("a folder");
        let path = folder.path().to_owned();
        for place in [Place::Append, Place::Overwrite] {
            let found = syncs(&path.join("disk"), place, 4 * KIB).expect("measured");
            assert!(found.per_second > 1.0);
            assert!(found.median_ms <= found.longest_ms);
        }
        assert_eq!(fs::read_dir(&path).expect("a folder").count(), 0);
        drop(folder);
        assert!(!path.exists());
    }
}
