//! How much comes and goes.

use std::array;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::tally::Tally;

/// Threads that count without getting in each other's way; all others share the last place.
const PLACES: usize = 32;

/// Counts the messages of the connections of an app, and which of these were too slow. Cloning counts
/// a reference.
///
/// Each thread counts in a place of its own: a counter for all would go from processor to processor
/// with each message.
#[derive(Clone, Debug)]
pub(crate) struct Traffic(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    places: [Place; PLACES],
    slow: Tally<{ Slow::ALL.len() }>,
}

/// A pair of cache lines, so that no two threads write to the same.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    received: AtomicU64,
    received_bytes: AtomicU64,
    sent: AtomicU64,
    sent_bytes: AtomicU64,
}

/// How much came and went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages from clients.
    pub(crate) received: u64,
    /// What they said.
    pub(crate) received_bytes: u64,
    /// Messages to clients.
    pub(crate) sent: u64,
    /// What they said.
    pub(crate) sent_bytes: u64,
}

/// Why somebody counts as too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slow {
    /// More waits for it than may wait.
    Buffer,
    /// More waits than may, while its handshake is being answered.
    Opening,
    /// What it has missed of a room is no longer in the log.
    Missed,
}

impl Slow {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Buffer, Self::Opening, Self::Missed];

    /// What it is called in figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Buffer => "buffer",
            Self::Opening => "opening",
            Self::Missed => "missed",
        }
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Self(Arc::new(Counters {
            places: array::from_fn(|_| Place::default()),
            slow: Tally::default(),
        }))
    }
}

impl Traffic {
    /// A message of so many bytes came.
    pub(crate) fn received(&self, bytes: usize) {
        let (place, own) = self.place();
        add(&place.received, 1, own);
        add(&place.received_bytes, bytes as u64, own);
    }

    /// So many messages go out, of so many bytes in all.
    pub(crate) fn sent(&self, messages: u64, bytes: usize) {
        let (place, own) = self.place();
        add(&place.sent, messages, own);
        add(&place.sent_bytes, bytes as u64, own);
    }

    /// Somebody is being closed.
    pub(crate) fn slow(&self, why: Slow) {
        self.0.slow.count(why as usize);
        tracing::info!(
            cause = why.name(),
            "closed a connection that reads too slowly"
        );
    }

    /// So far.
    pub(crate) fn counts(&self) -> Counts {
        let sum = |count: fn(&Place) -> &AtomicU64| {
            let counts = self.0.places.iter().map(count);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        Counts {
            received: sum(|place| &place.received),
            received_bytes: sum(|place| &place.received_bytes),
            sent: sum(|place| &place.sent),
            sent_bytes: sum(|place| &place.sent_bytes),
        }
    }

    /// How often somebody was too slow, and why.
    pub(crate) fn slow_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Slow::ALL
            .map(Slow::name)
            .into_iter()
            .zip(self.0.slow.counts())
    }

    /// Where this thread counts, and whether no other does.
    fn place(&self) -> (&Place, bool) {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static PLACE: Cell<usize> =
                Cell::new(THREADS.fetch_add(1, Ordering::Relaxed).min(PLACES - 1));
        }
        let place = PLACE.get();
        (&self.0.places[place], place < PLACES - 1)
    }
}

/// Adds to a counter; where nobody else does, without asking for that.
fn add(count: &AtomicU64, number: u64, own: bool) {
    if own {
        let before = count.load(Ordering::Relaxed);
        count.store(before.wrapping_add(number), Ordering::Relaxed);
    } else {
        count.fetch_add(number, Ordering::Relaxed);
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            received_bytes: self.received_bytes + other.received_bytes,
            sent: self.sent + other.sent,
            sent_bytes: self.sent_bytes + other.sent_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_all_threads_saw_however_many_they_are() {
        let traffic = Traffic::default();
        std::thread::scope(|scope| {
            for _ in 0..4 * PLACES {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        traffic.received(3);
                        traffic.sent(10, 70);
                    }
                });
            }
        });
        let expected = Counts {
            received: 128_000,
            received_bytes: 384_000,
            sent: 1_280_000,
            sent_bytes: 8_960_000,
        };
        assert_eq!(traffic.counts(), expected);
    }

    #[test]
    fn who_is_too_slow_is_counted_by_the_reason() {
        let traffic = Traffic::default();
        traffic.slow(Slow::Missed);
        traffic.slow(Slow::Missed);
        traffic.slow(Slow::Buffer);
        let counts: Vec<_> = traffic.slow_counts().collect();
        assert_eq!(counts, [("buffer", 1), ("opening", 0), ("missed", 2)]);
    }
}
