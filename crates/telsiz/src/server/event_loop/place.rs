//! What a socket, the task that has it and the event loop know of each other.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use mio::event::Event;

use super::handle::Shared;
use super::socket::Socket;

/// The socket can be read, or written, as far as is known.
pub(super) const READ: u32 = 1;
pub(super) const WRITE: u32 = 2;
/// It can for good: its direction has ended.
const ENDED: u32 = 2;
/// The task of the place waits for it.
const AWAITED: u32 = 4;
/// Somebody else does.
const ELSEWHERE: u32 = 6;
/// The task was woken.
const WOKEN: u32 = 1 << 8;
/// The socket is there.
const SOCKET: u32 = 1 << 9;
/// The event loop is gone.
const OVER: u32 = 1 << 10;

/// A place in an event loop, with a socket and its task until both are gone.
pub(crate) struct Place {
    /// Of the flags above; those of a direction are [`READ`] or [`WRITE`], shifted.
    state: AtomicU32,
    index: u32,
    shared: Arc<Shared>,
    elsewhere: Mutex<Option<Box<Elsewhere>>>,
    /// Where the socket was when it was waited for.
    socket: AtomicPtr<Socket>,
}

/// Tasks of other places, or of no event loop, that wait for the socket: those of
/// halves, for example.
#[derive(Default)]
struct Elsewhere {
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What the kernel says of a socket.
pub(super) fn readiness(event: &Event) -> u32 {
    let flag = |is_so: bool, flag: u32| if is_so { flag } else { 0 };
    flag(event.is_readable(), READ)
        | flag(event.is_writable(), WRITE)
        | flag(event.is_read_closed(), READ | READ << ENDED)
        | flag(event.is_write_closed(), WRITE | WRITE << ENDED)
        | flag(event.is_error(), READ | WRITE)
}

impl Place {
    pub(super) fn new(index: u32, shared: Arc<Shared>) -> Self {
        Self {
            // Its end may be reported before the event loop has this place.
            state: AtomicU32::new(SOCKET | READ << ENDED),
            index,
            shared,
            elsewhere: Mutex::default(),
            socket: AtomicPtr::default(),
        }
    }

    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// The socket is `ready`; whether the task of this place waited for that, and was
    /// not woken already: it is due then.
    pub(super) fn arrive(&self, ready: u32) -> bool {
        let directions = ready & (READ | WRITE);
        let waiting = directions << AWAITED | directions << ELSEWHERE;
        let before = self.change(|state| (state | ready) & !waiting);
        if before & directions << ELSEWHERE != 0 {
            self.wake_elsewhere(before >> ELSEWHERE & directions);
        }
        before & directions << AWAITED != 0 && before & WOKEN == 0
    }

    /// The address at which the socket probably is, and with it what its connection needs.
    pub(super) fn around_socket(&self) -> *const Socket {
        self.socket.load(Ordering::Relaxed)
    }

    /// The socket is at this address.
    pub(super) fn note_socket(&self, socket: *const Socket) {
        self.socket.store(socket.cast_mut(), Ordering::Relaxed);
    }

    /// Waits until the socket is ready in `direction`.
    pub(super) fn poll_ready(self: &Arc<Self>, direction: u32, cx: &Context<'_>) -> Poll<()> {
        // That of the place points to it. Should it not, the way is only longer.
        let is_own = cx.waker().data() == Arc::as_ptr(self).cast();
        let wait = direction << if is_own { AWAITED } else { ELSEWHERE };
        if !is_own {
            self.note_elsewhere(direction, cx.waker());
        }
        let ready = direction | direction << ENDED | OVER;
        // What comes from now on wakes; what came before is seen here.
        let before = self.change(|state| match state & ready {
            0 => state | wait,
            _ => state & !direction,
        });
        match before & ready {
            0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Whether reading what was there has left nothing behind: not even its end.
    pub(super) fn is_drained(&self) -> bool {
        self.state.load(Ordering::Acquire) & READ << ENDED == 0
    }

    /// The socket said that it is not ready, whatever was known; what has come
    /// meanwhile may be its end.
    pub(super) fn forget_end(&self, direction: u32) {
        self.change(|state| match state & direction {
            0 => state & !(direction << ENDED),
            _ => state,
        });
    }

    /// Whether nobody reports readiness any more.
    pub(super) fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) & OVER != 0
    }

    pub(super) fn has_socket(&self) -> bool {
        self.state.load(Ordering::Acquire) & SOCKET != 0
    }

    /// The socket is dropped. Nobody waits for it: a waker that was kept might keep
    /// this place.
    pub(super) fn leave(&self) {
        let elsewhere = self.lock_elsewhere().take();
        drop(elsewhere);
        self.change(|state| state & !SOCKET);
        self.shared.wake(self.index);
    }

    /// The event loop is dropped.
    pub(super) fn end(&self) {
        self.change(|state| state | OVER);
        self.wake_elsewhere(READ | WRITE);
    }

    /// The task is about to be polled.
    pub(super) fn take_wake(&self) {
        if self.state.load(Ordering::Relaxed) & WOKEN != 0 {
            self.change(|state| state & !WOKEN);
        }
    }

    /// Changes the state; what it was before.
    fn change(&self, change: impl Fn(u32) -> u32) -> u32 {
        let changed = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                Some(change(state))
            });
        changed.unwrap_or_else(|state| state)
    }

    fn lock_elsewhere(&self) -> MutexGuard<'_, Option<Box<Elsewhere>>> {
        self.elsewhere
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn note_elsewhere(&self, direction: u32, waker: &Waker) {
        let mut elsewhere = self.lock_elsewhere();
        let elsewhere = elsewhere.get_or_insert_default();
        let waiting = match direction {
            READ => &mut elsewhere.reader,
            _ => &mut elsewhere.writer,
        };
        match waiting {
            Some(known) => known.clone_from(waker),
            None => *waiting = Some(waker.clone()),
        }
    }

    #[cold]
    fn wake_elsewhere(&self, directions: u32) {
        let mut elsewhere = self.lock_elsewhere();
        let Some(waiting) = &mut *elsewhere else {
            return;
        };
        let take = |direction, waker: &mut Option<Waker>| match directions & direction {
            0 => None,
            _ => waker.take(),
        };
        let reader = take(READ, &mut waiting.reader);
        let writer = take(WRITE, &mut waiting.writer);
        drop(elsewhere);
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}

impl Wake for Place {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.change(|state| state | WOKEN) & WOKEN == 0 {
            self.shared.wake(self.index);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tests::start;
    use super::*;

    #[tokio::test]
    async fn an_end_that_comes_while_the_socket_says_it_is_not_ready_is_kept() {
        let place = start().shared.place();
        let cx = &Context::from_waker(Waker::noop());
        place.forget_end(READ);
        assert!(place.poll_ready(READ, cx).is_pending());
        place.arrive(READ | READ << ENDED);
        place.forget_end(READ);
        assert!(place.poll_ready(READ, cx).is_ready());
        assert!(!place.is_drained(), "the last bytes and the end of them");
        place.forget_end(READ);
        assert!(place.is_drained(), "that end was of another socket");
        assert!(place.poll_ready(READ, cx).is_pending());
    }
}
