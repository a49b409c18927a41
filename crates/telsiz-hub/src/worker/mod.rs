//! The rooms as one worker sees them: it delivers to the members that are with it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Instant;

use self::room::{Batch, Pushed, Room};
use crate::authorize::{Identity, Operation};
use crate::engine::{EngineError, Slice};
use crate::event::Event;
use crate::hub::{Hub, ReadError};
use crate::inbox::{Inbox, Waiting};
use crate::member::{ConnectionId, Member};
use crate::name::RoomName;
use crate::publication::Position;
use crate::shrink::shrink;

pub use self::joining::{JoinError, Joining, Seat, Step};
pub use self::outlet::{Outlet, Wanted};

mod joining;
mod outlet;
mod room;

/// How many publications are read from a log at a time.
const PAGE: usize = 32;

/// Delivers what happens in rooms to the members that are with it.
///
/// A server has one for each of its threads; [`Worker::run`] is polled there, and the
/// connections of that thread join through it. Nothing goes wrong if some do so from other
/// threads.
pub struct Worker<O: Outlet> {
    hub: Arc<Hub>,
    inbox: Arc<Inbox>,
    /// How many members one turn delivers to.
    turn: usize,
    state: Mutex<State<O>>,
}

struct State<O: Outlet> {
    rooms: HashMap<RoomName, Room<O::Line>>,
    /// Rooms with events to deliver, each once.
    ready: VecDeque<RoomName>,
    /// Rooms that have to be read from their logs, each once.
    behind: VecDeque<RoomName>,
    /// What is being delivered right now, and where.
    current: Option<(RoomName, Batch)>,
    /// Since when the first of what was taken out of the inbox waits.
    since: Option<Instant>,
    outlet: O,
}

/// What was delivered to all members.
#[derive(Default)]
struct Done {
    /// What it took in the inbox.
    weight: usize,
    /// Publications that came through the inbox.
    told: u64,
    /// Publications that were read from logs.
    read_again: u64,
}

impl<O: Outlet> Worker<O> {
    pub(crate) fn new(hub: Arc<Hub>, inbox: Arc<Inbox>, turn: usize, outlet: O) -> Self {
        Self {
            hub,
            inbox,
            turn: turn.max(1),
            state: Mutex::new(State {
                rooms: HashMap::new(),
                ready: VecDeque::new(),
                behind: VecDeque::new(),
                current: None,
                since: None,
                outlet,
            }),
        }
    }

    /// The hub.
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// What waits for it or is not yet delivered, in bytes.
    pub fn waiting(&self) -> usize {
        self.inbox.weight()
    }

    /// Delivers, for as long as it is polled. Long deliveries let others run in between.
    ///
    /// # Cancel safety
    ///
    /// Nothing is delivered while it is not polled, and publishers wait; it can be called
    /// again.
    pub async fn run(&self) {
        let mut receipts = Vec::new();
        loop {
            loop {
                let has_more = self.turn();
                // What their publishers heard of that is written with the answers.
                receipts.clear();
                if !has_more {
                    break;
                }
                yield_now().await;
            }
            let was_behind = self.catch_up().await;
            let mut has_waited = false;
            let waiting = poll_fn(|cx| match self.inbox.poll_take(cx) {
                Poll::Pending if was_behind => Poll::Ready(Waiting::default()),
                Poll::Pending => {
                    has_waited = true;
                    Poll::Pending
                }
                taken => taken,
            });
            let mut waiting = waiting.await;
            receipts.append(&mut waiting.receipts);
            let dropped = self.lock().take_in(waiting);
            self.inbox.release(dropped);
            // There may always be more.
            if !has_waited {
                yield_now().await;
            }
        }
    }

    /// Delivers a part of what is there. Whether there is more.
    fn turn(&self) -> bool {
        let mut state = self.lock();
        let mut left = self.turn;
        let mut done = Done::default();
        while left > 0 && state.deliver(&mut left, &mut done) {}
        state.outlet.end_turn();
        self.inbox.release(done.weight);
        self.count(state.since, &done);
        state.current.is_some() || !state.ready.is_empty()
    }

    fn count(&self, since: Option<Instant>, done: &Done) {
        let counts = &self.hub.counts;
        if let Some(since) = since.filter(|_| done.told > 0) {
            let lag = Instant::now().saturating_duration_since(since);
            counts.delivery.observe(lag, done.told);
        }
        if done.read_again > 0 {
            counts
                .read_again
                .fetch_add(done.read_again, Ordering::Relaxed);
        }
    }

    /// Reads from a log a page of what was left out. Whether any room was behind.
    ///
    /// All that was taken in is delivered, and nothing is taken in meanwhile: what is not in
    /// this page and not behind it is told after it was read.
    async fn catch_up(&self) -> bool {
        let caught_up = |name: &RoomName| self.hub.switchboard.caught_up(name, &self.inbox);
        let (name, after) = loop {
            let next = self.lock().next_behind();
            match next {
                None => return false,
                Some((name, Some(after))) => break (name, after),
                // Publishers do not wait for whoever reads the log first.
                Some((name, None)) => caught_up(&name),
            }
        };
        let read = self.hub.engine().read(&name, after, PAGE).await;
        let is_behind = self.lock().continue_with(&name, read);
        if !is_behind {
            caught_up(&name);
        }
        true
    }

    /// Starts to join a room: from now on nothing that is published there is missed. A
    /// connection that is in the room already does so by [`Seat::rejoin`].
    ///
    /// With `since`, what was published after that comes first, if the log still has all of
    /// it ([`Joining::recovered`]).
    ///
    /// # Errors
    ///
    /// If the member may not, the room is full, or the log cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future joins nothing.
    pub async fn join(
        self: &Arc<Self>,
        room: &RoomName,
        member: &Arc<Member>,
        since: Option<Position>,
    ) -> Result<Joining<O>, ReadError> {
        let identity = Identity::Client(&member.user);
        self.hub.authorize(Operation::Join, room, identity)?;
        Joining::start(self.clone(), room, member.clone(), since).await
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        // What a panic of an outlet leaves is a member that did not get an event.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Outlet> State<O> {
    /// Sorts events by rooms. What nobody is there for is dropped; how much that is.
    fn take_in(&mut self, waiting: Waiting) -> usize {
        let mut dropped = 0;
        self.since = waiting.since;
        for (name, event) in waiting.events {
            let weight = event.weight();
            match self.push(&name, event, weight) {
                Pushed::Queued => self.make_ready(&name),
                Pushed::Dropped => dropped += weight,
                Pushed::FellBehind => {
                    dropped += weight;
                    self.fall_behind(&name);
                }
            }
        }
        for name in waiting.behind {
            self.fall_behind(&name);
        }
        dropped
    }

    fn push(&mut self, name: &RoomName, event: Event, weight: usize) -> Pushed {
        let room = self.rooms.get_mut(name);
        room.map_or(Pushed::Dropped, |room| room.push(event, weight))
    }

    fn make_ready(&mut self, name: &RoomName) {
        if let Some(room) = self.rooms.get_mut(name)
            && !std::mem::replace(&mut room.is_ready, true)
        {
            self.ready.push_back(name.clone());
        }
    }

    fn fall_behind(&mut self, name: &RoomName) {
        if let Some(room) = self.rooms.get_mut(name) {
            let was_behind = std::mem::replace(&mut room.is_behind, true);
            // One of which nothing is known stays so, and does not wait for its turn.
            if !was_behind || room.known().is_none() {
                self.behind.push_back(name.clone());
            }
        }
    }

    /// The room that has been behind for the longest, and the number that it continues after.
    /// Without one, nobody is there any more, or nobody has read the log yet: then the first
    /// who does so finds that the room is behind.
    fn next_behind(&mut self) -> Option<(RoomName, Option<u64>)> {
        let name = self.behind.front()?;
        let room = self.rooms.get(name).filter(|room| room.is_behind);
        match room.and_then(Room::known) {
            Some(known) => Some((name.clone(), Some(known.seq))),
            None => self.behind.pop_front().map(|name| (name, None)),
        }
    }

    /// The log of a room that is behind was read. Whether it is still behind.
    fn continue_with(&mut self, name: &RoomName, read: Result<Slice, EngineError>) -> bool {
        if self.behind.front() == Some(name) {
            self.behind.pop_front();
        }
        let Some(room) = self.rooms.get_mut(name) else {
            return false;
        };
        // Another one of that name came in between.
        let Some(known) = room.known().cloned() else {
            return false;
        };
        room.is_behind = false;
        match read {
            Ok(slice) if slice.reaches_back_to(&known) => {
                for publication in slice.publications {
                    // It did not come through the inbox.
                    room.push(Event::Published(publication), 0);
                }
                if room.known().is_some_and(|known| known.seq < slice.head) {
                    self.fall_behind(name);
                }
                self.make_ready(name);
            }
            Ok(slice) => room.start_again(Some(slice.newest()), &mut self.outlet),
            // Nobody knows what it would have said: who reads the log next begins there.
            Err(_) => room.start_again(None, &mut self.outlet),
        }
        self.rooms.get(name).is_some_and(|room| room.is_behind)
    }

    /// Delivers to some members. Whether there is more.
    fn deliver(&mut self, left: &mut usize, done: &mut Done) -> bool {
        if self.current.is_none() {
            self.current = self.next_batch();
        }
        let Some((name, batch)) = &mut self.current else {
            return false;
        };
        let is_done = match self.rooms.get(name) {
            Some(room) => room.deliver(batch, left, &mut self.outlet),
            None => true,
        };
        if is_done {
            done.weight += batch.weight;
            done.told += batch.told;
            done.read_again += batch.read_again;
            self.current = None;
        }
        true
    }

    fn next_batch(&mut self) -> Option<(RoomName, Batch)> {
        loop {
            let name = self.ready.pop_front()?;
            let Some(room) = self.rooms.get_mut(&name) else {
                continue;
            };
            let batch = room.next_batch();
            room.is_ready = room.has_queued();
            if room.is_ready {
                self.ready.push_back(name.clone());
            }
            if !batch.events.is_empty() {
                let alone = self.ready.is_empty();
                self.outlet.begin(&name, &batch.events, alone);
                return Some((name, batch));
            }
        }
    }

    fn add(&mut self, name: &RoomName, connection: ConnectionId, from: u64, line: O::Line) {
        let current = self.current.as_mut().filter(|(current, _)| current == name);
        if let Some(room) = self.rooms.get_mut(name) {
            room.add(connection, from, line, current.map(|(_, batch)| batch));
        }
    }

    fn remove(&mut self, name: &RoomName, connection: ConnectionId) {
        let current = self.current.as_mut().filter(|(current, _)| current == name);
        if let Some(room) = self.rooms.get_mut(name) {
            room.remove(connection, current.map(|(_, batch)| batch));
        }
    }

    /// How far a member has come that may not yet have got all that is queued.
    fn heard(&self, name: &RoomName, connection: ConnectionId) -> Option<Position> {
        let current = self.current.as_ref().filter(|(current, _)| current == name);
        let room = self.rooms.get(name)?;
        room.heard(connection, current.map(|(_, batch)| batch))
    }

    /// Forgets a room that nobody is in; what its events take in the inbox.
    fn forget_if_empty(&mut self, name: &RoomName) -> Option<usize> {
        let is_empty = self.rooms.get(name).is_some_and(Room::is_empty);
        let room = is_empty.then(|| self.rooms.remove(name)).flatten()?;
        shrink(&mut self.rooms);
        // It is not meant for those who come next.
        let current = self.current.take_if(|(current, _)| current == name);
        Some(room.weight() + current.map_or(0, |(_, batch)| batch.weight))
    }
}

/// Lets others run.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

impl<O: Outlet> Drop for Worker<O> {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl<O: Outlet> fmt::Debug for Worker<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::authorize::AllowAll;
    use crate::engine::{Appended, Memory, PublishError, Subscriber};
    use crate::hub::HubOptions;
    use crate::retention::Retention;
    use crate::testing::{clock, member, now, room, stored};

    /// Counts what was delivered.
    struct Counted(usize);

    impl Outlet for Counted {
        type Line = ();

        fn begin(&mut self, _: &RoomName, _: &[Event], _: bool) {}

        fn deliver(&mut self, (): &(), events: &[Event], wanted: Wanted) {
            let delivered = (0..events.len()).filter(|index| wanted.has(*index));
            self.0 += delivered.count();
        }

        fn end_turn(&mut self) {}

        fn lose(&mut self, (): &()) {}
    }

    type Heard = oneshot::Receiver<Result<Appended, PublishError>>;

    /// A worker, a seat with it, and what a publisher waits for whose room that is.
    fn published() -> (Arc<Worker<Counted>>, Seat<Counted>, Heard) {
        let clock = clock(0).0;
        let memory = Memory::new("e", clock.clone(), Retention::default(), 500);
        let hub = Hub::new(Arc::new(memory), AllowAll, clock, HubOptions::default());
        let worker = hub.worker(Counted(0));
        let (name, member) = (room("a"), member(1, "u"));
        let seat = now(Box::pin(async {
            let joining = worker.join(&name, &member, None).await.expect("it joins");
            match joining.step(&()).await.expect("it joins") {
                Step::Joined(seat) => seat,
                Step::Missed(..) => panic!("nothing was said"),
            }
        }));
        let (news, mut heard) = stored(&name, 1);
        hub.switchboard.stored(vec![news]);
        assert_eq!(heard.try_recv(), Err(TryRecvError::Empty));
        (worker, seat, heard)
    }

    #[test]
    fn publishers_go_on_after_the_members_heard() {
        let (worker, _seat, mut heard) = published();
        let mut running = pin!(worker.run());
        let mut cx = Context::from_waker(Waker::noop());
        while heard.try_recv().is_err() {
            assert!(running.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(worker.lock().outlet.0, 1);
    }

    #[test]
    fn publishers_go_on_when_the_worker_is_gone() {
        let (worker, seat, mut heard) = published();
        drop((seat, worker));
        assert!(heard.try_recv().is_ok());
    }
}
