//! A WebSocket in one task.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use futures_sink::Sink;
use telsiz_proto::{CloseCode, CloseFrame, Incoming, Message, Outcome, Outgoing, State};

use crate::error::{Error, PingError};
use crate::finish::finish;
use crate::link::{Io, Link, Stashed};
use crate::replies::Replies;
use crate::split::{Receiver, Sender, split};
use crate::tls::Transport;

/// A WebSocket, as client or as server.
///
/// It is also a `Stream` of messages and a `Sink` for them, both for the same task:
/// in two tasks, the halves of [`split`](Self::split) lose no wake-up, those of
/// `StreamExt::split` may. Dropping it starts the closing handshake with code 1000
/// (1011 during a panic) and finishes it in the background.
///
/// Pings are answered, time-outs kept and the closing handshake made while a
/// message is waited for: keep receiving.
pub struct WebSocket<S: Io = Transport> {
    /// Empty only once `self` was used up.
    link: Option<Box<Link<S>>>,
}

impl<S: Io> WebSocket<S> {
    pub(crate) fn new(link: Link<S>) -> Self {
        Self {
            link: Some(Box::new(link)),
        }
    }

    fn with<T>(
        &mut self,
        poll: impl FnOnce(&mut Link<S>) -> Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        match &mut self.link {
            Some(link) => poll(link),
            None => Poll::Ready(Err(Error::Closed)),
        }
    }

    /// Receives the next message; `None` once the connection has ended with a
    /// closing handshake, whoever began it.
    ///
    /// Before it waits, everything that was fed is written. The message shares
    /// the allocation of everything that was read with it (at most 64 KiB):
    /// copy what you keep for long ([`Message::into_own`]).
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] if the peer broke a rule, went over a limit or fell
    /// silent, [`Error::Lost`] if the transport ended without a Close frame,
    /// [`Error::CloseTimeout`]. After an error there is only `None`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: what was read comes with the next call.
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.with(|link| link.poll_recv(cx))).await
    }

    /// Calls `handle` with every message until the connection has ended.
    ///
    /// This is the fastest way to receive: a message is lent from the read
    /// buffer, and all answers to what one read brought go out in one write. In
    /// return `handle` is a plain function; what it needs longer it has to copy.
    ///
    /// ```no_run
    /// # async fn example(mut ws: telsiz::WebSocket) -> Result<(), telsiz::Error> {
    /// ws.run(|message, replies| replies.echo(message)).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`WebSocket::recv`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; a message that was handled is not
    /// handled again.
    pub async fn run<F>(&mut self, mut handle: F) -> Result<(), Error>
    where
        F: FnMut(Incoming<&mut [u8]>, &mut Replies<'_>),
    {
        poll_fn(|cx| self.with(|link| link.poll_run(cx, &mut handle))).await
    }

    /// Sends a message: [`feed`](Self::feed), then [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the connection is closing, [`Error::Misuse`] amid a
    /// fragmented message, [`Error::Lost`] if the transport fails.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits for room, nothing was queued. Afterwards the message
    /// goes out as a whole, with the next call if not at once.
    pub async fn send(&mut self, message: impl Into<Outgoing>) -> Result<(), Error> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Queues a message, to be written together with others: by the next
    /// [`recv`](Self::recv) before it waits, or by [`flush`](Self::flush). Waits
    /// only if more than the write buffer is queued already; otherwise the message
    /// is queued with this call, before the future is polled.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, nothing was queued.
    pub fn feed(&mut self, message: impl Into<Outgoing>) -> Feed<'_, S> {
        let message = message.into();
        let state = match &mut self.link {
            Some(link) if link.has_room() => match link.feed_now(message) {
                Ok(()) => Ok(None),
                Err(error) => Err(Box::new(error)),
            },
            _ => Ok(Some(Box::new(message))),
        };
        Feed { ws: self, state }
    }

    /// Sends a fragment of a message; the one with `last` completes it. Other
    /// messages have to wait until then. Each fragment of a text is text by itself.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send); [`Error::Misuse`] if the kinds of the fragments
    /// differ.
    ///
    /// # Cancel safety
    ///
    /// As [`send`](Self::send).
    pub async fn send_fragment(
        &mut self,
        fragment: impl Into<Message>,
        last: bool,
    ) -> Result<(), Error> {
        let mut fragment = Some(fragment.into());
        poll_fn(|cx| self.with(|link| link.poll_feed_fragment(cx, &mut fragment, last))).await?;
        self.flush().await
    }

    /// Waits until everything that was queued has been given to the transport.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] if the transport fails, [`Error::Closed`] if the connection
    /// has ended first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.with(|link| link.poll_flushed(cx))).await
    }

    /// Sends a ping and waits for its pong; the time that took. Messages that
    /// come meanwhile are kept for [`recv`](Self::recv), up to the size limit of
    /// one message.
    ///
    /// # Errors
    ///
    /// [`PingError::Closed`] if the connection ends first, [`PingError::Backlog`]
    /// if too many messages come first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing but the answer.
    pub async fn ping(&mut self) -> Result<Duration, PingError> {
        let link = self.link.as_mut().ok_or(PingError::Closed)?;
        let mut pong = link.start_ping().map_err(|_| PingError::Closed)?;
        poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = Pin::new(&mut pong).poll(cx) {
                    return Poll::Ready(answer.map_err(|_| PingError::Closed));
                }
                match link.poll_stash(cx) {
                    Poll::Ready(Stashed::One) => {}
                    Poll::Ready(Stashed::Full) => return Poll::Ready(Err(PingError::Backlog)),
                    Poll::Ready(Stashed::Ended) => {
                        return Poll::Ready(Err(PingError::Closed));
                    }
                    Poll::Pending => {
                        // The pong may just have come.
                        let answer = ready!(Pin::new(&mut pong).poll(cx));
                        return Poll::Ready(answer.map_err(|_| PingError::Closed));
                    }
                }
            }
        })
        .await
    }

    /// Closes the connection: sends `frame` (a [`CloseCode`] or a
    /// [`CloseFrame`]), waits for the peer's and for the end of the transport, at
    /// most for the close time-out. Messages that still come are discarded; to
    /// see them, drop the future of `close` and go on with `recv`.
    ///
    /// If the closing handshake has begun already, it is finished.
    ///
    /// # Cancel safety
    ///
    /// The closing handshake goes on with the next call, or when `self` is dropped.
    pub async fn close(&mut self, frame: impl Into<CloseFrame>) -> Option<Outcome> {
        let link = self.link.as_mut()?;
        link.start_close(frame.into());
        poll_fn(|cx| link.poll_finish(cx)).await;
        link.outcome()
    }

    /// Whether messages go both ways, the closing handshake is under way, or the
    /// transport has ended.
    pub fn state(&self) -> State {
        self.link
            .as_ref()
            .map_or(State::Closed, |link| link.state())
    }

    /// How the connection ended or is ending; `None` while it is open.
    pub fn outcome(&self) -> Option<Outcome> {
        self.link.as_ref()?.outcome()
    }

    /// The close code as the peer gave it: 1005 if its frame had none, 1006 if
    /// there was no frame. `None` while the connection is open.
    pub fn close_code(&self) -> Option<CloseCode> {
        self.outcome().map(|outcome| outcome.code())
    }

    /// The sub-protocol that was agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.link.as_ref()?.subprotocol()
    }

    /// Divides it into two owned halves, which may live in different tasks.
    pub fn split(mut self) -> (Receiver<S>, Sender<S>) {
        split(self.link.take())
    }
}

/// The future of [`WebSocket::feed`].
///
/// Nearly always there is nothing to wait for: the message was queued before
/// there was a future. So that is small and the message never moves into it.
#[must_use = "whether the message was queued is known only when it is awaited"]
pub struct Feed<'a, S: Io = Transport> {
    ws: &'a mut WebSocket<S>,
    /// A message that waits for room, or what went wrong.
    state: Result<Option<Box<Outgoing>>, Box<Error>>,
}

impl<S: Io> Future for Feed<'_, S> {
    type Output = Result<(), Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Self { ws, state } = &mut *self;
        match state {
            Ok(None) => Poll::Ready(Ok(())),
            Ok(waiting) => ws.with(|link| link.poll_feed(cx, waiting)),
            Err(_) => Poll::Ready(match std::mem::replace(state, Ok(None)) {
                Err(error) => Err(*error),
                Ok(_) => Ok(()),
            }),
        }
    }
}

impl<S: Io> fmt::Debug for Feed<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

impl<S: Io> Drop for WebSocket<S> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            finish(link);
        }
    }
}

impl<S: Io> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl<S: Io> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.with(|link| link.poll_recv(cx)).map(Result::transpose)
    }
}

impl<S: Io, M: Into<Outgoing>> Sink<M> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.with(|link| link.poll_feed(cx, &mut None))
    }

    fn start_send(mut self: Pin<&mut Self>, message: M) -> Result<(), Error> {
        let link = self.link.as_mut().ok_or(Error::Closed)?;
        link.feed_now(message.into())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.with(|link| link.poll_flushed(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.with(|link| {
            link.start_close(CloseCode::NORMAL.into());
            link.poll_finish(cx).map(Ok)
        })
    }
}
