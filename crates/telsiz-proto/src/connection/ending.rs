//! The closing handshake and its outcome (RFC 6455, section 7).

use crate::close::{CloseCode, CloseFrame};
use crate::error::Fault;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Messages go both ways.
    Open,
    /// A Close frame was sent or received; the transport has not ended.
    Closing,
    /// The transport has ended.
    Closed,
}

/// How a connection ended, or is ending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The peer's Close frame.
    pub received: Option<CloseFrame>,
    /// Our Close frame, if it went out.
    pub sent: Option<CloseFrame>,
    /// What ended it.
    pub cause: Cause,
}

impl Outcome {
    /// The close code as the peer gave it: 1005 if its frame carried none, 1006
    /// if there was no frame.
    pub fn code(&self) -> CloseCode {
        self.received
            .as_ref()
            .map_or(CloseCode::ABNORMAL, CloseFrame::code)
    }

    /// The reason that the peer gave; empty if none.
    pub fn reason(&self) -> &str {
        self.received.as_ref().map_or("", CloseFrame::reason)
    }
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake.
    Handshake,
    /// The peer broke a rule, went over a limit, or fell silent.
    Fault(Fault),
    /// The transport ended without a Close frame of the peer.
    TransportLost,
    /// The peer did not finish the closing handshake in time.
    CloseTimeout,
}

#[derive(Debug, Default)]
pub(super) struct Ending {
    sent: Option<CloseFrame>,
    transmitted: bool,
    received: Option<CloseFrame>,
    fault: Option<Fault>,
    eof: bool,
    timed_out: bool,
}

impl Ending {
    pub(super) fn close(&mut self, frame: CloseFrame) {
        self.sent.get_or_insert(frame);
    }

    /// The peer's Close is answered with its own code and reason (section 5.5.1).
    pub(super) fn handle_close(&mut self, frame: &CloseFrame) {
        self.received = Some(frame.clone());
        self.close(frame.clone());
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        if self.fault.is_none() {
            self.fault = Some(fault);
            self.close(fault.close_frame());
        }
    }

    pub(super) fn handle_eof(&mut self) {
        self.eof = true;
    }

    pub(super) fn time_out(&mut self) {
        self.timed_out = true;
    }

    /// Whether the Close frame has to go out.
    pub(super) fn wants_transmit(&self) -> bool {
        self.sent.is_some() && self.allows_last_words()
    }

    /// The body of the Close frame, if it has to go out.
    pub(super) fn transmit(&mut self) -> Option<Vec<u8>> {
        if !self.wants_transmit() {
            return None;
        }
        let frame = self.sent.as_ref()?;
        self.transmitted = true;
        Some(frame.encode())
    }

    /// Whether a message may still go out before the Close frame.
    pub(super) fn allows_last_words(&self) -> bool {
        !self.transmitted && !self.is_over()
    }

    /// Whether pings are still to be answered.
    pub(super) fn allows_pongs(&self) -> bool {
        self.received.is_none() && self.fault.is_none() && !self.is_over()
    }

    pub(super) fn is_exchanged(&self) -> bool {
        self.transmitted && (self.received.is_some() || self.fault.is_some())
    }

    pub(super) fn is_over(&self) -> bool {
        self.eof || self.timed_out
    }

    pub(super) fn outcome(&self) -> Outcome {
        let cause = match (self.fault, &self.received) {
            (Some(fault), _) => Cause::Fault(fault),
            (None, Some(_)) => Cause::Handshake,
            (None, None) if self.timed_out => Cause::CloseTimeout,
            (None, None) if self.eof => Cause::TransportLost,
            (None, None) => Cause::Handshake,
        };
        Outcome {
            received: self.received.clone(),
            sent: self.sent.clone().filter(|_| self.transmitted),
            cause,
        }
    }
}
