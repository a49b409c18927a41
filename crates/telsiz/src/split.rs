//! The two halves of a WebSocket, in different tasks.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;
use telsiz_proto::{CloseCode, CloseFrame, Message, Outcome, Outgoing, State};

use crate::error::{Error, PingError, TrySendError};
use crate::finish::finish;
use crate::link::{Io, Link};
use crate::tls::Transport;

/// The receiving half. There is one; dropping it closes the connection as
/// dropping the [`WebSocket`](crate::WebSocket) does.
pub struct Receiver<S: Io = Transport> {
    shared: Arc<Shared<S>>,
}

/// The sending half. Cloning counts a reference; any number may be used from
/// any task. It writes by itself: the receiver is not woken for that.
///
/// It serves as long as the [`Receiver`] lives.
pub struct Sender<S: Io = Transport> {
    shared: Arc<Shared<S>>,
}

/// What the halves share.
struct Shared<S> {
    /// Empty once the receiver is gone and the transport ended.
    link: Mutex<Option<Box<Link<S>>>>,
    waiting: Arc<Waiting>,
    /// Wakes everyone in `waiting`.
    waker: Waker,
}

/// The tasks that wait for the transport.
///
/// A transport wakes one task for reading and one for writing, and with TLS the
/// one that reads may wait to write. So the transport wakes all who wait, and
/// no wake-up gets lost. There is rarely more than the receiver.
#[derive(Default)]
struct Waiting(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    receiver: Option<Waker>,
    senders: Vec<Waker>,
}

pub(crate) fn split<S: Io>(link: Option<Box<Link<S>>>) -> (Receiver<S>, Sender<S>) {
    let waiting = Arc::new(Waiting::default());
    let shared = Arc::new(Shared {
        link: Mutex::new(link),
        waker: waiting.clone().into(),
        waiting,
    });
    let receiver = Receiver {
        shared: shared.clone(),
    };
    (receiver, Sender { shared })
}

/// A lock that outlives a panic of another holder: no state is left half-changed
/// by our own code.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (receiver, senders) = {
            let mut tasks = lock(&self.0);
            (tasks.receiver.clone(), std::mem::take(&mut tasks.senders))
        };
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}

impl Waiting {
    fn note_receiver(&self, waker: &Waker) {
        let mut tasks = lock(&self.0);
        match &mut tasks.receiver {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    fn note_sender(&self, waker: &Waker) {
        let mut tasks = lock(&self.0);
        if !tasks.senders.iter().any(|known| known.will_wake(waker)) {
            tasks.senders.push(waker.clone());
        }
    }

    fn wake_receiver(&self) {
        let receiver = lock(&self.0).receiver.clone();
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<S: Io> Shared<S> {
    fn with<T>(&self, act: impl FnOnce(&mut Link<S>, &mut Context<'_>) -> T) -> Option<T> {
        let cx = &mut Context::from_waker(&self.waker);
        lock(&self.link).as_mut().map(|link| act(link, cx))
    }

    /// Polls for the receiver. It is noted first: a wake-up that comes during
    /// the poll finds it.
    fn poll_receiver<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Link<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Option<Poll<T>> {
        self.waiting.note_receiver(cx.waker());
        self.with(poll)
    }

    /// Polls for a sender. It is noted only if it has to wait, and then polled
    /// again, so that no wake-up falls between.
    fn poll_sender<T>(
        &self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Link<S>, &mut Context<'_>) -> Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        match self.with(&mut poll) {
            None => Poll::Ready(Err(Error::Closed)),
            Some(Poll::Ready(result)) => Poll::Ready(result),
            Some(Poll::Pending) => {
                self.waiting.note_sender(cx.waker());
                self.with(poll).unwrap_or(Poll::Ready(Err(Error::Closed)))
            }
        }
    }

    /// Finishes the closing handshake for the receiver.
    fn poll_finish(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_receiver(cx, |link, cx| link.poll_finish(cx))
            .unwrap_or(Poll::Ready(()))
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll_receiver(cx, |link, cx| link.poll_recv(cx))
            .unwrap_or(Poll::Ready(Ok(None)))
    }

    fn state(&self) -> State {
        self.with(|link, _| link.state()).unwrap_or(State::Closed)
    }
}

impl<S: Io> Receiver<S> {
    /// Receives the next message; see [`WebSocket::recv`](crate::WebSocket::recv).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.shared.poll_recv(cx)).await
    }

    /// Closes the connection; see [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn close(&mut self, frame: impl Into<CloseFrame>) -> Option<Outcome> {
        self.shared.with(|link, _| link.start_close(frame.into()));
        poll_fn(|cx| self.shared.poll_finish(cx)).await;
        self.outcome()
    }

    /// A sending half.
    pub fn sender(&self) -> Sender<S> {
        Sender {
            shared: self.shared.clone(),
        }
    }

    /// See [`WebSocket::state`](crate::WebSocket::state).
    pub fn state(&self) -> State {
        self.shared.state()
    }

    /// See [`WebSocket::outcome`](crate::WebSocket::outcome).
    pub fn outcome(&self) -> Option<Outcome> {
        self.shared.with(|link, _| link.outcome()).flatten()
    }

    /// See [`WebSocket::close_code`](crate::WebSocket::close_code).
    pub fn close_code(&self) -> Option<CloseCode> {
        self.outcome().map(|outcome| outcome.code())
    }
}

impl<S: Io> Stream for Receiver<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.shared.poll_recv(cx).map(Result::transpose)
    }
}

impl<S: Io> Drop for Receiver<S> {
    fn drop(&mut self) {
        let link = lock(&self.shared.link).take();
        if let Some(link) = link {
            finish(link);
        }
        // Senders that wait would be woken by nobody else.
        self.shared.waiting.wake_by_ref();
    }
}

impl<S: Io> Sender<S> {
    /// Sends a message; see [`WebSocket::send`](crate::WebSocket::send).
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// As there: dropped while it waits for room, nothing was queued; afterwards
    /// the message goes out.
    pub async fn send(&self, message: impl Into<Outgoing>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message; see [`WebSocket::feed`](crate::WebSocket::feed).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, nothing was queued.
    pub async fn feed(&self, message: impl Into<Outgoing>) -> Result<(), Error> {
        let mut message = Some(Box::new(message.into()));
        poll_fn(|cx| {
            self.shared
                .poll_sender(cx, |link, cx| link.poll_feed(cx, &mut message))
        })
        .await
    }

    /// Waits until everything that was queued has been given to the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the transport fails.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        poll_fn(|cx| self.shared.poll_sender(cx, Link::poll_flush)).await
    }

    /// Queues a message and writes what the transport takes at once. Never waits.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] if more than the write buffer is queued already,
    /// [`TrySendError::Closed`] if the connection is closing.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<(), TrySendError> {
        let mut link = lock(&self.shared.link);
        let message = message.into();
        let Some(link) = link.as_mut() else {
            return Err(TrySendError::Closed(message));
        };
        link.try_feed(message)?;
        // What is refused now, the receiver writes when it can be.
        let _ = link.poll_flush(&mut Context::from_waker(&self.shared.waker));
        Ok(())
    }

    /// Sends a ping and waits for its pong, which the receiver sees; the time
    /// that took.
    ///
    /// # Errors
    ///
    /// [`PingError::Closed`] if the connection ends first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing but the answer.
    pub async fn ping(&self) -> Result<Duration, PingError> {
        let pong = self.shared.with(|link, _| link.start_ping());
        let pong = pong.and_then(Result::ok).ok_or(PingError::Closed)?;
        self.flush().await.map_err(|_| PingError::Closed)?;
        pong.await.map_err(|_| PingError::Closed)
    }

    /// Starts the closing handshake; the receiver finishes it.
    pub fn close(&self, frame: impl Into<CloseFrame>) {
        self.shared.with(|link, cx| {
            link.start_close(frame.into());
            let _ = link.poll_flush(cx);
        });
        // It has to wait for the peer's answer only so long.
        self.shared.waiting.wake_receiver();
    }

    /// The bytes that wait for a peer that reads slowly.
    pub fn backlog(&self) -> usize {
        self.shared.with(|link, _| link.backlog()).unwrap_or(0)
    }

    /// See [`WebSocket::state`](crate::WebSocket::state).
    pub fn state(&self) -> State {
        self.shared.state()
    }
}

impl<S: Io> Clone for Sender<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S: Io> fmt::Debug for Receiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl<S: Io> fmt::Debug for Sender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}
