//! How many messages come and go.

use std::array;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Threads that count without getting in each other's way; more share places.
const PLACES: usize = 32;

/// Counts the messages of a server. Cloning counts a reference.
///
/// Each thread counts in a place of its own: a counter for all would go from processor to processor
/// with each message.
#[derive(Clone, Debug)]
pub(crate) struct Traffic(Arc<[Place; PLACES]>);

/// A pair of cache lines, so that no two threads write to the same.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Place {
    received: AtomicU64,
    sent: AtomicU64,
}

/// How many messages came and went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// From clients.
    pub(crate) received: u64,
    /// To clients.
    pub(crate) sent: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self(Arc::new(array::from_fn(|_| Place::default())))
    }
}

impl Traffic {
    /// So many messages came.
    pub(crate) fn received(&self, number: u64) {
        self.place().received.fetch_add(number, Ordering::Relaxed);
    }

    /// So many messages go out.
    pub(crate) fn sent(&self, number: u64) {
        self.place().sent.fetch_add(number, Ordering::Relaxed);
    }

    /// So far.
    pub(crate) fn counts(&self) -> Counts {
        let sum = |count: fn(&Place) -> &AtomicU64| {
            let counts = self.0.iter().map(count);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        Counts {
            received: sum(|place| &place.received),
            sent: sum(|place| &place.sent),
        }
    }

    fn place(&self) -> &Place {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static PLACE: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed) % PLACES);
        }
        &self.0[PLACE.get()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_all_threads_saw() {
        let traffic = Traffic::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * PLACES {
                scope.spawn(|| {
                    traffic.received(1);
                    traffic.sent(10);
                });
            }
        });
        let expected = Counts {
            received: 64,
            sent: 640,
        };
        assert_eq!(traffic.counts(), expected);
    }
}
