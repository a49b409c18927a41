//! What the server did that it must not.

use std::fmt;

/// What the server did that it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A log went on in another epoch.
    AnotherEpoch {
        room: String,
        known: String,
        told: String,
    },
    /// Two messages stand at one place.
    Contradiction {
        room: String,
        seq: u64,
        known: String,
        told: String,
    },
    /// One message stands at two places.
    Twice {
        room: String,
        places: (u64, u64),
        told: String,
    },
    /// A log ends before a message that was delivered or acknowledged.
    Forgotten {
        room: String,
        newest: u64,
        known: u64,
    },
    /// A history does not reach back as far as is promised.
    ShortHistory {
        room: String,
        shown: usize,
        newest: u64,
    },
    /// Something is missing between two messages.
    Gap { room: String, last: u64, told: u64 },
    /// A message comes again, or behind a newer one.
    Again { room: String, last: u64, told: u64 },
    /// Who came back did not get what the log still has.
    NotRecovered {
        room: String,
        since: u64,
        newest: u64,
    },
    /// Who came back with a position that cannot be is said to have got everything.
    RecoveredFromNowhere { room: String },
    /// A message of a room comes to a connection that is not in it.
    Uninvited { room: String, told: u64 },
    /// Anything else.
    Other(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnotherEpoch { room, known, told } => {
                write!(f, "{room}: the epoch was {known} and is {told}")
            }
            Self::Contradiction {
                room,
                seq,
                known,
                told,
            } => write!(f, "{room}: at {seq} stands `{known}`, and now `{told}`"),
            Self::Twice { room, places, told } => {
                let (first, second) = places;
                write!(f, "{room}: `{told}` stands at {first} and at {second}")
            }
            Self::Forgotten {
                room,
                newest,
                known,
            } => write!(
                f,
                "{room}: the log ends at {newest}, but {known} was delivered or acknowledged"
            ),
            Self::ShortHistory {
                room,
                shown,
                newest,
            } => write!(
                f,
                "{room}: the history has {shown} messages, and the newest is {newest}"
            ),
            Self::Gap { room, last, told } => write!(f, "{room}: {told} follows {last}: a gap"),
            Self::Again { room, last, told } => write!(
                f,
                "{room}: {told} follows {last}: a duplicate or out of order"
            ),
            Self::NotRecovered {
                room,
                since,
                newest,
            } => write!(
                f,
                "{room}: not recovered since {since}, though the newest is {newest}"
            ),
            Self::RecoveredFromNowhere { room } => {
                write!(f, "{room}: recovered since a position that never was")
            }
            Self::Uninvited { room, told } => {
                write!(f, "{room}: {told} comes to who is not in the room")
            }
            Self::Other(what) => f.write_str(what),
        }
    }
}
