//! What engines have in common that serve one process: who is in the rooms, and who is told.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{BoxFuture, EngineError, Presence, Stored, Subscriber};
use crate::event::{Ephemeral, Event};
use crate::member::{ConnectionId, Listing, Member, RoomSummary};
use crate::name::RoomName;
use crate::shrink::shrink;

/// Who is in the rooms of a process, and who is told what happens there.
#[derive(Default)]
pub(crate) struct Local {
    announce_limit: usize,
    subscribers: RwLock<Vec<Arc<dyn Subscriber>>>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    rooms: BTreeMap<RoomName, Room>,
    /// In the order of joining, each with its number, by which it is found among thousands.
    connections: HashMap<ConnectionId, VecDeque<(u64, RoomName)>>,
    /// Of the last joining.
    number: u64,
    /// How many connections are in rooms, counted in each.
    members: usize,
    /// The connections of a user that are in a room.
    users: HashMap<Arc<str>, Vec<ConnectionId>>,
    /// For whom a place is kept, where rooms are limited.
    expected: HashMap<RoomName, BTreeSet<ConnectionId>>,
}

/// Never empty.
#[derive(Default)]
struct Room {
    members: BTreeMap<ConnectionId, Entered>,
    users: BTreeMap<Arc<str>, Tabs>,
}

/// A connection in one room.
struct Entered {
    member: Arc<Member>,
    /// Of its joining.
    number: u64,
}

/// The connections of a user in one room.
struct Tabs {
    /// The one that came last.
    newest: Arc<Member>,
    count: usize,
}

impl Local {
    /// Rooms with more than `announce_limit` connections are told nothing that has no
    /// position.
    pub(crate) fn new(announce_limit: usize) -> Self {
        Self {
            announce_limit,
            ..Self::default()
        }
    }

    pub(crate) fn attach(&self, subscriber: Arc<dyn Subscriber>) {
        let mut all = self
            .subscribers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        all.push(subscriber);
    }

    /// Tells all subscribers.
    pub(crate) fn tell(&self, room: &RoomName, event: Event) {
        let all = self
            .subscribers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for subscriber in &*all {
            subscriber.event(room, event.clone());
        }
    }

    /// Tells all subscribers what was stored. One of them passes on the receipts.
    pub(crate) fn tell_stored(&self, stored: Vec<Stored>) {
        let all = self
            .subscribers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let Some((first, others)) = all.split_first() else {
            return;
        };
        for other in others {
            for Stored { room, event, .. } in &stored {
                other.event(room, event.clone());
            }
        }
        first.stored(stored);
    }

    /// Whether somebody is in `room`.
    pub(crate) fn has_members(&self, room: &RoomName) -> bool {
        self.lock().rooms.contains_key(room)
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // No panic of ours leaves the tables half changed.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hears(&self, connections: usize) -> bool {
        (1..=self.announce_limit).contains(&connections)
    }
}

impl Tables {
    /// Whether there is a place for one more.
    fn reserve(&mut self, name: &RoomName, connection: ConnectionId, most: usize) -> bool {
        let (room, expected) = (self.rooms.get(name), self.expected.get(name));
        if room.is_some_and(|room| room.members.contains_key(&connection))
            || expected.is_some_and(|expected| expected.contains(&connection))
        {
            return true;
        }
        let here = room.map_or(0, |room| room.members.len());
        let coming = expected.map_or(0, BTreeSet::len);
        let has_room = here + coming < most;
        if has_room {
            let expected = self.expected.entry(name.clone()).or_default();
            expected.insert(connection);
        }
        has_room
    }

    fn give_up(&mut self, name: &RoomName, connection: ConnectionId) {
        if let Some(expected) = self.expected.get_mut(name) {
            expected.remove(&connection);
            if expected.is_empty() {
                self.expected.remove(name);
                shrink(&mut self.expected);
            }
        }
    }

    /// How many connections are in the room then.
    fn enter(&mut self, name: &RoomName, member: &Arc<Member>) -> usize {
        if !self.expected.is_empty() {
            self.give_up(name, member.connection);
        }
        let room = self.rooms.entry(name.clone()).or_default();
        match room.members.entry(member.connection) {
            Entry::Occupied(mut known) => known.get_mut().member = member.clone(),
            Entry::Vacant(place) => {
                self.number += 1;
                self.members += 1;
                place.insert(Entered {
                    member: member.clone(),
                    number: self.number,
                });
                let rooms = self.connections.entry(member.connection);
                // Most are in one room.
                let rooms = rooms.or_insert_with(|| VecDeque::with_capacity(1));
                if rooms.is_empty() {
                    let user = self.users.entry(member.user.id.clone()).or_default();
                    user.push(member.connection);
                }
                rooms.push_back((self.number, name.clone()));
                let tabs = room.users.entry(member.user.id.clone());
                let tabs = tabs.or_insert_with(|| Tabs {
                    newest: member.clone(),
                    count: 0,
                });
                tabs.newest = member.clone();
                tabs.count += 1;
            }
        }
        room.members.len()
    }

    /// How many connections are in the room then, if it was there.
    fn leave(&mut self, name: &RoomName, connection: ConnectionId) -> Option<usize> {
        let room = self.rooms.get_mut(name)?;
        let Entered { member, number } = room.members.remove(&connection)?;
        self.members -= 1;
        if let Some(tabs) = room.users.get_mut(&member.user.id) {
            tabs.count -= 1;
            if tabs.count == 0 {
                room.users.remove(&member.user.id);
            } else if tabs.newest.connection == connection {
                let others = self.users.get(&member.user.id).into_iter().flatten();
                let newest = others.rev().find_map(|other| room.members.get(other));
                tabs.newest = newest.map_or(member.clone(), |other| other.member.clone());
            }
        }
        let left = room.members.len();
        if left == 0 {
            self.rooms.remove(name);
        }
        if let Some(rooms) = self.connections.get_mut(&connection) {
            if let Ok(place) = rooms.binary_search_by_key(&number, |(number, _)| *number) {
                rooms.remove(place);
            }
            if rooms.is_empty() {
                self.connections.remove(&connection);
                shrink(&mut self.connections);
                self.forget(&member);
            }
        }
        Some(left)
    }

    fn forget(&mut self, member: &Member) {
        if let Some(connections) = self.users.get_mut(&member.user.id) {
            connections.retain(|known| *known != member.connection);
            if connections.is_empty() {
                self.users.remove(&member.user.id);
                shrink(&mut self.users);
            }
        }
    }
}

impl Room {
    fn listing(&self, members: Vec<Arc<Member>>) -> Listing {
        Listing {
            members,
            connections: self.members.len(),
            users: self.users.len(),
        }
    }
}

fn now<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, EngineError>> {
    Box::pin(std::future::ready(Ok(value)))
}

impl Presence for Local {
    fn reserve<'a>(
        &'a self,
        room: &'a RoomName,
        connection: ConnectionId,
        most: NonZeroUsize,
    ) -> BoxFuture<'a, Result<bool, EngineError>> {
        now(self.lock().reserve(room, connection, most.get()))
    }

    fn give_up(&self, room: &RoomName, connection: ConnectionId) {
        self.lock().give_up(room, connection);
    }

    fn enter<'a>(
        &'a self,
        room: &'a RoomName,
        joined: Arc<Ephemeral>,
    ) -> BoxFuture<'a, Result<(), EngineError>> {
        let connections = self.lock().enter(room, &joined.origin);
        if self.hears(connections) {
            self.tell(room, Event::Ephemeral(joined));
        }
        now(())
    }

    fn leave(&self, room: &RoomName, left: Arc<Ephemeral>) {
        let connections = self.lock().leave(room, left.origin.connection);
        if connections.is_some_and(|connections| self.hears(connections)) {
            self.tell(room, Event::Ephemeral(left));
        }
    }

    fn announce(&self, room: &RoomName, event: Arc<Ephemeral>) {
        let connections = self
            .lock()
            .rooms
            .get(room)
            .map_or(0, |room| room.members.len());
        if self.hears(connections) {
            self.tell(room, Event::Ephemeral(event));
        }
    }

    fn members(
        &self,
        room: &RoomName,
        limit: usize,
    ) -> BoxFuture<'_, Result<Listing, EngineError>> {
        let tables = self.lock();
        now(tables
            .rooms
            .get(room)
            .map_or_else(Listing::default, |room| {
                let members = room.members.values().take(limit);
                room.listing(members.map(|entered| entered.member.clone()).collect())
            }))
    }

    fn users(&self, room: &RoomName, limit: usize) -> BoxFuture<'_, Result<Listing, EngineError>> {
        let tables = self.lock();
        now(tables
            .rooms
            .get(room)
            .map_or_else(Listing::default, |room| {
                let users = room.users.values().take(limit);
                room.listing(users.map(|tabs| tabs.newest.clone()).collect())
            }))
    }

    fn rooms(
        &self,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<(Vec<RoomSummary>, usize), EngineError>> {
        let tables = self.lock();
        let rooms = tables.rooms.iter().skip(skip).take(limit);
        let rooms = rooms.map(|(name, room)| RoomSummary {
            name: name.clone(),
            connections: room.members.len(),
            users: room.users.len(),
        });
        now((rooms.collect(), tables.rooms.len()))
    }

    fn room_count(&self) -> usize {
        self.lock().rooms.len()
    }

    fn member_count(&self) -> usize {
        self.lock().members
    }

    fn rooms_of(
        &self,
        connection: ConnectionId,
    ) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>> {
        let tables = self.lock();
        let rooms = tables.connections.get(&connection).into_iter().flatten();
        now(rooms.map(|(_, name)| name.clone()).collect())
    }

    fn rooms_that_hear(&self, user: &str) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>> {
        let tables = self.lock();
        let connections = tables.users.get(user).into_iter().flatten();
        let mut rooms: Vec<_> = connections
            .filter_map(|connection| tables.connections.get(connection))
            .flatten()
            .map(|(_, name)| name)
            .filter(|name| {
                let room = tables.rooms.get(*name);
                room.is_some_and(|room| self.hears(room.members.len()))
            })
            .cloned()
            .collect();
        rooms.sort_unstable();
        rooms.dedup();
        now(rooms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Signal;
    use crate::testing::{member, now, room, signal};

    /// How often it was told something.
    #[derive(Default)]
    struct Ear(Mutex<usize>);

    impl Subscriber for Ear {
        fn event(&self, _: &RoomName, _: Event) {
            *self.0.lock().expect("no panic") += 1;
        }
    }

    impl Ear {
        fn told(&self) -> usize {
            std::mem::take(&mut *self.0.lock().expect("no panic"))
        }
    }

    fn enter(local: &Local, name: &str, who: &Arc<Member>) {
        let joined = signal(who, Signal::Joined);
        now(local.enter(&room(name), joined)).expect("it enters");
    }

    fn leave(local: &Local, name: &str, who: &Arc<Member>) {
        local.leave(&room(name), signal(who, Signal::Left));
    }

    fn users(local: &Local, name: &str) -> (Vec<u64>, usize, usize) {
        let listing = now(local.users(&room(name), 9)).expect("a listing");
        let members = listing.members.iter().map(|member| member.connection.0);
        (members.collect(), listing.connections, listing.users)
    }

    #[test]
    fn users_are_listed_once_with_the_newest_connection_that_is_there() {
        let local = Local::new(500);
        let tabs = [1, 2, 3].map(|tab| member(tab, "ali"));
        let other = member(4, "bora");
        for who in tabs.iter().chain([&other]) {
            enter(&local, "a", who);
        }
        assert_eq!(users(&local, "a"), (vec![3, 4], 4, 2));
        leave(&local, "a", &tabs[0]);
        assert_eq!(users(&local, "a"), (vec![3, 4], 3, 2));
        leave(&local, "a", &tabs[2]);
        assert_eq!(users(&local, "a"), (vec![2, 4], 2, 2));
        leave(&local, "a", &tabs[1]);
        leave(&local, "a", &tabs[1]);
        assert_eq!(users(&local, "a"), (vec![4], 1, 1));
        leave(&local, "a", &other);
        assert_eq!(users(&local, "a"), (vec![], 0, 0));
        let tables = local.lock();
        assert!(
            tables.rooms.is_empty() && tables.connections.is_empty() && tables.users.is_empty()
        );
    }

    #[test]
    fn entering_again_counts_once() {
        let local = Local::new(500);
        let who = member(1, "ali");
        enter(&local, "a", &who);
        enter(&local, "a", &who);
        enter(&local, "b", &who);
        assert_eq!(users(&local, "a"), (vec![1], 1, 1));
        assert_eq!((local.room_count(), local.member_count()), (2, 2));
        leave(&local, "a", &who);
        leave(&local, "a", &who);
        assert_eq!(users(&local, "a"), (vec![], 0, 0));
        assert_eq!((local.room_count(), local.member_count()), (1, 1));
    }

    #[test]
    fn places_are_kept_for_those_on_their_way() {
        let local = Local::new(500);
        let ways = [1, 2, 3].map(|tab| member(tab, "ali"));
        for most in 1..=3 {
            let reserve = |way: &Arc<Member>| {
                let most = NonZeroUsize::new(most).expect("some");
                now(local.reserve(&room("a"), way.connection, most)).expect("an answer")
            };
            let had = ways.each_ref().map(reserve);
            assert_eq!(had, [1, 2, 3].map(|way| way <= most), "{most}");
            assert_eq!(users(&local, "a"), (vec![], 0, 0), "nobody is there yet");
            // Its place becomes a seat, and its seat a place for another one.
            enter(&local, "a", &ways[0]);
            assert!(reserve(&ways[0]), "it is there");
            assert_eq!(reserve(&ways[2]), most == 3);
            leave(&local, "a", &ways[0]);
            assert!(reserve(&ways[2]));
            for way in &ways {
                local.give_up(&room("a"), way.connection);
            }
            assert!(local.lock().expected.is_empty());
        }
    }

    #[test]
    fn listings_are_cut_and_counts_are_not() {
        let local = Local::new(500);
        for connection in 1..=5 {
            enter(
                &local,
                "a",
                &member(connection, &format!("u{}", connection % 3)),
            );
        }
        let listing = now(local.members(&room("a"), 2)).expect("a listing");
        let listed: Vec<_> = listing
            .members
            .iter()
            .map(|member| member.connection.0)
            .collect();
        assert_eq!(
            (listed, listing.connections, listing.users),
            (vec![1, 2], 5, 3)
        );
        let listing = now(local.users(&room("a"), 2)).expect("a listing");
        assert_eq!(
            (listing.members.len(), listing.connections, listing.users),
            (2, 5, 3)
        );
        let nobody = now(local.members(&room("b"), 2)).expect("a listing");
        assert_eq!(nobody, Listing::default());
    }

    #[test]
    fn rooms_are_paged_by_name() {
        let local = Local::new(500);
        let who = member(1, "ali");
        for name in ["c", "a", "d", "b"] {
            enter(&local, name, &who);
        }
        let page = |skip, limit| {
            let (rooms, count) = now(local.rooms(skip, limit)).expect("rooms");
            let names: Vec<_> = rooms.iter().map(|room| room.name.to_string()).collect();
            (names.concat(), count)
        };
        assert_eq!(page(0, 3), ("abc".into(), 4));
        assert_eq!(page(3, 3), ("d".into(), 4));
        assert_eq!(page(usize::MAX, 3), (String::new(), 4));
        let rooms = now(local.rooms_of(ConnectionId(1))).expect("rooms");
        let rooms: Vec<_> = rooms.iter().map(RoomName::as_str).collect();
        assert_eq!(rooms, ["c", "a", "d", "b"], "in the order of joining");
        let rooms = || {
            let rooms = now(local.rooms_of(ConnectionId(1))).expect("rooms");
            let rooms = rooms.iter().map(RoomName::as_str);
            rooms.collect::<Vec<_>>().concat()
        };
        enter(&local, "c", &who);
        leave(&local, "a", &who);
        assert_eq!(rooms(), "cdb");
        enter(&local, "a", &who);
        leave(&local, "c", &who);
        assert_eq!(rooms(), "dba");
    }

    #[test]
    fn rooms_with_more_than_the_limit_are_told_nothing() {
        let local = Local::new(500);
        let ear = Arc::<Ear>::default();
        local.attach(ear.clone());
        let all: Vec<_> = (1..=501)
            .map(|connection| member(connection, "u"))
            .collect();
        for who in &all[..499] {
            enter(&local, "a", who);
        }
        assert_eq!(ear.told(), 499);
        let typing = |told: usize| {
            local.announce(&room("a"), signal(&all[0], Signal::Typing));
            assert_eq!(ear.told(), told);
            let rooms = now(local.rooms_that_hear("u")).expect("rooms");
            assert_eq!(rooms.len(), told);
        };
        typing(1);
        enter(&local, "a", &all[499]);
        assert_eq!(ear.told(), 1, "500 are not too many");
        typing(1);
        enter(&local, "a", &all[500]);
        assert_eq!(ear.told(), 0, "501 are");
        typing(0);
        leave(&local, "a", &all[500]);
        assert_eq!(ear.told(), 1, "500 are left");
        typing(1);
    }

    #[test]
    fn nobody_is_told_of_an_empty_room() {
        let local = Local::new(500);
        let ear = Arc::<Ear>::default();
        local.attach(ear.clone());
        let who = member(1, "ali");
        local.announce(&room("a"), signal(&who, Signal::Typing));
        leave(&local, "a", &who);
        assert_eq!(ear.told(), 0);
        enter(&local, "a", &who);
        leave(&local, "a", &who);
        assert_eq!(ear.told(), 1, "the last one leaves nobody behind");
    }

    #[test]
    fn rooms_hear_of_a_user_by_any_of_its_connections_each_once() {
        let local = Local::new(500);
        for (connection, user, name) in [
            (1, "ali", "b"),
            (1, "ali", "a"),
            (2, "ali", "b"),
            (2, "ali", "c"),
            (3, "bora", "d"),
        ] {
            enter(&local, name, &member(connection, user));
        }
        let rooms = |user| {
            let rooms = now(local.rooms_that_hear(user)).expect("rooms");
            rooms
                .iter()
                .map(RoomName::as_str)
                .collect::<Vec<_>>()
                .concat()
        };
        assert_eq!(rooms("ali"), "abc");
        leave(&local, "c", &member(2, "ali"));
        assert_eq!(rooms("ali"), "ab");
        assert_eq!(rooms("cem"), "");
    }
}
