//! Counts the heap of the running thread. A test file that wants it makes
//! [`Counting`] its global allocator.
#![allow(unsafe_code, reason = "the trait of allocators is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub(crate) struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let live = LIVE.get() + change;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    if change > 0 {
        CALLS.set(CALLS.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// The bytes that this thread allocated and did not free.
pub(crate) fn live() -> isize {
    LIVE.get()
}

/// What was done to the heap since a [`Mark`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The most bytes beyond those at the mark.
    pub(crate) peak: isize,
    /// The bytes beyond those at the mark that are there now.
    pub(crate) kept: isize,
    /// How often memory was asked for.
    pub(crate) calls: usize,
}

/// The heap at a moment. The peak counts from the latest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    live: isize,
    calls: usize,
}

impl Mark {
    pub(crate) fn set() -> Self {
        let live = LIVE.get();
        PEAK.set(live);
        Self {
            live,
            calls: CALLS.get(),
        }
    }

    pub(crate) fn used(self) -> Use {
        Use {
            peak: PEAK.get() - self.live,
            kept: LIVE.get() - self.live,
            calls: CALLS.get() - self.calls,
        }
    }

    /// The bytes that were there.
    pub(crate) fn live(self) -> isize {
        self.live
    }
}

pub(crate) fn measure<T>(call: impl FnOnce() -> T) -> (T, Use) {
    let mark = Mark::set();
    let result = call();
    (result, mark.used())
}
