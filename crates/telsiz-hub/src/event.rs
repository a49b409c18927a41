//! What happens in a room.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::member::{ConnectionId, Member};
use crate::publication::Publication;

/// What happens in a room. Cloning counts a reference.
#[derive(Clone, Debug)]
pub enum Event {
    /// Something was published: it stands in the log.
    Published(Arc<Publication>),
    /// Something that is never stored, and may be lost.
    Ephemeral(Arc<Ephemeral>),
}

/// What has no place in the log.
#[derive(Debug)]
pub struct Ephemeral {
    /// Whose doing it is. It does not get this itself.
    pub origin: Arc<Member>,
    /// When.
    pub time: Timestamp,
    /// What.
    pub signal: Signal,
}

/// What somebody in a room does besides publishing.
#[derive(Debug)]
pub enum Signal {
    /// A connection joined.
    Joined,
    /// A connection left, however that happened.
    Left,
    /// Somebody is typing.
    Typing,
    /// Somebody is here or away. All rooms that hear of it share the event.
    Status {
        /// Which.
        status: Status,
        /// Whoever was told in one room is not told again in another.
        told: Told,
    },
}

/// The connections that were told something.
#[derive(Debug, Default)]
pub struct Told(Mutex<HashSet<ConnectionId>>);

impl Told {
    /// Whether this is the first time that this connection is told.
    pub(crate) fn first_time(&self, connection: ConnectionId) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(connection)
    }
}

/// Whether somebody pays attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// Yes.
    #[default]
    Online,
    /// No.
    Away,
}

impl Event {
    /// About what is taken by the room that this takes in a queue, in bytes.
    pub(crate) fn weight(&self) -> usize {
        const EVENT: usize = 256;
        match self {
            Self::Published(publication) => EVENT + publication.text.len(),
            Self::Ephemeral(_) => EVENT,
        }
    }
}
