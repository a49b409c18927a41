//! What engines have in common that serve one process: who is in the rooms, and who is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{BoxFuture, EngineError, Presence, Subscriber};
use crate::event::{Ephemeral, Event};
use crate::member::{ConnectionId, Listing, Member, RoomSummary};
use crate::name::RoomName;

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
    /// In the order of joining.
    connections: HashMap<ConnectionId, Vec<RoomName>>,
    /// The connections of a user that are in a room.
    users: HashMap<Arc<str>, Vec<ConnectionId>>,
}

/// Never empty.
#[derive(Default)]
struct Room {
    members: BTreeMap<ConnectionId, Arc<Member>>,
    users: BTreeMap<Arc<str>, Tabs>,
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
    /// How many connections are in the room then.
    fn enter(&mut self, name: &RoomName, member: &Arc<Member>) -> usize {
        let room = self.rooms.entry(name.clone()).or_default();
        if room
            .members
            .insert(member.connection, member.clone())
            .is_none()
        {
            let rooms = self.connections.entry(member.connection).or_default();
            if rooms.is_empty() {
                let user = self.users.entry(member.user.id.clone()).or_default();
                user.push(member.connection);
            }
            rooms.push(name.clone());
            let tabs = room.users.entry(member.user.id.clone());
            let tabs = tabs.or_insert_with(|| Tabs {
                newest: member.clone(),
                count: 0,
            });
            tabs.newest = member.clone();
            tabs.count += 1;
        }
        room.members.len()
    }

    /// How many connections are in the room then, if it was there.
    fn leave(&mut self, name: &RoomName, connection: ConnectionId) -> Option<usize> {
        let room = self.rooms.get_mut(name)?;
        let member = room.members.remove(&connection)?;
        if let Some(tabs) = room.users.get_mut(&member.user.id) {
            tabs.count -= 1;
            if tabs.count == 0 {
                room.users.remove(&member.user.id);
            } else if tabs.newest.connection == connection {
                let others = self.users.get(&member.user.id).into_iter().flatten();
                let newest = others.rev().find_map(|other| room.members.get(other));
                tabs.newest = newest.unwrap_or(&member).clone();
            }
        }
        let left = room.members.len();
        if left == 0 {
            self.rooms.remove(name);
        }
        if let Some(rooms) = self.connections.get_mut(&connection) {
            rooms.retain(|known| known != name);
            if rooms.is_empty() {
                self.connections.remove(&connection);
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
                room.listing(room.members.values().take(limit).cloned().collect())
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

    fn rooms_of(
        &self,
        connection: ConnectionId,
    ) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>> {
        now(self
            .lock()
            .connections
            .get(&connection)
            .cloned()
            .unwrap_or_default())
    }

    fn rooms_that_hear(&self, user: &str) -> BoxFuture<'_, Result<Vec<RoomName>, EngineError>> {
        let tables = self.lock();
        let connections = tables.users.get(user).into_iter().flatten();
        let mut rooms: Vec<_> = connections
            .filter_map(|connection| tables.connections.get(connection))
            .flatten()
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
