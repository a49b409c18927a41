//! What a hub stands on: the logs of its rooms, who is in them, and the way to other nodes.

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::event::{Ephemeral, Event};
use crate::figures::EngineFigures;
use crate::member::{ConnectionId, Listing, RoomSummary};
use crate::name::RoomName;
use crate::publication::{Draft, Epoch, Position, Publication};

pub use self::disk::{Disk, DiskOptions, Durability, OpenError};
pub use self::memory::Memory;

mod disk;
pub(crate) mod local;
mod memory;

/// A future that may go to another thread.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The logs of rooms, and who is in them.
///
/// What was appended is told to all subscribers, in the order of the log, and never before
/// it is in the log. Whoever reads a log after it subscribed sees everything that
/// it was not told.
pub trait Engine: fmt::Debug + Send + Sync + 'static {
    /// From now on tells `subscriber` what happens in all rooms.
    fn attach(&self, subscriber: Arc<dyn Subscriber>);

    /// Appends to the log of a room. It comes back when that is durable, which the
    /// subscribers may know before.
    ///
    /// # Errors
    ///
    /// Nothing was appended, unless [`EngineError::Failed`] says that nobody knows.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether it is appended; with an idempotency key
    /// it can be tried again.
    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>>;

    /// Reads the log of a room from behind `after`, at most `limit` publications. What was
    /// published lately is there without waiting. `after` comes from a client: it may be any
    /// number.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    fn read<'a>(
        &'a self,
        room: &'a RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Slice, EngineError>>;

    /// Reads a page of the log of a room; page 1 is the newest.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    fn page<'a>(
        &'a self,
        room: &'a RoomName,
        page: usize,
        per_page: usize,
    ) -> BoxFuture<'a, Result<HistoryPage, EngineError>>;

    /// Who is in the rooms.
    fn presence(&self) -> &dyn Presence;

    /// Gives back what old publications and empty rooms take. To be called now and then.
    fn tidy(&self);

    /// Whether it can append.
    ///
    /// # Errors
    ///
    /// Why not.
    fn ready(&self) -> Result<(), EngineError>;

    /// What it counts.
    fn figures(&self) -> EngineFigures {
        EngineFigures::default()
    }

    /// Writes what is still to be written and stops, however long that takes. Later calls fail with
    /// [`EngineError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future only ends the waiting: it stops all the same.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Who is in the rooms, on all nodes.
pub trait Presence: Send + Sync {
    /// Keeps a place in a room for a connection that is on its way there, unless those who are there and
    /// those on their way are `most`: whether there is one. [`Presence::enter`] takes it.
    ///
    /// # Errors
    ///
    /// If that cannot be told.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether a place is kept; giving it up is harmless either way.
    fn reserve<'a>(
        &'a self,
        room: &'a RoomName,
        connection: ConnectionId,
        most: NonZeroUsize,
    ) -> BoxFuture<'a, Result<bool, EngineError>>;

    /// A connection does not come after all. Harmless if no place is kept for it.
    fn give_up(&self, room: &RoomName, connection: ConnectionId);

    /// A connection joins a room; the others there are told, unless there are too many.
    ///
    /// # Errors
    ///
    /// If that cannot be noted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether it joined; leaving is harmless either way.
    fn enter<'a>(
        &'a self,
        room: &'a RoomName,
        joined: Arc<Ephemeral>,
    ) -> BoxFuture<'a, Result<(), EngineError>>;

    /// A connection leaves a room; the others are told, unless there are too many. Harmless
    /// if it is not there.
    fn leave(&self, room: &RoomName, left: Arc<Ephemeral>);

    /// Tells the members of a room, unless there are too many.
    fn announce(&self, room: &RoomName, event: Arc<Ephemeral>);

    /// The first connections in a room.
    fn members(&self, room: &RoomName, limit: usize)
    -> BoxFuture<'_, Result<Listing, EngineError>>;

    /// The first users in a room, each with one of its connections.
    fn users(&self, room: &RoomName, limit: usize) -> BoxFuture<'_, Result<Listing, EngineError>>;

    /// The rooms that somebody is in, ordered by name: at most `limit` behind the first
    /// `skip`; and how many there are.
    fn rooms(
        &self,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<RoomSummary>, usize), EngineError>>;

    /// How many rooms somebody is in, as far as this is known without asking anybody.
    fn room_count(&self) -> usize;

    /// How many connections are in rooms, counted in each, as far as this is known without asking
    /// anybody.
    fn member_count(&self) -> usize;

    /// The rooms that a connection is in, in the order of joining.
    fn rooms_of(
        &self,
        connection: ConnectionId,
    ) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>>;

    /// The rooms that any connection of a user is in, but those with so many members that
    /// they are told nothing.
    fn rooms_that_hear(&self, user: &str) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>>;
}

/// Who is told what happens in rooms.
pub trait Subscriber: Send + Sync {
    /// Something happened in `room`. It must not wait, nor call the engine.
    fn event(&self, room: &RoomName, event: Event);

    /// All this was stored together, in the order of each room's log. Receipts are to be
    /// dropped soon, best after the members heard of it.
    fn stored(&self, stored: Vec<Stored>) {
        for Stored {
            room,
            event,
            receipt,
        } in stored
        {
            self.event(&room, event);
            drop(receipt);
        }
    }
}

/// A publication that was just stored.
#[derive(Debug)]
pub struct Stored {
    /// Where.
    pub room: RoomName,
    /// What happened there.
    pub event: Event,
    /// For its publisher.
    pub receipt: Receipt,
}

/// That a publication is stored. Its publisher hears so, and goes on, when this is dropped: there
/// must be none before.
#[derive(Debug)]
pub struct Receipt {
    appended: Appended,
    done: Option<oneshot::Sender<Result<Appended, PublishError>>>,
}

impl Receipt {
    pub(crate) fn new(
        appended: Appended,
        done: oneshot::Sender<Result<Appended, PublishError>>,
    ) -> Self {
        Self {
            appended,
            done: Some(done),
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            // It may have given up.
            let _ = done.send(Ok(self.appended.clone()));
        }
    }
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where it stands in the log.
    pub position: Position,
    /// Whether it stood there already, from a publishing with the same key.
    pub repeated: bool,
}

/// A part of the log of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Of the log.
    pub epoch: Epoch,
    /// The number of the newest; 0 if nothing was published yet.
    pub head: u64,
    /// The number of the oldest that is kept; the one after the newest if none is.
    pub oldest: u64,
    /// In order, without gaps.
    pub publications: Vec<Arc<Publication>>,
}

impl Slice {
    /// The position of the newest.
    pub(crate) fn newest(&self) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq: self.head,
        }
    }

    /// Whether the log knows `position`, and all that came after it.
    pub fn reaches_back_to(&self, position: &Position) -> bool {
        position.epoch == self.epoch && position.seq <= self.head && self.oldest <= position.seq + 1
    }
}

/// A page of the log of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryPage {
    /// Oldest first.
    pub publications: Vec<Arc<Publication>>,
    /// How many pages there are, at least 1.
    pub total_pages: usize,
}

impl HistoryPage {
    /// Which of `kept` publications stand on a page, as a range from the oldest, and how many
    /// pages there are.
    pub(crate) fn range(
        kept: usize,
        page: usize,
        per_page: usize,
    ) -> (std::ops::Range<usize>, usize) {
        let per_page = per_page.max(1);
        let behind = page.saturating_sub(1).saturating_mul(per_page);
        let end = kept.saturating_sub(behind);
        let range = end.saturating_sub(per_page)..end;
        (range, kept.div_ceil(per_page).max(1))
    }
}

/// Why nothing was published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] crate::authorize::Forbidden),
    /// Too much is waiting to be written: try again later.
    #[error("too much is waiting to be written; try again")]
    Busy,
    /// Its text is longer than the hub accepts.
    #[error("the text is longer than {max} bytes")]
    TooLarge {
        /// The most bytes of a text.
        max: usize,
    },
    /// The engine is to blame.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What is wrong with an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// It was closed.
    #[error("the server is stopping")]
    Closed,
    /// Storing or reading failed; the text says what and what to do.
    #[error("{0}")]
    Failed(Arc<str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_count_from_the_newest_and_the_last_one_may_be_short() {
        for (kept, page, per_page, range, total) in [
            (0, 1, 50, 0..0, 1),
            (1, 1, 50, 0..1, 1),
            (100, 1, 50, 50..100, 2),
            (100, 2, 50, 0..50, 2),
            (100, 3, 50, 0..0, 2),
            (101, 3, 50, 0..1, 3),
            (3, usize::MAX, 2, 0..0, 2),
            (3, 0, 0, 2..3, 3),
        ] {
            assert_eq!(HistoryPage::range(kept, page, per_page), (range, total));
        }
    }

    #[test]
    fn a_log_reaches_back_to_a_position_if_it_has_all_that_came_after() {
        let epoch = Epoch::new("e");
        let slice = |oldest, head| Slice {
            epoch: epoch.clone(),
            head,
            oldest,
            publications: Vec::new(),
        };
        let at = |seq| Position {
            epoch: epoch.clone(),
            seq,
        };
        assert!(slice(1, 0).reaches_back_to(&at(0)), "nothing was published");
        assert!(
            slice(3, 5).reaches_back_to(&at(2)),
            "the next one is the oldest"
        );
        assert!(!slice(3, 5).reaches_back_to(&at(1)));
        assert!(slice(6, 5).reaches_back_to(&at(5)), "nothing was missed");
        assert!(!slice(6, 5).reaches_back_to(&at(4)), "it was given up");
        assert!(!slice(1, 5).reaches_back_to(&at(6)), "beyond the newest");
        let other = Position {
            epoch: Epoch::new("f"),
            seq: 5,
        };
        assert!(!slice(1, 5).reaches_back_to(&other));
    }
}
