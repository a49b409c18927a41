//! Where every choice of a run comes from.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

/// Random numbers of a seed (SplitMix64).
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..count`; 0 if there is none.
    pub(crate) fn below(&self, count: usize) -> usize {
        let count = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % count).unwrap_or(0)
    }

    pub(crate) fn flip(&self) -> bool {
        self.next() & 1 == 0
    }

    /// Lets others run, less than `most` times.
    pub(crate) fn pause(&self, most: usize) -> impl Future<Output = ()> + Send + use<> {
        let mut times = self.below(most);
        std::future::poll_fn(move |cx| match times {
            0 => Poll::Ready(()),
            _ => {
                times -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        })
    }
}
