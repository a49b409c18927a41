//! Ending a link.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use telsiz_proto::{CloseCode, CloseFrame, Fault, Role, State};

use super::{Io, Link};
use crate::error::Error;
use crate::pings::Pings;
use crate::scratch;
use crate::server::Lease;

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
        if !self.inbox.is_empty() {
            // The peer's Close frame may be here already.
            self.discard();
        }
        while self.connection.state() != State::Closed {
            let flushed = self.poll_flush(cx);
            let is_first = matches!(self.connection.role(), Role::Server)
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
    pub(super) fn discard(&mut self) {
        while let Ok(Some(_)) = self.connection.poll(&mut self.inbox) {}
        scratch::give_buffer(&mut self.inbox);
    }

    /// Starts to close if the server stops, or closes this connection; whether it did.
    pub(super) fn stop_with_server(&mut self) -> bool {
        if self.connection.state() == State::Open
            && let Some(lease) = &self.lease
            && let Some(frame) = lease.stop().cloned().or_else(|| lease.take_asked())
        {
            self.connection.close(frame);
            return true;
        }
        false
    }

    /// Answers a fault, as far as the transport takes it at once.
    pub(super) fn fail(&mut self, fault: Fault, cx: &mut Context<'_>) -> Error {
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
    pub(super) fn owes(&self) -> bool {
        !self.mute
            && (self.backlog() > 0 || self.connection.wants_transmit())
            && self.outcome().is_some_and(|o| o.received.is_some())
    }

    /// The transport has ended; whether the closing handshake came first.
    pub(super) fn handle_eof(&mut self, cx: &mut Context<'_>) -> bool {
        self.connection.handle_eof();
        self.shut_down(cx);
        self.end();
        self.outcome().is_some_and(|o| o.received.is_some())
    }

    /// Ends our direction of the transport, as far as that goes at once.
    pub(super) fn shut_down(&mut self, cx: &mut Context<'_>) {
        if !self.shut_down {
            self.shut_down = Pin::new(&mut self.io).poll_shutdown(cx).is_ready();
        }
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        self.inbox = BytesMut::new();
        if let Some(extras) = &mut self.extras {
            // Whoever waits for a pong learns that none will come.
            extras.pings = Pings::default();
        }
    }
}
