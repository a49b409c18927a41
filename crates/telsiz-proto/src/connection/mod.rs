//! A connection after its opening handshake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BytesMut, buf::Limit};

use self::ending::Ending;
use self::receive::{Receive, Received};
use self::timer::{Timer, Timers};
use crate::close::{CloseCode, CloseFrame};
use crate::config::Config;
use crate::deflate::{Agreement, Codec};
use crate::error::Fault;
use crate::frame::OpCode;
use crate::input::Source;
use crate::outbox::Outbox;

pub use self::ending::{Cause, Outcome, State};
pub use self::event::{Event, Incoming};

mod ending;
mod event;
mod receive;
mod send;
mod timer;

/// How many looks in a row that see no message show that the peer is idle.
const LOOKS: u8 = 4;

/// What an idle peer is told.
const IDLE: CloseFrame = CloseFrame::from_static(CloseCode::GOING_AWAY, "idle timeout");

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug)]
pub enum Role {
    /// Frames go out unmasked and must come in masked.
    Server,
    /// Frames go out masked and must come in unmasked.
    Client {
        /// Makes masking keys. They must be unpredictable (section 10.3).
        masking_key: fn() -> [u8; 4],
    },
}

/// The state machine of one connection, in either role.
///
/// *Poll until nothing comes, transmit, then wait for bytes or for the next
/// deadline.* Nothing here blocks, and every call is cheap enough to be made
/// after each read.
///
/// What every message needs comes first: of many connections most are in no near
/// cache when something comes for them, and each line of memory costs time.
#[derive(Debug)]
#[repr(C)]
pub struct Connection {
    config: Arc<Config>,
    role: Role,
    receive: Receive,
    /// Control frames that wait for [`Connection::transmit`].
    waiting: Option<Box<Waiting>>,
    /// How it ends; `None` while it is open.
    ending: Option<Box<Ending>>,
    /// Whether a byte came since the last keepalive ping.
    heard: bool,
    /// Whether a message came since the last look at whether any does.
    spoken: bool,
    /// How many looks in a row have seen none.
    quiet: u8,
    /// The opcode of the message of which a fragment was sent and the last not yet.
    fragmenting: Option<OpCode>,
    /// Whether there is a codec: it is too far away to be looked at for nothing.
    has_codec: bool,
    timers: Timers,
    /// How messages are compressed, if that was agreed on.
    codec: Option<Box<Codec>>,
}

/// At most one control frame of a kind waits: the newest (section 5.5.3 allows
/// to answer only that), so that a peer which pings and never reads costs
/// nothing.
#[derive(Debug, Default)]
struct Waiting {
    pong: Option<Vec<u8>>,
    ping: Option<Vec<u8>>,
}

impl Connection {
    /// A connection whose opening handshake ended at `now`.
    pub fn new(role: Role, config: Arc<Config>, now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set_after(Timer::Ping, now, config.keepalive.interval);
        timers.set_after(Timer::End, now, config.idle_timeout.map(until_next_look));
        Self {
            role,
            config,
            receive: Receive::default(),
            fragmenting: None,
            waiting: None,
            timers,
            has_codec: false,
            codec: None,
            heard: false,
            spoken: false,
            quiet: 0,
            ending: None,
        }
    }

    /// Compresses messages, as the opening handshake has agreed on.
    pub fn set_deflate(&mut self, agreement: Agreement) {
        if let Some(settings) = &self.config.deflate {
            self.codec = Some(Box::new(Codec::new(self.role, settings, agreement)));
            self.has_codec = true;
        }
    }

    /// Puts the first keepalive ping `delay` after `now`. A server that took
    /// many connections at once spreads their pings with it.
    pub fn first_ping(&mut self, now: Instant, delay: Duration) {
        if self.config.keepalive.interval.is_some() && self.ending.is_none() {
            self.timers.set_after(Timer::Ping, now, Some(delay));
        }
    }

    /// Which end of the connection this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The next event in `input`; `None` when all of it is used up.
    ///
    /// A fault ends the connection: its Close frame waits for
    /// [`Connection::transmit`], and whatever comes after it is discarded.
    pub fn poll<S: Source>(&mut self, input: &mut S) -> Result<Option<Event<S::Piece>>, Fault> {
        match self.poll_whole(input)? {
            Some(message) => Ok(Some(Event::Message(message))),
            None => self.poll_rest(input),
        }
    }

    /// Only a message that lies whole, in one frame, at the start of `input`, as
    /// nearly all do: [`Connection::poll`] sees to whatever else is there.
    ///
    /// It is inlined into its caller, which saves one that calls it first the
    /// handing over of events through memory.
    #[inline(always)]
    pub fn poll_whole<S: Source>(
        &mut self,
        input: &mut S,
    ) -> Result<Option<Incoming<S::Piece>>, Fault> {
        let masked = matches!(self.role, Role::Server);
        match self.receive.take_whole(input, masked, &self.config.limits) {
            Ok(None) => Ok(None),
            Ok(Some(message)) => {
                self.heard = true;
                self.spoken = true;
                Ok(Some(message))
            }
            Err(violation) => Err(self.fail(violation.into())),
        }
    }

    /// The next event, if it is not a whole message.
    fn poll_rest<S: Source>(&mut self, input: &mut S) -> Result<Option<Event<S::Piece>>, Fault> {
        let masked = matches!(self.role, Role::Server);
        self.heard |= !input.bytes().is_empty() || self.receive.has_filled_space();
        let codec = self.codec.as_deref_mut();
        match self.receive.poll(input, masked, &self.config.limits, codec) {
            Ok(None) => Ok(None),
            Ok(Some(Received::Message(message))) => {
                self.spoken = true;
                Ok(Some(Event::Message(message)))
            }
            Ok(Some(Received::Control(opcode, payload))) => {
                let body = payload.as_slice();
                match opcode {
                    OpCode::Ping => {
                        self.queue_pong(body);
                        Ok(Some(Event::Ping(payload)))
                    }
                    OpCode::Pong => Ok(Some(Event::Pong(payload))),
                    _ => match CloseFrame::decode(body) {
                        Ok(frame) => {
                            self.receive.discard();
                            self.ending().handle_close(&frame);
                            Ok(Some(Event::Close(frame)))
                        }
                        Err(violation) => Err(self.fail(violation.into())),
                    },
                }
            }
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// Room inside a large message, if one is being received: the transport
    /// may write straight into it. Then [`Connection::poll`], with whatever else
    /// was read or with nothing.
    ///
    /// When the message needs more memory, `spare` may give what an earlier one
    /// left (see [`Outbox::take_spare`]): that saves copying and is warm.
    pub fn space(
        &mut self,
        spare: impl FnOnce() -> Option<BytesMut>,
    ) -> Option<Limit<&mut BytesMut>> {
        self.receive.space(spare)
    }

    /// Starts the closing handshake. Nothing happens if it has been started.
    pub fn close(&mut self, frame: CloseFrame) {
        self.ending().close(frame);
    }

    /// Ends the connection for a reason of the peer's making (section 7.1.7).
    fn fail(&mut self, fault: Fault) -> Fault {
        self.receive.discard();
        self.ending().fail(fault);
        fault
    }

    /// Says that the transport has ended: nothing more will come.
    pub fn handle_eof(&mut self) {
        self.receive.discard();
        self.ending().handle_eof();
    }

    /// When [`Connection::handle_timeout`] is due. The clock is asked only if a
    /// deadline has to be set.
    #[inline]
    pub fn poll_timeout(&mut self, clock: impl FnOnce() -> Instant) -> Option<Instant> {
        if let Some(ending) = &self.ending
            && !ending.is_over()
            && !self.timers.is_set(Timer::End)
            && let timeout @ Some(_) = self.config.close_timeout
        {
            self.timers.set_after(Timer::End, clock(), timeout);
        }
        self.timers.next()
    }

    /// Acts on deadlines that have passed at `now`.
    ///
    /// Call it only when everything that the transport had was polled: a byte
    /// that waits there is life too. That is also why the deadline of a pong needs
    /// no pause while nobody reads.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Fault> {
        if self.timers.expired(Timer::End, now) {
            match &mut self.ending {
                Some(ending) => {
                    self.receive.discard();
                    ending.time_out();
                }
                None => self.look_for_messages(now),
            }
        }
        if self.timers.expired(Timer::Pong, now) && !self.heard {
            return Err(self.fail(Fault::Silent));
        }
        if self.timers.expired(Timer::Ping, now) {
            // A ping of the application's asks the same.
            self.waiting().ping.get_or_insert_default();
            let keepalive = &self.config.keepalive;
            if self.heard || !self.timers.is_set(Timer::Pong) {
                self.timers.set_after(Timer::Pong, now, keepalive.timeout);
            }
            self.timers.set_after(Timer::Ping, now, keepalive.interval);
            self.heard = false;
        }
        Ok(())
    }

    /// Closes the connection when the last looks have seen no message. A deadline that moved with every
    /// message would need a clock with every message.
    fn look_for_messages(&mut self, now: Instant) {
        self.quiet = match std::mem::take(&mut self.spoken) {
            true => 0,
            false => self.quiet + 1,
        };
        match self.quiet < LOOKS {
            true => {
                let next = self.config.idle_timeout.map(until_next_look);
                self.timers.set_after(Timer::End, now, next);
            }
            false => self.close(IDLE),
        }
    }

    /// Where the connection stands.
    pub fn state(&self) -> State {
        match &self.ending {
            None => State::Open,
            Some(ending) if ending.is_over() => State::Closed,
            Some(_) => State::Closing,
        }
    }

    /// How it ended or is ending; `None` while it is open.
    pub fn outcome(&self) -> Option<Outcome> {
        self.ending.as_ref().map(|ending| ending.outcome())
    }

    /// Whether our Close frame went out and nothing that matters can come any
    /// more: the peer's Close came, or it broke a rule. A server now ends its
    /// direction of the transport and waits for the peer to end the other.
    pub fn is_exchanged(&self) -> bool {
        self.ending.as_ref().is_some_and(|e| e.is_exchanged())
    }

    /// The end has begun: from here on only the time-out for closing counts.
    fn ending(&mut self) -> &mut Ending {
        self.ending.get_or_insert_with(|| {
            self.timers = Timers::default();
            Box::default()
        })
    }

    fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    fn queue_pong(&mut self, body: &[u8]) {
        // Also after our Close: only the peer's ends that duty (section 5.5.2).
        if self.ending.as_ref().is_none_or(|e| e.allows_pongs()) {
            let pong = self.waiting().pong.get_or_insert_default();
            pong.clear();
            pong.extend_from_slice(body);
        }
    }

    /// Whether [`Connection::transmit`] has something to encode.
    #[inline]
    pub fn wants_transmit(&self) -> bool {
        self.waiting.is_some() || self.ending.as_ref().is_some_and(|e| e.wants_transmit())
    }

    /// Encodes the control frames that wait: pong, ping, Close, in that order.
    ///
    /// A driver whose transport refuses bytes calls this only when everything
    /// before has gone out: until then the newest pong takes the place of older
    /// ones.
    #[inline]
    pub fn transmit(&mut self, out: &mut Outbox) {
        if self.waiting.is_some() {
            self.transmit_waiting(out);
        }
        if self.ending.is_some() {
            self.transmit_close(out);
        }
    }

    #[cold]
    fn transmit_waiting(&mut self, out: &mut Outbox) {
        let Some(waiting) = self.waiting.take() else {
            return;
        };
        if let Some(pong) = waiting.pong {
            self.encode(OpCode::Pong, &pong, out);
        }
        if let Some(ping) = waiting.ping {
            self.encode(OpCode::Ping, &ping, out);
        }
    }

    #[cold]
    fn transmit_close(&mut self, out: &mut Outbox) {
        if let Some(body) = self.ending().transmit() {
            self.encode(OpCode::Close, &body, out);
        }
    }
}

/// The time from one look at whether messages come to the next.
fn until_next_look(idle_timeout: Duration) -> Duration {
    idle_timeout / u32::from(LOOKS)
}
