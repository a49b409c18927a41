//! Who may do what in which room.

use crate::member::User;
use crate::name::RoomName;

/// What somebody wants to do in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Join it, and hear what happens.
    Join,
    /// Publish.
    Publish,
    /// Read what was published.
    History,
    /// See who is there.
    Members,
    /// Let the others see that somebody types, or is away.
    Signal,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A client that said who it is.
    Client(&'a User),
    /// A program that asks over HTTP.
    Http,
}

/// It may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not allowed")]
pub struct Forbidden;

/// Decides who may do what. Every way into a room asks it.
pub trait Authorize: Send + Sync + 'static {
    /// Whether `identity` may do this in `room`.
    ///
    /// # Errors
    ///
    /// [`Forbidden`] if not.
    fn authorize(
        &self,
        operation: Operation,
        room: &RoomName,
        identity: Identity<'_>,
    ) -> Result<(), Forbidden>;
}

/// Everybody may do everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Authorize for AllowAll {
    fn authorize(&self, _: Operation, _: &RoomName, _: Identity<'_>) -> Result<(), Forbidden> {
        Ok(())
    }
}
