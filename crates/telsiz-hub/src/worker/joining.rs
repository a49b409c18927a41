//! Joining: subscribe, read the log, merge.

use std::fmt;
use std::sync::Arc;

use super::{Outlet, PAGE, Worker, yield_now};
use crate::engine::{EngineError, Slice};
use crate::event::Signal;
use crate::hub::ReadError;
use crate::member::Member;
use crate::name::RoomName;
use crate::publication::{Position, Publication};

/// A connection on its way into a room: nothing that is published there is missed any more.
/// Dropping it joins nothing.
#[must_use = "nothing was joined yet"]
pub struct Joining<O: Outlet> {
    /// Given up when this is dropped.
    place: Place<O>,
    /// Of the log when it was first read.
    newest: Position,
    recovered: bool,
    /// What was published up to this is known to the member.
    cursor: Position,
    /// What was read and is not yet handed out.
    page: Vec<Arc<Publication>>,
}

/// How far a member has come.
#[must_use]
pub enum Step<O: Outlet> {
    /// These come first, in order. Then go on.
    Missed(Joining<O>, Vec<Arc<Publication>>),
    /// It is in the room.
    Joined(Seat<O>),
}

/// A connection in a room. It leaves when this is dropped, and the others are told.
pub struct Seat<O: Outlet> {
    place: Place<O>,
}

/// Why nothing was joined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// More is published than the member takes: the log does not reach back any more.
    #[error("the log does not reach back to what the member knows")]
    TooSlow,
    /// The engine is to blame.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A claim on a room of a worker, which keeps its subscription.
struct Place<O: Outlet> {
    worker: Arc<Worker<O>>,
    room: RoomName,
    member: Arc<Member>,
    claim: Claim,
    /// Whether a place among the members is kept for it, or may be.
    is_reserved: bool,
    /// Whether the others know that the member is there, or may know.
    is_entered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Joining,
    Seated,
    None,
}

impl<O: Outlet> Joining<O> {
    pub(super) async fn start(
        worker: Arc<Worker<O>>,
        room: &RoomName,
        member: Arc<Member>,
        since: Option<Position>,
    ) -> Result<Self, ReadError> {
        let mut place = Place::take(worker, room.clone(), member, false);
        place.reserve().await?;
        Ok(Self::read(place, since, None).await?)
    }

    /// Begins behind `since` if the log reaches back to that, else behind what the member has
    /// `heard`, else with what is new.
    async fn read(
        place: Place<O>,
        since: Option<Position>,
        heard: Option<Position>,
    ) -> Result<Self, EngineError> {
        let limit = if since.is_some() { PAGE } else { 0 };
        let after = since.as_ref().map_or(u64::MAX, |since| since.seq);
        let slice = place.read(after, limit).await?;
        let newest = slice.newest();
        let since = since.filter(|since| slice.reaches_back_to(since));
        let (recovered, page) = match since {
            Some(_) => (true, slice.publications),
            None => (false, Vec::new()),
        };
        // Whether the log reaches back to what was heard is found out when it has to.
        let cursor = since.or(heard).unwrap_or_else(|| newest.clone());
        Ok(Self {
            place,
            newest,
            recovered,
            cursor,
            page,
        })
    }

    /// The newest position in the log, as it was when this began. With [`Joining::recovered`], and
    /// for whoever joins again, what is missing up to it comes in steps.
    pub fn position(&self) -> Position {
        self.newest.clone()
    }

    /// Whether all that was published since the position that was asked for will come.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// What comes before anything newer, or the seat if that was all. Others who are in
    /// the room are told of the joining then.
    ///
    /// # Errors
    ///
    /// If the log cannot be read, or no longer has what comes next.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future joins nothing.
    pub async fn step(mut self, line: &O::Line) -> Result<Step<O>, JoinError> {
        loop {
            if let Some(last) = self.page.last() {
                self.cursor.seq = last.seq;
                let page = std::mem::take(&mut self.page);
                return Ok(Step::Missed(self, page));
            }
            if self.place.sit_down(&self.cursor, line) {
                self.place.enter().await?;
                return Ok(Step::Joined(Seat { place: self.place }));
            }
            yield_now().await;
            let slice = self.place.read(self.cursor.seq, PAGE).await?;
            if !slice.reaches_back_to(&self.cursor) {
                return Err(JoinError::TooSlow);
            }
            self.page = slice.publications;
        }
    }
}

impl<O: Outlet> Seat<O> {
    /// The room.
    pub fn room(&self) -> &RoomName {
        &self.place.room
    }

    /// Starts to join the same room again, as [`Worker::join`], without leaving it in the eyes
    /// of others. Without `since` it goes on where it was: what is delivered to others meanwhile
    /// is neither lost nor doubled. If the log no longer has what follows, the step that needs it
    /// fails with [`JoinError::TooSlow`]. Whoever was told that it lost something goes on with
    /// what is new.
    ///
    /// # Errors
    ///
    /// If the log cannot be read; then it has left.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the room.
    pub async fn rejoin(self, since: Option<Position>) -> Result<Joining<O>, EngineError> {
        let mut old = self.place;
        let (worker, room, member) = (old.worker.clone(), old.room.clone(), old.member.clone());
        let place = Place::take(worker, room, member, true);
        let heard = old.make_way();
        drop(old);
        Joining::read(place, since, heard).await
    }
}

impl<O: Outlet> Place<O> {
    fn take(worker: Arc<Worker<O>>, room: RoomName, member: Arc<Member>, is_entered: bool) -> Self {
        {
            let mut state = worker.lock();
            state.rooms.entry(room.clone()).or_default().joining += 1;
            // Under the lock: the last one who leaves disconnects under it.
            worker.hub.switchboard.connect(&room, &worker.inbox);
        }
        Self {
            worker,
            room,
            member,
            claim: Claim::Joining,
            is_reserved: false,
            is_entered,
        }
    }

    /// Has a place kept among the members, whose number may be limited: before anybody is told anything,
    /// and where all workers ask.
    async fn reserve(&mut self) -> Result<(), ReadError> {
        let hub = &self.worker.hub;
        let Some(most) = hub.max_members() else {
            return Ok(());
        };
        self.is_reserved = true;
        let presence = hub.engine().presence();
        let connection = self.member.connection;
        match presence.reserve(&self.room, connection, most).await? {
            true => Ok(()),
            false => Err(ReadError::Full { max: most.get() }),
        }
    }

    async fn read(&self, after: u64, limit: usize) -> Result<Slice, EngineError> {
        let engine = self.worker.hub.engine();
        let slice = engine.read(&self.room, after, limit).await?;
        let is_behind = {
            let mut state = self.worker.lock();
            let room = state.rooms.get_mut(&self.room);
            room.is_some_and(|room| room.begin_at(&slice))
        };
        if is_behind {
            let Worker { hub, inbox, .. } = &*self.worker;
            hub.switchboard.mark_behind(&self.room, inbox);
        }
        Ok(slice)
    }

    /// Whether the member is in the room now: it knows all that was delivered there.
    fn sit_down(&mut self, cursor: &Position, line: &O::Line) -> bool {
        let mut state = self.worker.lock();
        let Some(room) = state.rooms.get_mut(&self.room) else {
            return false;
        };
        let is_there = room
            .known()
            .is_some_and(|known| known.epoch == cursor.epoch && known.seq <= cursor.seq);
        if is_there {
            room.joining -= 1;
            state.add(&self.room, self.member.connection, cursor.seq, line.clone());
            self.claim = Claim::Seated;
        }
        is_there
    }

    async fn enter(&mut self) -> Result<(), EngineError> {
        self.is_entered = true;
        let hub = &self.worker.hub;
        let joined = hub.ephemeral(&self.member, Signal::Joined);
        hub.engine().presence().enter(&self.room, joined).await?;
        self.is_reserved = false;
        Ok(())
    }

    /// Gives up its seat while another claim keeps the room; how far the member has come.
    fn make_way(&mut self) -> Option<Position> {
        let mut state = self.worker.lock();
        let heard = state.heard(&self.room, self.member.connection);
        state.remove(&self.room, self.member.connection);
        self.claim = Claim::None;
        self.is_entered = false;
        heard
    }

    /// Gives up its claim on the worker's room.
    fn stand_up(&mut self) {
        let mut state = self.worker.lock();
        match std::mem::replace(&mut self.claim, Claim::None) {
            Claim::Seated => state.remove(&self.room, self.member.connection),
            Claim::Joining => {
                if let Some(room) = state.rooms.get_mut(&self.room) {
                    room.joining -= 1;
                }
            }
            Claim::None => return,
        }
        if let Some(weight) = state.forget_if_empty(&self.room) {
            let Worker { hub, inbox, .. } = &*self.worker;
            hub.switchboard.disconnect(&self.room, inbox);
            inbox.release(weight);
        }
    }
}

impl<O: Outlet> Drop for Place<O> {
    fn drop(&mut self) {
        self.stand_up();
        let hub = &self.worker.hub;
        if self.is_reserved {
            let presence = hub.engine().presence();
            presence.give_up(&self.room, self.member.connection);
        }
        if self.is_entered {
            let left = hub.ephemeral(&self.member, Signal::Left);
            hub.engine().presence().leave(&self.room, left);
        }
    }
}

impl<O: Outlet> fmt::Debug for Joining<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining")
            .field("room", &self.place.room)
            .field("cursor", &self.cursor.seq)
            .finish_non_exhaustive()
    }
}

impl<O: Outlet> fmt::Debug for Seat<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("room", self.room())
            .finish_non_exhaustive()
    }
}

impl<O: Outlet> fmt::Debug for Step<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed(_, missed) => f.debug_tuple("Missed").field(&missed.len()).finish(),
            Self::Joined(seat) => f.debug_tuple("Joined").field(seat).finish(),
        }
    }
}
