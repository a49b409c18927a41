//! The deadlines of a connection.

use std::time::{Duration, Instant};

/// What a deadline is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// The next keepalive ping goes out.
    Ping,
    /// Something must have come since the last ping.
    Pong,
    /// While the connection is open, the next look at whether the peer still says something; then the
    /// closing handshake must be over.
    End,
}

/// One deadline for each [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; 3]);

impl Timers {
    /// Sets `timer` to `delay` after `now`; a delay of never clears it, and so
    /// does one that no clock reaches.
    pub(super) fn set_after(&mut self, timer: Timer, now: Instant, delay: Option<Duration>) {
        self.0[timer as usize] = delay.and_then(|delay| now.checked_add(delay));
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
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
