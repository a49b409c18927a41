//! The two halves of a WebSocket, in different tasks.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use telsiz_proto::{Batch, CloseCode, CloseFrame, Message, Outcome, Outgoing, State};

use crate::error::{Error, PingError, TrySendError};
use crate::finish::finish;
use crate::link::{Io, Link};
use crate::shared::Shared;
use crate::tls::Transport;

/// The receiving half. There is one; dropping it closes the connection as
/// dropping the [`WebSocket`](crate::WebSocket) does.
pub struct Receiver<S: Io = Transport> {
    shared: Arc<Shared<Link<S>>>,
}

/// The sending half. Cloning counts a reference; any number may be used from
/// any task. It writes by itself: the receiver is not woken for that.
///
/// It serves as long as the [`Receiver`] lives.
pub struct Sender<S: Io = Transport> {
    shared: Arc<Shared<Link<S>>>,
}

pub(crate) fn split<S: Io>(link: Option<Box<Link<S>>>) -> (Receiver<S>, Sender<S>) {
    let shared = Arc::new(Shared::new(link));
    let receiver = Receiver {
        shared: shared.clone(),
    };
    (receiver, Sender { shared })
}

fn state<S: Io>(shared: &Shared<Link<S>>) -> State {
    shared.with(|link, _| link.state()).unwrap_or(State::Closed)
}

impl<S: Io> Receiver<S> {
    /// Polls, and tells the senders if that ended what they wait for: the transport
    /// may never take a byte again.
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Link<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Option<Poll<T>> {
        let mut has_changed = false;
        let polled = self.shared.poll_receiver(cx, |link, cx| {
            let before = link.state();
            let polled = poll(link, cx);
            has_changed = link.state() != before;
            polled
        });
        if has_changed {
            self.shared.wake();
        }
        polled
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.poll(cx, |link, cx| link.poll_recv(cx))
            .unwrap_or(Poll::Ready(Ok(None)))
    }

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
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// Closes the connection; see [`WebSocket::close`](crate::WebSocket::close).
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn close(&mut self, frame: impl Into<CloseFrame>) -> Option<Outcome> {
        self.shared.with(|link, _| link.start_close(frame.into()));
        // No sender has to wait for room any more.
        self.shared.wake();
        poll_fn(|cx| {
            self.poll(cx, |link, cx| link.poll_finish(cx))
                .unwrap_or(Poll::Ready(()))
        })
        .await;
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
        state(&self.shared)
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
        self.poll_recv(cx).map(Result::transpose)
    }
}

impl<S: Io> Drop for Receiver<S> {
    fn drop(&mut self) {
        if let Some(link) = self.shared.take() {
            finish(link);
        }
        // Senders that wait would be woken by nobody else.
        self.shared.wake();
    }
}

impl<S: Io> Sender<S> {
    /// Polls until that is done.
    async fn wait<T>(
        &self,
        mut poll: impl FnMut(&mut Link<S>, &mut Context<'_>) -> Poll<Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut place = self.shared.place();
        poll_fn(|cx| {
            self.shared
                .poll_sender(cx, &mut place, &mut poll)
                .unwrap_or(Poll::Ready(Err(Error::Closed)))
        })
        .await
    }

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
        self.wait(|link, cx| link.poll_feed(cx, &mut message)).await
    }

    /// Waits until everything that was queued has been given to the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the transport fails, [`Error::Closed`] if the connection
    /// ends first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn flush(&self) -> Result<(), Error> {
        self.wait(Link::poll_flushed).await
    }

    /// Queues a message and writes what the transport takes at once. Never waits.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] if more than the write buffer is queued already,
    /// [`TrySendError::Closed`] if the connection is closing.
    pub fn try_send(&self, message: impl Into<Outgoing>) -> Result<(), TrySendError> {
        // What is refused now, the receiver writes when it can be.
        self.attempt(message.into(), Link::try_send)
    }

    /// Queues messages and writes what the transport takes at once, all of them
    /// together. Never waits.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), of the first one that was not queued; those
    /// behind it were not either.
    pub fn try_send_all(&self, batch: &Batch) -> Result<(), TrySendError> {
        let sent = self.shared.with(|link, cx| link.try_send_all(batch, cx));
        match (sent, batch.messages().first()) {
            (Some(sent), _) => sent,
            (None, Some(first)) => Err(TrySendError::Closed(first.into())),
            (None, None) => Ok(()),
        }
    }

    /// Queues a message, to be written together with others. Never waits; if there is no
    /// room, what is queued is written as far as the transport takes it at once.
    ///
    /// The receiver writes what is queued before it waits. If it may be waiting
    /// already, call [`try_flush`](Self::try_flush) after the last of them: nothing
    /// else wakes it for that.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send).
    pub fn try_feed(&self, message: impl Into<Outgoing>) -> Result<(), TrySendError> {
        self.attempt(message.into(), Link::try_feed)
    }

    /// Writes what the transport takes at once of all that is queued. Never waits:
    /// what it does not take, the receiver writes as soon as it does.
    pub fn try_flush(&self) {
        self.shared.with(Link::try_flush);
    }

    /// Tries to send a message, and gives it back if there is no link any more.
    fn attempt(
        &self,
        message: Outgoing,
        attempt: impl FnOnce(&mut Link<S>, Outgoing, &mut Context<'_>) -> Result<(), TrySendError>,
    ) -> Result<(), TrySendError> {
        let mut message = Some(message);
        let attempted = self.shared.with(|link, cx| match message.take() {
            Some(message) => attempt(link, message, cx),
            None => Ok(()),
        });
        match (attempted, message) {
            (Some(attempted), _) => attempted,
            (None, Some(message)) => Err(TrySendError::Closed(message)),
            (None, None) => Ok(()),
        }
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
            link.try_flush(cx);
        });
        // The receiver has to wait for the peer's answer only so long, and no sender
        // for room.
        self.shared.wake();
    }

    /// The bytes that wait for a peer that reads slowly.
    pub fn backlog(&self) -> usize {
        self.shared.with(|link, _| link.backlog()).unwrap_or(0)
    }

    /// See [`WebSocket::state`](crate::WebSocket::state).
    pub fn state(&self) -> State {
        state(&self.shared)
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
