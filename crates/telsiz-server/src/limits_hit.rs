//! Which limits were hit, and how often.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A limit that a client may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The bytes of a message.
    MessageSize,
    /// The fragments of a message.
    Fragments,
    /// The messages of a connection in some time.
    MessageRate,
    /// The rooms of a connection.
    Rooms,
    /// The members of a room.
    Members,
    /// What rooms and users may be called, as it is configured.
    Name,
    /// The bytes of a publication.
    PublishSize,
    /// The reads of the history of a connection in some time.
    HistoryRate,
    /// The connections of all clients.
    Connections,
    /// The connections of an address.
    ConnectionsPerAddress,
    /// The handshakes of all clients in a second.
    Handshakes,
}

impl Limit {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::MessageSize,
        Self::Fragments,
        Self::MessageRate,
        Self::Rooms,
        Self::Members,
        Self::Name,
        Self::PublishSize,
        Self::HistoryRate,
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Handshakes,
    ];

    /// What it is called in figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MessageSize => "message_size",
            Self::Fragments => "fragments",
            Self::MessageRate => "message_rate",
            Self::Rooms => "rooms",
            Self::Members => "members",
            Self::Name => "name",
            Self::PublishSize => "publish_size",
            Self::HistoryRate => "history_rate",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshakes => "handshakes",
        }
    }
}

/// Counts the limits that were hit. Cloning counts a reference.
#[derive(Clone, Debug)]
pub(crate) struct LimitsHit(Arc<[AtomicU64; Limit::ALL.len()]>);

impl LimitsHit {
    /// Counts that somebody hit `limit`.
    pub(crate) fn count(&self, limit: Limit) {
        self.0[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each was hit.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Limit, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        Limit::ALL.into_iter().zip(counts)
    }
}

impl Default for LimitsHit {
    fn default() -> Self {
        Self(Arc::new(array::from_fn(|_| AtomicU64::new(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_counted_by_itself() {
        let hit = LimitsHit::default();
        for (times, limit) in Limit::ALL.into_iter().enumerate() {
            for _ in 0..times {
                hit.clone().count(limit);
            }
        }
        let counts: Vec<_> = hit.counts().collect();
        let expected: Vec<_> = Limit::ALL.into_iter().zip(0..).collect();
        assert_eq!(counts, expected);
    }
}
