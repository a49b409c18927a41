//! How often which of a few things happened.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts each of `N` things.
#[derive(Debug)]
pub(crate) struct Tally<const N: usize>([AtomicU64; N]);

impl<const N: usize> Tally<N> {
    /// Counts the one with this index.
    pub(crate) fn count(&self, index: usize) {
        if let Some(count) = self.0.get(index) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often each happened.
    pub(crate) fn counts(&self) -> [u64; N] {
        self.0.each_ref().map(|count| count.load(Ordering::Relaxed))
    }
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self(array::from_fn(|_| AtomicU64::new(0)))
    }
}
