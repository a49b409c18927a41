//! What a hub counts: plain numbers, for whoever tells them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What happened since the start, and what is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Rooms that somebody is in.
    pub rooms: usize,
    /// Connections in rooms, counted in each.
    pub members: usize,
    /// What became of what was to be published.
    pub publishing: [u64; Publishing::ALL.len()],
    /// How long after it was in the log a publication was delivered to all members that are with a
    /// worker, at most: counted for each worker.
    pub delivery: Distribution,
    /// How many publications workers read from logs, because they had left them out.
    pub read_again: u64,
    /// What waits for the workers or is not yet delivered, in bytes.
    pub waiting: usize,
    /// For how long the oldest of that has waited.
    pub oldest: Duration,
    /// What the engine counts.
    pub engine: EngineFigures,
}

/// What an engine counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineFigures {
    /// How many publications wait to be stored.
    pub queue: usize,
    /// How many may.
    pub queue_limit: usize,
    /// How often something was committed.
    pub commits: u64,
    /// How many publications were stored.
    pub stored: u64,
    /// How often a commit failed.
    pub failed: u64,
    /// How long it took until a publication was stored.
    pub durable: Distribution,
}

/// What became of something that was to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// It is stored.
    Stored,
    /// It was stored before, with the same key.
    Repeated,
    /// It may not.
    Forbidden,
    /// Its text is too long.
    TooLarge,
    /// Too much was waiting.
    Busy,
    /// The engine failed, or was closed.
    Failed,
}

impl Publishing {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Stored,
        Self::Repeated,
        Self::Forbidden,
        Self::TooLarge,
        Self::Busy,
        Self::Failed,
    ];
}

/// How long something took, each time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How often it took as long as the bound of the same index, and longer than the one before;
    /// the last has none.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// In all.
    pub sum: Duration,
}

impl Distribution {
    /// The bounds, in microseconds.
    pub const BOUNDS: [u64; 16] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000, 10_000_000,
    ];
}

/// Counts how long something takes.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: [AtomicU64; Distribution::BOUNDS.len() + 1],
    micros: AtomicU64,
}

impl Histogram {
    /// It took `time`, so many times.
    pub(crate) fn observe(&self, time: Duration, times: u64) {
        let micros = time.as_nanos().div_ceil(1_000);
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let index = Distribution::BOUNDS.partition_point(|bound| *bound < micros);
        self.counts[index].fetch_add(times, Ordering::Relaxed);
        let sum = micros.saturating_mul(times);
        self.micros.fetch_add(sum, Ordering::Relaxed);
    }

    /// So far.
    pub(crate) fn read(&self) -> Distribution {
        let counts = self.counts.each_ref();
        Distribution {
            counts: counts.map(|count| count.load(Ordering::Relaxed)),
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
        }
    }
}

/// What a hub and its workers count.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    publishing: [AtomicU64; Publishing::ALL.len()],
    pub(crate) delivery: Histogram,
    pub(crate) read_again: AtomicU64,
}

impl Counts {
    pub(crate) fn publishing(&self, outcome: Publishing) {
        self.publishing[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// What is told of them.
    pub(crate) fn figures(&self) -> Figures {
        let publishing = self.publishing.each_ref();
        Figures {
            publishing: publishing.map(|count| count.load(Ordering::Relaxed)),
            delivery: self.delivery.read(),
            read_again: self.read_again.load(Ordering::Relaxed),
            ..Figures::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_up_to_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::default();
        for (nanos, index) in [
            (0, 0),
            (100_000, 0),
            (100_001, 1),
            (250_000, 1),
            (999_999_999, 12),
            (10_000_000_000, 15),
            (10_000_000_001, 16),
            (u64::MAX, 16),
        ] {
            let before = histogram.read().counts[index];
            histogram.observe(Duration::from_nanos(nanos), 2);
            assert_eq!(histogram.read().counts[index], before + 2, "{nanos}");
        }
        assert_eq!(histogram.read().counts.iter().sum::<u64>(), 16);
    }

    #[test]
    fn what_took_long_together_is_summed_up() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(3), 2);
        histogram.observe(Duration::from_micros(5), 1);
        assert_eq!(histogram.read().sum, Duration::from_micros(6_005));
    }
}
