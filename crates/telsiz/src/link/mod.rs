//! A connection on its transport: what every way of using it goes through.
//!
//! All methods are polls, written once for a connection that one task owns and
//! for one whose halves are in several tasks.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::Waker;

use bytes::BytesMut;
use telsiz_proto::{Agreement, Connection, Incoming, Outbox, Outcome, Role, State};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::error::Error;
use crate::options::Options;
use crate::pings::Pings;
use crate::server::Lease;

pub(crate) use self::ping::Stashed;

mod close;
mod idle;
mod ping;
mod receive;
mod send;

/// A byte stream that can carry a WebSocket.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for S {}

/// What a wake-up with a message needs comes first, as close together as it gets:
/// see [`Connection`] for why.
#[repr(C)]
pub(crate) struct Link<S> {
    io: S,
    /// What was read and not looked at yet.
    inbox: BytesMut,
    /// What was encoded and not written yet. An idle link has none.
    outbox: Option<Box<Outbox>>,
    /// Whom `lease` or the alarm wakes.
    waker: Option<Waker>,
    /// The place among the connections of a server.
    lease: Option<Lease>,
    /// What only some connections have.
    extras: Option<Box<Extras>>,
    /// Whether the transport refused the first byte of `outbox`.
    blocked: bool,
    /// Whether the transport may hold bytes that it has taken.
    unflushed: bool,
    /// Whether the transport takes no bytes any more.
    mute: bool,
    /// Whether the transport brings no bytes any more.
    deaf: bool,
    /// Whether our direction of the transport was ended.
    shut_down: bool,
    /// Whether the end was reported: nothing more will be received.
    ended: bool,
    /// Whether somebody wakes the task at the next deadline of the connection.
    is_timed: bool,
    connection: Connection,
    options: Options,
}

#[derive(Default)]
struct Extras {
    /// Wakes the task at the next deadline, if no lease does.
    alarm: Option<Pin<Box<Sleep>>>,
    subprotocol: Option<String>,
    pings: Pings,
    /// Messages that came while a pong was waited for, and their bytes.
    stash: VecDeque<Incoming<BytesMut>>,
    stashed: usize,
    /// What ended the connection meanwhile.
    failed: Option<Error>,
    /// The bytes of a message larger than the write buffer that was waited for, until everything is
    /// written.
    large: usize,
}

impl<S: Io> Link<S> {
    pub(crate) fn new(io: S, role: Role, options: Options, inbox: BytesMut) -> Self {
        let now = Instant::now().into_std();
        let mut connection = Connection::new(role, options.get().config.clone(), now);
        if let (Role::Server, Some(interval)) = (role, connection.config().keepalive.interval) {
            // Clients that came back all at once are not pinged all at once, and
            // nobody is pinged who has only just come.
            let part = rand::random_range(0.5..1.0);
            connection.first_ping(now, interval.mul_f64(part));
        }
        Self {
            io,
            inbox,
            outbox: None,
            waker: None,
            lease: None,
            extras: None,
            blocked: false,
            unflushed: false,
            mute: false,
            deaf: false,
            shut_down: false,
            ended: false,
            is_timed: false,
            connection,
            options,
        }
    }

    pub(crate) fn set_lease(&mut self, lease: Lease) {
        self.lease = Some(lease);
    }

    pub(crate) fn set_deflate(&mut self, agreement: Agreement) {
        self.connection.set_deflate(agreement);
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

impl<S> Drop for Link<S> {
    fn drop(&mut self) {
        if let Some(hear) = &self.options.get().on_end {
            hear(self.connection.outcome().as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;
    use crate::tls::Transport;

    #[test]
    fn what_a_message_needs_would_fill_three_cache_lines() {
        type Server = Link<Transport>;
        // The deadlines of the connection and its codec are cold. A stream is larger here, because
        // the tests have all of tokio's runtimes.
        let cold = size_of::<[Option<Instant>; 3]>() + 8 + size_of::<Transport>() - 32;
        let hot = offset_of!(Server, connection) + size_of::<Connection>() - cold;
        assert!(hot <= 3 * 64, "{hot} bytes");
    }
}
