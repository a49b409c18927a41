//! Why upgrades became no WebSockets, and how often.

use telsiz::Unopened;

use crate::tally::Tally;

/// Why an upgrade became no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It did not get through TLS.
    Tls,
    /// Its head was not there in time.
    Timeout,
    /// It is no HTTP.
    Malformed,
    /// It breaks the rules of the handshake.
    Handshake,
    /// Nothing is served on its path.
    NoRoute,
    /// It is of a page from another origin.
    Origin,
    /// Its address lacks something, or has something wrong.
    Address,
}

/// Counts the upgrades that became no WebSockets, but those that hit a limit.
#[derive(Debug, Default)]
pub(crate) struct Refused(Tally<{ Reason::ALL.len() }>);

impl Reason {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Tls,
        Self::Timeout,
        Self::Malformed,
        Self::Handshake,
        Self::NoRoute,
        Self::Origin,
        Self::Address,
    ];

    /// What it is called in figures.
    fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::Handshake => "handshake",
            Self::NoRoute => "no_route",
            Self::Origin => "origin",
            Self::Address => "address",
        }
    }
}

impl From<Unopened> for Reason {
    fn from(why: Unopened) -> Self {
        match why {
            Unopened::Tls => Self::Tls,
            Unopened::Timeout => Self::Timeout,
            Unopened::Malformed => Self::Malformed,
            Unopened::NoRoute => Self::NoRoute,
            _ => Self::Handshake,
        }
    }
}

impl Refused {
    /// One more.
    pub(crate) fn count(&self, reason: impl Into<Reason>) {
        self.0.count(reason.into() as usize);
    }

    /// How often each was the reason.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reason::ALL
            .map(Reason::name)
            .into_iter()
            .zip(self.0.counts())
    }
}
