//! The rooms of a node.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::authorize::{Authorize, Forbidden, Identity, Operation};
use crate::clock::Clock;
use crate::engine::{Appended, Engine, EngineError, HistoryPage, PublishError};
use crate::event::{Ephemeral, Signal, Status, Told};
use crate::figures::{Counts, Figures, Publishing};
use crate::inbox::Inbox;
use crate::member::{ConnectionId, Listing, Member, RoomSummary, User};
use crate::name::RoomName;
use crate::publication::Draft;
use crate::switchboard::Switchboard;
use crate::worker::{Outlet, Worker};

/// The rooms of a node: what its workers and its HTTP side ask.
pub struct Hub {
    engine: Arc<dyn Engine>,
    authorize: Box<dyn Authorize>,
    clock: Clock,
    options: HubOptions,
    last_connection: AtomicU64,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) counts: Counts,
    /// Of the workers that there are.
    inboxes: Mutex<Vec<Weak<Inbox>>>,
}

/// Settings of a [`Hub`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubOptions {
    /// How much may wait for a worker, in bytes; 16 MiB by default.
    pub inbox: usize,
    /// To how many members a worker delivers before it lets others run; 512 by default.
    pub turn: usize,
    /// The number of the node: connections of different nodes have different ids.
    pub node: u16,
    /// The most connections in a room; any number by default.
    pub max_members: Option<NonZeroUsize>,
    /// The most bytes of a text that is published; any number by default.
    pub max_text: Option<NonZeroUsize>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            inbox: 16 * 1024 * 1024,
            turn: 512,
            node: 0,
            max_members: None,
            max_text: None,
        }
    }
}

/// Why somebody does not see what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// So many are in the room, or on their way there, that nobody else is let in.
    #[error("the room is full: {max} are in it")]
    Full {
        /// The most connections in a room.
        max: usize,
    },
    /// The engine is to blame.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Hub {
    /// A hub on `engine`.
    pub fn new(
        engine: Arc<dyn Engine>,
        authorize: impl Authorize,
        clock: Clock,
        options: HubOptions,
    ) -> Arc<Self> {
        let switchboard = Arc::<Switchboard>::default();
        engine.attach(switchboard.clone());
        Arc::new(Self {
            engine,
            authorize: Box::new(authorize),
            clock,
            options,
            last_connection: AtomicU64::new(u64::from(options.node) << 48),
            switchboard,
            counts: Counts::default(),
            inboxes: Mutex::default(),
        })
    }

    /// Its engine.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// What time it is.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A new connection of `user`, which is in no room yet.
    pub fn new_member(&self, user: User) -> Arc<Member> {
        let last = self.last_connection.fetch_add(1, Ordering::Relaxed);
        Arc::new(Member {
            connection: ConnectionId(last + 1),
            user,
            connected_at: self.clock.now(),
        })
    }

    /// A worker that delivers through `outlet`; see [`Worker::run`].
    pub fn worker<O: Outlet>(self: &Arc<Self>, outlet: O) -> Arc<Worker<O>> {
        let HubOptions { inbox, turn, .. } = self.options;
        let inbox = Arc::new(Inbox::new(inbox));
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        inboxes.retain(|known| known.strong_count() > 0);
        inboxes.push(Arc::downgrade(&inbox));
        drop(inboxes);
        Arc::new(Worker::new(self.clone(), inbox, turn, outlet))
    }

    /// Asks whether `identity` may do this.
    ///
    /// # Errors
    ///
    /// [`Forbidden`] if not.
    pub fn authorize(
        &self,
        operation: Operation,
        room: &RoomName,
        identity: Identity<'_>,
    ) -> Result<(), Forbidden> {
        self.authorize.authorize(operation, room, identity)
    }

    /// Publishes in a room, as soon as the workers that hear of it keep up and have read what
    /// they left out. It comes back when that is durable; the members of the room may know a
    /// moment before.
    ///
    /// # Errors
    ///
    /// If nothing was published.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves open whether it is published; with an idempotency key
    /// it can be tried again.
    pub async fn publish(
        &self,
        identity: Identity<'_>,
        room: &RoomName,
        draft: Draft,
    ) -> Result<Appended, PublishError> {
        if let Err(forbidden) = self.authorize(Operation::Publish, room, identity) {
            self.counts.publishing(Publishing::Forbidden);
            return Err(forbidden.into());
        }
        if let Some(max) = self.options.max_text.map(NonZeroUsize::get)
            && draft.text.len() > max
        {
            self.counts.publishing(Publishing::TooLarge);
            return Err(PublishError::TooLarge { max });
        }
        let _pass = self.switchboard.wait_for_room(room).await;
        let published = self.engine.publish(room, draft).await;
        self.counts.publishing(match &published {
            Ok(appended) if appended.repeated => Publishing::Repeated,
            Ok(_) => Publishing::Stored,
            Err(PublishError::Forbidden(_)) => Publishing::Forbidden,
            Err(PublishError::TooLarge { .. }) => Publishing::TooLarge,
            Err(PublishError::Busy) => Publishing::Busy,
            Err(PublishError::Engine(_)) => Publishing::Failed,
        });
        published
    }

    /// What it counts.
    pub fn figures(&self) -> Figures {
        let (waiting, oldest) = self.waiting();
        let presence = self.engine.presence();
        Figures {
            rooms: presence.room_count(),
            members: presence.member_count(),
            waiting,
            oldest,
            engine: self.engine.figures(),
            ..self.counts.figures()
        }
    }

    /// What waits for the workers or is not yet delivered, in bytes; and for how long the oldest
    /// of it has waited.
    pub fn waiting(&self) -> (usize, Duration) {
        let inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let inboxes: Vec<_> = inboxes.iter().filter_map(Weak::upgrade).collect();
        let oldest = inboxes.iter().filter_map(|inbox| inbox.oldest()).min();
        let age = |since| Instant::now().saturating_duration_since(since);
        (
            inboxes.iter().map(|inbox| inbox.weight()).sum(),
            oldest.map_or(Duration::ZERO, age),
        )
    }

    /// A page of what was published in a room; page 1 is the newest.
    ///
    /// # Errors
    ///
    /// If it may not be seen, or cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn history(
        &self,
        identity: Identity<'_>,
        room: &RoomName,
        page: usize,
        per_page: usize,
    ) -> Result<HistoryPage, ReadError> {
        self.authorize(Operation::History, room, identity)?;
        Ok(self.engine.page(room, page, per_page).await?)
    }

    /// The first connections in a room.
    ///
    /// # Errors
    ///
    /// If they may not be seen.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn members(
        &self,
        identity: Identity<'_>,
        room: &RoomName,
        limit: usize,
    ) -> Result<Listing, ReadError> {
        self.authorize(Operation::Members, room, identity)?;
        Ok(self.engine.presence().members(room, limit).await?)
    }

    /// The first users in a room, each with one of its connections.
    ///
    /// # Errors
    ///
    /// If they may not be seen.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn users(
        &self,
        identity: Identity<'_>,
        room: &RoomName,
        limit: usize,
    ) -> Result<Listing, ReadError> {
        self.authorize(Operation::Members, room, identity)?;
        Ok(self.engine.presence().users(room, limit).await?)
    }

    /// The rooms that somebody is in, ordered by name, at most `limit` behind the first `skip`;
    /// and how many there are.
    ///
    /// # Errors
    ///
    /// If the engine cannot tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn rooms(
        &self,
        skip: usize,
        limit: usize,
    ) -> Result<(Vec<RoomSummary>, usize), EngineError> {
        self.engine.presence().rooms(skip, limit).await
    }

    /// How many rooms somebody is in, as far as this is known without asking anybody.
    pub fn room_count(&self) -> usize {
        self.engine.presence().room_count()
    }

    /// The rooms that a connection is in.
    ///
    /// # Errors
    ///
    /// If the engine cannot tell.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn rooms_of(&self, connection: ConnectionId) -> Result<Vec<RoomName>, EngineError> {
        self.engine.presence().rooms_of(connection).await
    }

    /// Tells the others in a room that a member is typing, unless they are too many.
    ///
    /// # Errors
    ///
    /// If it may not.
    pub fn typing(&self, room: &RoomName, member: &Arc<Member>) -> Result<(), Forbidden> {
        self.authorize(Operation::Signal, room, Identity::Client(&member.user))?;
        let typing = self.ephemeral(member, Signal::Typing);
        self.engine.presence().announce(room, typing);
        Ok(())
    }

    /// Tells everyone who is in a room with the user of `member` that it is here or away: each
    /// connection once, `member` itself not.
    ///
    /// # Errors
    ///
    /// If the engine cannot tell which rooms these are.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future tells nobody.
    pub async fn set_status(
        &self,
        member: &Arc<Member>,
        status: Status,
    ) -> Result<(), EngineError> {
        let presence = self.engine.presence();
        let rooms = presence.rooms_that_hear(&member.user.id).await?;
        let identity = Identity::Client(&member.user);
        let may = |room: &&RoomName| self.authorize(Operation::Signal, room, identity).is_ok();
        let signal = Signal::Status {
            status,
            told: Told::default(),
        };
        let event = self.ephemeral(member, signal);
        for room in rooms.iter().filter(may) {
            presence.announce(room, event.clone());
        }
        Ok(())
    }

    /// The most connections in a room.
    pub(crate) fn max_members(&self) -> Option<NonZeroUsize> {
        self.options.max_members
    }

    pub(crate) fn ephemeral(&self, origin: &Arc<Member>, signal: Signal) -> Arc<Ephemeral> {
        Arc::new(Ephemeral {
            origin: origin.clone(),
            time: self.clock.now(),
            signal,
        })
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
