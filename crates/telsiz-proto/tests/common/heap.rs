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

/// What a call did to the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The most bytes beyond those before the call.
    pub(crate) peak: isize,
    /// The bytes beyond those before the call when it had ended.
    pub(crate) kept: isize,
    /// How often memory was asked for.
    pub(crate) calls: usize,
}

pub(crate) fn measure<T>(call: impl FnOnce() -> T) -> (T, Use) {
    let (live, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(live);
    let result = call();
    let used = Use {
        peak: PEAK.get() - live,
        kept: LIVE.get() - live,
        calls: CALLS.get() - calls,
    };
    (result, used)
}
