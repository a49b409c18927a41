//! Settings of the engine on disk.

use crate::clock::Clock;
use crate::retention::Retention;

/// When a publication counts as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When the disk has it: it survives a power cut.
    #[default]
    Fsync,
    /// When the operating system has it: it survives the end of the process. After a power
    /// cut, logs go on in another epoch.
    Os,
}

/// Settings of [`Disk`](super::Disk).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DiskOptions {
    /// The epoch of logs that begin now: another one each time.
    pub name: String,
    /// The time of day.
    pub clock: Clock,
    /// When a publication counts as stored.
    pub durability: Durability,
    /// How much is kept of which log.
    pub retention: Retention,
    /// Rooms with more connections are told nothing that has no position.
    pub announce_limit: usize,
    /// The most publications that wait to be written.
    pub queue: usize,
    /// The most bytes of texts that wait to be written.
    pub queue_bytes: usize,
    /// The most readers that wait for the disk; more wait for these.
    pub readers: usize,
    /// The bytes of memory for what was published or read lately.
    pub cache_bytes: usize,
    /// How many publications are kept in the order in which they came before they are filed by
    /// room, which is cheaper the more of a room come together.
    pub unfiled: usize,
    /// After so many pages of 4 KiB the write-ahead log is put into the database.
    pub checkpoint_pages: usize,
}

impl DiskOptions {
    /// The defaults. `name` must be another one each time: a client that knows positions of
    /// another log must not take ours for its continuation.
    pub fn new(name: &str, clock: Clock) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            durability: Durability::default(),
            retention: Retention::default(),
            announce_limit: 500,
            queue: 8192,
            queue_bytes: 64 << 20,
            readers: 1024,
            cache_bytes: 64 << 20,
            unfiled: 65_536,
            checkpoint_pages: 8000,
        }
    }
}
