//! The way into an event loop, from any thread.

use std::io;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use tokio::runtime;

use super::EventLoop;
use super::place::Place;
use super::socket::Socket;
use crate::server::tasks::Task;

/// Gives connections to an event loop, from any thread. The loop ends when all
/// handles and all connections are gone.
pub(crate) struct Handle {
    pub(super) shared: Arc<Shared>,
}

/// What handles, places and the loop itself share.
pub(super) struct Shared {
    pub(super) registry: mio::Registry,
    inbox: Mutex<Inbox>,
    /// Wakes the loop.
    pub(super) waker: OnceLock<Waker>,
}

#[derive(Default)]
pub(super) struct Inbox {
    /// Tasks that were woken, and places that were left, by index.
    pub(super) woken: Vec<u32>,
    /// Tasks that are new.
    pub(super) new: Vec<(Arc<Place>, Task)>,
    /// Indices that were given out and are free again, and the first that never was.
    pub(super) free: Vec<u32>,
    pub(super) next: u32,
    /// Whether the loop waits, and has to be woken.
    pub(super) is_waiting: bool,
    /// Whether no handle is left.
    pub(super) is_closing: bool,
    /// Whether the loop is gone: nobody takes in what is new.
    pub(super) is_over: bool,
}

impl Handle {
    /// Starts an event loop in `runtime`, which has one thread.
    pub(crate) fn start(runtime: &runtime::Handle) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let shared = Arc::new(Shared {
            registry: poll.registry().try_clone()?,
            inbox: Mutex::default(),
            waker: OnceLock::new(),
        });
        let handle = Self {
            shared: shared.clone(),
        };
        let _in_it = runtime.enter();
        runtime.spawn(EventLoop::new(poll, shared)?);
        Ok(handle)
    }

    /// Adds a connection, and what serves it. The socket does not block.
    pub(crate) fn serve(
        &self,
        tcp: TcpStream,
        task: impl FnOnce(Socket) -> Task,
    ) -> io::Result<()> {
        let place = self.shared.place();
        let socket = Socket::new(tcp, &place);
        match self.shared.register(&socket, place.index()) {
            Ok(()) => self.shared.add(place, task(socket)),
            Err(error) => {
                self.shared.lock().free.push(place.index());
                Err(error)
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut inbox = self.shared.lock();
        inbox.is_closing = true;
        self.shared.wake_from(inbox);
    }
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_from(&self, mut inbox: MutexGuard<'_, Inbox>) {
        let is_waiting = std::mem::take(&mut inbox.is_waiting);
        drop(inbox);
        if is_waiting && let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    /// Has the loop look at a place.
    pub(super) fn wake(&self, index: u32) {
        let mut inbox = self.lock();
        inbox.woken.push(index);
        self.wake_from(inbox);
    }

    pub(super) fn place(self: &Arc<Self>) -> Arc<Place> {
        let mut inbox = self.lock();
        let index = inbox.free.pop().unwrap_or_else(|| {
            inbox.next += 1;
            inbox.next - 1
        });
        drop(inbox);
        Arc::new(Place::new(index, self.clone()))
    }

    fn add(&self, place: Arc<Place>, task: Task) -> io::Result<()> {
        let mut inbox = self.lock();
        if inbox.is_over {
            // What is dropped now wakes the loop, which locks it.
            drop(inbox);
            return Err(over());
        }
        inbox.new.push((place, task));
        self.wake_from(inbox);
        Ok(())
    }
}

/// The event loop has ended before its connections.
pub(super) fn over() -> io::Error {
    io::Error::other("the runtime that waits for this connection has ended")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::future::pending;
    use std::io::Read;
    use std::time::Duration;

    use super::super::tests::{pair, task};
    use super::*;

    #[test]
    fn a_connection_that_comes_after_the_loop_has_ended_is_dropped() {
        let mut builder = runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let handle = Handle::start(runtime.handle()).unwrap();
        drop(runtime);
        let (server, mut client) = pair();
        let serving = handle.serve(server, |socket| {
            task(async {
                let _socket = socket;
                pending().await
            })
        });
        let limit = Duration::from_secs(10);
        client.set_read_timeout(Some(limit)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert!(serving.is_err());
    }
}
