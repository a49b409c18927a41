//! What happens in a room.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::member::{ConnectionId, Member};
use crate::name::RoomName;
use crate::publication::Publication;

/// What happens in a room. Cloning counts a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something was published: it stands in the log.
    Published(Arc<Publication>),
    /// Something that is never stored, and may be lost.
    Ephemeral(Arc<Ephemeral>),
}

/// What has no place in the log.
#[derive(Debug, PartialEq, Eq)]
pub struct Ephemeral {
    /// Whose doing it is. It does not get this itself.
    pub origin: Arc<Member>,
    /// When.
    pub time: Timestamp,
    /// What.
    pub signal: Signal,
}

/// What somebody in a room does besides publishing.
#[derive(Debug, PartialEq, Eq)]
pub enum Signal {
    /// A connection joined.
    Joined,
    /// A connection left, however that happened.
    Left,
    /// Somebody is typing.
    Typing,
    /// Somebody is here or away. Whoever is in several of `rooms` gets it in the first of
    /// them only.
    Status {
        /// Which.
        status: Status,
        /// All rooms that hear of it.
        rooms: Arc<[RoomName]>,
    },
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
