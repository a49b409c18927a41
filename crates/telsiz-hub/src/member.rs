//! Who is in a room.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::name::RoomName;

/// Who somebody is. Cloning counts references.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// What tells users apart.
    pub id: Arc<str>,
    /// What they are called.
    pub name: Arc<str>,
}

impl User {
    /// A user.
    pub fn new(id: &str, name: &str) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
        }
    }
}

/// What tells connections apart, on all nodes. Later ones of a node are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// A connection that is in a room, or may be. Each joins and leaves for itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Member {
    /// The connection.
    pub connection: ConnectionId,
    /// Whose it is.
    pub user: User,
    /// Since when it is open.
    pub connected_at: Timestamp,
}

/// Some of those who are in a room, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The first of them.
    pub members: Vec<Arc<Member>>,
    /// How many connections are there.
    pub connections: usize,
    /// How many users are there.
    pub users: usize,
}

/// A room that somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSummary {
    /// Its name.
    pub name: RoomName,
    /// How many connections are there.
    pub connections: usize,
    /// How many users are there.
    pub users: usize,
}
