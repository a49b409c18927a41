//! What the rooms stand on: memory, or a directory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use telsiz_hub::{Disk, DiskOptions, Engine, Memory, Retention};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::clock::system_clock;
use crate::failure::Failure;

/// The time between two looks at what is too old.
const TIDY: Duration = Duration::from_secs(60);

/// Where what is said in rooms is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Nowhere: it ends with the process.
    Memory,
    /// In a directory.
    Directory(PathBuf),
}

impl Storage {
    /// The engine that keeps it there. In rooms with more connections than `announce_limit` it is not
    /// told who comes and goes.
    pub(crate) fn open(&self, announce_limit: usize) -> Result<Arc<dyn Engine>, Failure> {
        // Positions of an earlier run must not be taken for those of this one.
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        Ok(match self {
            Self::Memory => {
                let retention = Retention::default();
                Arc::new(Memory::new(
                    &epoch,
                    system_clock(),
                    retention,
                    announce_limit,
                ))
            }
            Self::Directory(directory) => {
                let mut options = DiskOptions::new(&epoch, system_clock());
                options.announce_limit = announce_limit;
                let opened = Disk::open(directory, options);
                Arc::new(opened.map_err(|error| Failure::Failed(error.to_string()))?)
            }
        })
    }
}

/// Gives back what is too old, again and again.
pub(crate) async fn tidy(engine: Arc<dyn Engine>) {
    let mut ticks = interval_at(Instant::now() + TIDY, TIDY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        engine.tidy();
    }
}
