//! Rooms: who is in them, what was said, and who gets it.
//!
//! A **room** is a name, its members, and a log. What is published in a room has
//! a [`Position`] in its log: an epoch, and a number that counts from 1 without
//! gaps. A member that comes back with the last position it knows gets exactly
//! what it missed, once and in order, or is told that this is no longer possible.
//! What has no position ([`Signal`]: joins, leaves, typing, status) is never stored.
//!
//! **Publishing never delivers.** [`Hub::publish`] appends to the log of the
//! [`Engine`] and comes back when that is durable. The engine tells its
//! subscribers, in the order of the log: that order is the order of the room for
//! everyone. Delivery is by levels, so that a publication crosses to a worker once and
//! not once for each member:
//!
//! ```text
//! Engine → Switchboard (of the node) → Inbox (of a worker) → Worker → Outlet (of a connection)
//! ```
//!
//! Every queue between them is bounded. A room whose events did not fit is read again
//! from the log: nothing is lost and nothing grows.
//!
//! Nothing here knows of sockets, of JSON, of threads or of the time of day: times
//! come from a [`Clock`], and a worker runs where its futures are polled.

pub use self::authorize::{AllowAll, Authorize, Forbidden, Identity, Operation};
pub use self::clock::{Clock, Timestamp};
pub use self::engine::{
    Appended, BoxFuture, Disk, DiskOptions, Durability, Engine, EngineError, HistoryPage, Memory,
    OpenError, Presence, PublishError, Receipt, Slice, Stored, Subscriber,
};
pub use self::event::{Ephemeral, Event, Signal, Status, Told};
pub use self::figures::{Distribution, EngineFigures, Figures, Publishing};
pub use self::hub::{Hub, HubOptions, ReadError};
pub use self::member::{ConnectionId, Listing, Member, RoomSummary, User};
pub use self::name::{InvalidName, MAX_NAME, Named, RoomName};
pub use self::publication::{Draft, Epoch, IdempotencyKey, InvalidKey, Position, Publication};
pub use self::retention::{Keep, Pattern, Retention};
pub use self::worker::{JoinError, Joining, Outlet, Seat, Step, Wanted, Worker};

mod authorize;
mod clock;
mod engine;
mod event;
mod figures;
mod hub;
mod inbox;
mod member;
mod name;
mod publication;
mod retention;
mod shrink;
mod switchboard;
#[cfg(test)]
mod testing;
mod worker;
