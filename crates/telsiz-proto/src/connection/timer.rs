//! The deadlines of a connection.

use std::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// The next keepalive ping goes out.
    Ping,
    /// Something must have come since the last ping.
    Pong,
    /// The closing handshake must be over.
    Close,
}

/// One deadline for each [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; 3]);

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, deadline: Option<Instant>) {
        self.0[timer as usize] = deadline;
    }

    pub(super) fn get(&self, timer: Timer) -> Option<Instant> {
        self.0[timer as usize]
    }

    /// Whether `timer` is due; if so it is cleared.
    pub(super) fn expired(&mut self, timer: Timer, now: Instant) -> bool {
        self.0[timer as usize]
            .take_if(|deadline| *deadline <= now)
            .is_some()
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().copied().flatten().min()
    }
}
