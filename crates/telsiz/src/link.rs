//! A connection on its transport: what every way of using it goes through.
//!
//! All methods are polls, written once for a connection that one task owns and
//! for one whose halves are in several tasks.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use telsiz_proto::{
    CloseCode, CloseFrame, Connection, Event, Fault, Incoming, Input, Message, Outbox, Outcome,
    Outgoing, Role, SendError, Source, State,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::io::poll_read_buf;

use crate::error::{Error, TrySendError};
use crate::options::Options;
use crate::pings::Pings;
use crate::replies::{Replies, WriteNow};
use crate::scratch;
use crate::server::Lease;

/// The most pieces that one vectored write takes.
const SLICES: usize = 16;

/// A byte stream that can carry a WebSocket.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for S {}

pub(crate) struct Link<S> {
    io: S,
    connection: Connection,
    role: Role,
    options: Options,
    /// What was read and not looked at yet.
    inbox: BytesMut,
    /// What was encoded and not written yet. An idle link has none.
    outbox: Option<Box<Outbox>>,
    /// Whether the transport refused the first of those bytes.
    blocked: bool,
    /// Whether the transport takes no bytes any more.
    mute: bool,
    /// Whether the transport brings no bytes any more.
    deaf: bool,
    /// Whether our direction of the transport was ended.
    shut_down: bool,
    /// Whether the end was reported: nothing more will be received.
    ended: bool,
    /// Wakes the task at the next deadline of the connection.
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom `sleep` and `lease` wake.
    waker: Option<Waker>,
    /// The place among the connections of a server.
    lease: Option<Lease>,
    /// What only some connections have.
    extras: Option<Box<Extras>>,
}

#[derive(Default)]
struct Extras {
    subprotocol: Option<String>,
    pings: Pings,
    /// Messages that came while a pong was waited for, and their bytes.
    stash: VecDeque<Incoming<BytesMut>>,
    stashed: usize,
    /// What ended the connection meanwhile.
    failed: Option<Error>,
}

impl<S: Io> Link<S> {
    pub(crate) fn new(io: S, role: Role, options: Options, inbox: BytesMut) -> Self {
        let now = Instant::now().into_std();
        let mut connection = Connection::new(role, options.get().config.clone(), now);
        if let (Role::Server, Some(interval)) = (role, connection.config().keepalive.interval) {
            // Clients that came back all at once are not pinged all at once.
            connection.first_ping(now, interval.mul_f64(rand::random()));
        }
        Self {
            io,
            connection,
            role,
            options,
            inbox,
            outbox: None,
            blocked: false,
            mute: false,
            deaf: false,
            shut_down: false,
            ended: false,
            sleep: None,
            waker: None,
            lease: None,
            extras: None,
        }
    }

    pub(crate) fn set_lease(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    pub(crate) fn set_subprotocol(&mut self, subprotocol: String) {
        self.extras().subprotocol = Some(subprotocol);
    }

    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.extras.as_ref()?.subprotocol.as_deref()
    }

    pub(crate) fn state(&self) -> State {
        self.connection.state()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.connection.outcome()
    }

    /// The bytes that wait for the transport.
    pub(crate) fn backlog(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.len())
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}

/// Receiving.
impl<S: Io> Link<S> {
    /// The next message; `None` once the connection has ended as it should.
    pub(crate) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        let incoming = match self.unstash()? {
            Some(incoming) => Some(incoming),
            None => ready!(self.poll_incoming(cx))?,
        };
        Poll::Ready(Ok(incoming.map(Incoming::into_message)))
    }

    fn poll_incoming(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming<BytesMut>>, Error>> {
        let mut is_new = !self.inbox.is_empty();
        loop {
            if !is_new && !ready!(self.poll_more(cx))? {
                return Poll::Ready(Ok(None));
            }
            match self.connection.poll(&mut self.inbox) {
                Ok(Some(Event::Message(message))) => return Poll::Ready(Ok(Some(message))),
                Ok(Some(Event::Ping(_))) => self.transmit_pong(),
                Ok(Some(Event::Pong(payload))) => handle_pong(&mut self.extras, payload.as_slice()),
                Ok(Some(_)) => {}
                Ok(None) => {
                    is_new = false;
                    continue;
                }
                Err(fault) => return Poll::Ready(Err(self.fail(fault, cx))),
            }
            is_new = true;
        }
    }

    /// Answers a ping before what comes after it; while the transport takes
    /// nothing, only the newest ping is answered.
    fn transmit_pong(&mut self) {
        if !self.blocked && self.backlog() <= self.options.get().write_buffer {
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.transmit(outbox);
        }
    }

    /// Gives every message to `handle` until the connection has ended.
    pub(crate) fn poll_run<F>(
        &mut self,
        cx: &mut Context<'_>,
        handle: &mut F,
    ) -> Poll<Result<(), Error>>
    where
        F: FnMut(Incoming<&mut [u8]>, &mut Replies<'_>),
    {
        loop {
            // Replies pile up: nothing is handled or read until they are gone.
            ready!(self.poll_drain(cx));
            let all = self.dispatch(cx, handle)?;
            let has_room = self.backlog() <= self.options.get().write_buffer;
            if all && has_room && !ready!(self.poll_more(cx))? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Gives the messages in the inbox to `handle`; whether these were all.
    fn dispatch<F>(&mut self, cx: &mut Context<'_>, handle: &mut F) -> Result<bool, Error>
    where
        F: FnMut(Incoming<&mut [u8]>, &mut Replies<'_>),
    {
        let stashed = self.unstash()?;
        let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
        let mut transport = Transport {
            io: &mut self.io,
            cx,
            blocked: self.blocked || self.mute,
        };
        let mut replies = Replies::new(&mut self.connection, outbox, &mut transport);
        if let Some(message) = stashed {
            handle(message.into_gathered(), &mut replies);
            return Ok(false);
        }
        let len = self.inbox.len();
        let mut input = Input::new(&mut self.inbox);
        let mut fault = None;
        let left = loop {
            match replies.connection().poll(&mut input) {
                Ok(Some(Event::Message(message))) => handle(message, &mut replies),
                Ok(Some(Event::Ping(_))) => replies.transmit_pong(),
                Ok(Some(Event::Pong(payload))) => handle_pong(&mut self.extras, payload.as_slice()),
                Ok(Some(_)) => {}
                Ok(None) => break 0,
                Err(error) => {
                    fault = Some(error);
                    break 0;
                }
            }
            if replies.backlog() > self.options.get().write_buffer {
                break input.bytes().len();
            }
        };
        match left {
            // Nobody else may hold the read buffer when the next read comes.
            0 => self.inbox = BytesMut::new(),
            left => self.inbox.advance(len - left),
        }
        match fault {
            None => Ok(left == 0),
            Some(fault) => Err(self.fail(fault, cx)),
        }
    }

    /// Waits for more input, having written what is to be written; `false`
    /// once the connection has ended as it should.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        loop {
            if self.ended {
                return Poll::Ready(Ok(false));
            }
            // What the transport refuses now is written when it takes it again;
            // an error leaves what the peer said before it to be read.
            let flushed = self.poll_flush(cx).is_ready();
            // The server ends the transport (section 7.1.1), and the client waits.
            let is_first = matches!(self.role, Role::Server);
            if flushed && self.connection.is_exchanged() && is_first {
                self.shut_down(cx);
                self.end();
                return Poll::Ready(Ok(false));
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(0)) if self.owes() => {
                    self.deaf = true;
                    continue;
                }
                Poll::Ready(Ok(0)) => {
                    let closed = self.handle_eof(cx);
                    return Poll::Ready(match closed {
                        true => Ok(false),
                        false => Err(Error::Lost(io::ErrorKind::UnexpectedEof.into())),
                    });
                }
                Poll::Ready(Ok(_)) => return Poll::Ready(Ok(true)),
                Poll::Ready(Err(error)) => {
                    self.handle_eof(cx);
                    return Poll::Ready(Err(Error::Lost(error)));
                }
                Poll::Pending => {}
            }
            ready!(self.poll_idle(cx))?;
            if self.connection.state() == State::Closed {
                self.end();
                return Poll::Ready(match self.connection.is_exchanged() {
                    true => Ok(false),
                    false => Err(Error::CloseTimeout),
                });
            }
        }
    }

    /// Reads; the number of bytes, 0 at the end of the transport.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.deaf && self.owes() {
            return Poll::Pending;
        }
        if let Some(mut space) = self.connection.space(scratch::take_memory) {
            return poll_read_buf(Pin::new(&mut self.io), cx, &mut space);
        }
        self.inbox = ready!(scratch::poll_read(&mut self.io, cx))?;
        Poll::Ready(Ok(self.inbox.len()))
    }

    /// Nothing is there to be read: waits for a deadline or for the server's stop.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let moved = self.note_waker(cx);
        if self.stop_with_server() {
            return Poll::Ready(Ok(()));
        }
        // While it is open, its deadlines move only when one has passed.
        if let Some(sleep) = &self.sleep
            && !moved
            && !sleep.is_elapsed()
            && self.connection.state() == State::Open
        {
            return Poll::Pending;
        }
        let Some(deadline) = self.connection.poll_timeout(|| Instant::now().into_std()) else {
            self.sleep = None;
            return Poll::Pending;
        };
        let deadline = Instant::from_std(deadline);
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if sleep.deadline() != deadline {
                    sleep.as_mut().reset(deadline);
                }
                sleep
            }
            none => none.insert(Box::pin(sleep_until(deadline))),
        };
        ready!(sleep.as_mut().poll(cx));
        let now = Instant::now().into_std();
        Poll::Ready(match self.connection.handle_timeout(now) {
            Ok(()) => Ok(()),
            Err(fault) => Err(self.fail(fault, cx)),
        })
    }

    /// Remembers whom to wake; whether that is somebody new.
    fn note_waker(&mut self, cx: &Context<'_>) -> bool {
        match &self.waker {
            Some(waker) if waker.will_wake(cx.waker()) => false,
            _ => {
                if let Some(lease) = &self.lease {
                    lease.register(cx.waker());
                }
                self.waker = Some(cx.waker().clone());
                // It would wake the task that was here before.
                self.sleep = None;
                true
            }
        }
    }

    /// Starts to close if the server stops; whether it did.
    fn stop_with_server(&mut self) -> bool {
        if self.connection.state() == State::Open
            && let Some(lease) = &self.lease
            && let Some(frame) = lease.stop()
        {
            self.connection.close(frame.clone());
            return true;
        }
        false
    }

    /// Answers a fault, as far as the transport takes it at once.
    fn fail(&mut self, fault: Fault, cx: &mut Context<'_>) -> Error {
        if let Some(make) = &self.options.get().last_words
            && let Some(message) = make(&fault)
        {
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            let _ = self.connection.send_last_words(message, outbox);
        }
        let _ = self.poll_flush(cx);
        self.end();
        Error::Fault(fault)
    }

    /// Whether a peer that sent its Close frame is still to get something: it may
    /// have ended only its own direction of the transport.
    fn owes(&self) -> bool {
        !self.mute
            && (self.backlog() > 0 || self.connection.wants_transmit())
            && self.outcome().is_some_and(|o| o.received.is_some())
    }

    /// The transport has ended; whether the closing handshake came first.
    fn handle_eof(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.handle_eof();
        self.shut_down(cx);
        self.end();
        self.outcome().is_some_and(|o| o.received.is_some())
    }

    /// Ends our direction of the transport, as far as that goes at once.
    fn shut_down(&mut self, cx: &mut Context<'_>) {
        if !self.shut_down {
            self.shut_down = Pin::new(&mut self.io).poll_shutdown(cx).is_ready();
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.inbox = BytesMut::new();
        if let Some(extras) = &mut self.extras {
            // Whoever waits for a pong learns that none will come.
            extras.pings = Pings::default();
        }
    }
}

/// Sending.
impl<S: Io> Link<S> {
    /// Queues `message` as soon as there is room. It is taken out of the option
    /// only then: whoever stops waiting has queued nothing.
    pub(crate) fn poll_feed(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Box<Outgoing>>,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        Poll::Ready(match message.take() {
            Some(message) => self.feed_now(*message),
            None => Ok(()),
        })
    }

    /// As [`Link::poll_feed`], for a fragment.
    pub(crate) fn poll_feed_fragment(
        &mut self,
        cx: &mut Context<'_>,
        fragment: &mut Option<Message>,
        last: bool,
    ) -> Poll<Result<(), Error>> {
        ready!(self.poll_room(cx))?;
        if let Some(fragment) = fragment.take() {
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.send_fragment(fragment, last, outbox)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether a message could be queued without waiting.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        let stopping = self
            .lease
            .as_ref()
            .is_some_and(|lease| lease.stop().is_some());
        !self.mute && !stopping && self.backlog() <= self.options.get().write_buffer
    }

    /// Queues `message` if there is room for it.
    pub(crate) fn try_feed(&mut self, message: Outgoing) -> Result<(), TrySendError> {
        if self.mute || self.connection.check_send().is_err() {
            return Err(TrySendError::Closed(message));
        }
        if self.backlog() > self.options.get().write_buffer {
            return Err(TrySendError::Full(message));
        }
        // It was checked above.
        let _ = self.feed_now(message);
        Ok(())
    }

    /// Queues `message`, room or not.
    #[inline]
    pub(crate) fn feed_now(&mut self, message: Outgoing) -> Result<(), Error> {
        let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
        self.connection.send(message, outbox)?;
        Ok(())
    }

    /// Waits until there is room for a message.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            self.stop_with_server();
            if self.mute || self.connection.state() != State::Open {
                return Poll::Ready(Err(Error::Closed));
            }
            if self.backlog() <= self.options.get().write_buffer {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_drain(cx));
        }
    }

    /// Waits until little waits for the transport, or nothing can any more, or the
    /// server stops.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.options.get().write_buffer;
        while self.backlog() > limit {
            if self.poll_flush(cx).is_pending() && self.backlog() > limit {
                self.note_waker(cx);
                if !self.stop_with_server() {
                    return Poll::Pending;
                }
                break;
            }
        }
        Poll::Ready(())
    }

    /// Writes everything that is queued, control frames included. Once the
    /// transport has refused something for good, nothing counts as written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Err(error) = ready!(self.poll_write(cx)) {
                self.mute = true;
                self.outbox = None;
                return Poll::Ready(Err(Error::Lost(error)));
            }
            if !self.connection.wants_transmit() {
                break;
            }
            let outbox = self.outbox.get_or_insert_with(scratch::take_outbox);
            self.connection.transmit(outbox);
            if self.mute {
                self.outbox = None;
            }
        }
        if self.mute {
            return Poll::Ready(Err(Error::Closed));
        }
        // TLS may still hold some of it.
        Pin::new(&mut self.io).poll_flush(cx).map_err(Error::Lost)
    }

    /// Writes the outbox.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(outbox) = &mut self.outbox else {
            return Poll::Ready(Ok(()));
        };
        while !outbox.is_empty() {
            match poll_write_some(&mut self.io, cx, outbox, &[]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(n)) => outbox.advance(n),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    if !self.blocked {
                        self.blocked = true;
                        outbox.compact();
                    }
                    return Poll::Pending;
                }
            }
        }
        self.blocked = false;
        if let Some(outbox) = self.outbox.take() {
            scratch::give_outbox(outbox);
        }
        Poll::Ready(Ok(()))
    }
}

/// Pinging.
impl<S: Io> Link<S> {
    /// Sends a ping with the next flush; the receiver gets the time that its
    /// pong took.
    pub(crate) fn start_ping(&mut self) -> Result<oneshot::Receiver<Duration>, SendError> {
        let pings = &mut self.extras.get_or_insert_default().pings;
        let (payload, pong) = pings.start(Instant::now());
        self.connection.ping(&payload)?;
        Ok(pong)
    }

    /// Waits for a pong and keeps the messages that come before it, as many as
    /// one message may be large.
    pub(crate) fn poll_stash(&mut self, cx: &mut Context<'_>) -> Poll<Stashed> {
        let limit = self.connection.config().limits.message_size;
        if self.extras().stashed > limit {
            return Poll::Ready(Stashed::Full);
        }
        let message = match ready!(self.poll_incoming(cx)) {
            Ok(Some(message)) => message,
            Ok(None) => return Poll::Ready(Stashed::Ended),
            Err(error) => {
                self.extras().failed = Some(error);
                return Poll::Ready(Stashed::Ended);
            }
        };
        let extras = self.extras();
        extras.stashed += message.as_bytes().len() + size_of::<Incoming<BytesMut>>();
        extras.stash.push_back(message);
        Poll::Ready(Stashed::One)
    }

    /// The oldest message that was kept, or what ended the connection after them.
    fn unstash(&mut self) -> Result<Option<Incoming<BytesMut>>, Error> {
        let Some(extras) = &mut self.extras else {
            return Ok(None);
        };
        let Some(message) = extras.stash.pop_front() else {
            return extras.failed.take().map_or(Ok(None), Err);
        };
        extras.stashed -= message.as_bytes().len() + size_of::<Incoming<BytesMut>>();
        Ok(Some(message))
    }
}

/// What [`Link::poll_stash`] did.
pub(crate) enum Stashed {
    One,
    Full,
    Ended,
}

/// Closing.
impl<S: Io> Link<S> {
    /// Starts the closing handshake, if nobody has.
    pub(crate) fn start_close(&mut self, frame: CloseFrame) {
        self.connection.close(frame);
    }

    /// The Close frame of a connection that its owner dropped.
    pub(crate) fn farewell(&self) -> CloseFrame {
        match self.lease.as_ref().and_then(Lease::stop) {
            _ if std::thread::panicking() => CloseCode::INTERNAL_ERROR.into(),
            Some(frame) => frame.clone(),
            None => CloseCode::NORMAL.into(),
        }
    }

    /// Finishes the closing handshake and the transport; what still comes is
    /// discarded.
    ///
    /// A server, or who met a fault, ends its direction and reads on: closing
    /// with unread bytes would reset the connection, and a reset eats the Close
    /// frame (RFC 6455, section 7.1.1).
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.connection.state() != State::Closed {
            let flushed = self.poll_flush(cx);
            let is_first = matches!(self.role, Role::Server)
                || self.outcome().is_some_and(|o| o.received.is_none());
            if flushed.is_ready() && self.connection.is_exchanged() && is_first {
                self.shut_down(cx);
            }
            match self.poll_fill(cx) {
                Poll::Ready(Ok(1..)) => self.discard(),
                Poll::Ready(Ok(0)) if self.owes() => self.deaf = true,
                Poll::Ready(_) => {
                    self.handle_eof(cx);
                }
                Poll::Pending => {
                    let _ = ready!(self.poll_idle(cx));
                }
            }
        }
        self.end();
        Poll::Ready(())
    }

    /// Looks at what came only for the peer's Close frame.
    fn discard(&mut self) {
        while let Ok(Some(_)) = self.connection.poll(&mut self.inbox) {}
    }
}

fn handle_pong(extras: &mut Option<Box<Extras>>, payload: &[u8]) {
    if let Some(extras) = extras {
        extras.pings.handle_pong(payload, Instant::now());
    }
}

/// One write of what is in `outbox`, and of `lent` behind it.
fn poll_write_some<S: Io>(
    io: &mut S,
    cx: &mut Context<'_>,
    outbox: &Outbox,
    lent: &[u8],
) -> Poll<io::Result<usize>> {
    match outbox.contiguous() {
        Some(bytes) if lent.is_empty() => Pin::new(io).poll_write(cx, bytes),
        _ => {
            let mut slices = [IoSlice::new(&[]); SLICES];
            Pin::new(io).poll_write_vectored(cx, outbox.slices(lent, &mut slices))
        }
    }
}

/// The transport, for a reply that goes out at once.
struct Transport<'t, 'c, 'w, S> {
    io: &'t mut S,
    cx: &'c mut Context<'w>,
    blocked: bool,
}

impl<S: Io> WriteNow for Transport<'_, '_, '_, S> {
    fn is_blocked(&self) -> bool {
        self.blocked
    }

    fn write_lent(&mut self, outbox: &mut Outbox, lent: &[u8]) {
        let written = match self.blocked {
            true => Poll::Pending,
            false => poll_write_some(self.io, self.cx, outbox, lent),
        };
        match written {
            Poll::Ready(Ok(n)) => outbox.advance_lent(n, lent),
            // The flush that follows meets the same error, or waits.
            Poll::Ready(Err(_)) | Poll::Pending => {
                self.blocked = true;
                outbox.advance_lent(0, lent);
            }
        }
    }
}
