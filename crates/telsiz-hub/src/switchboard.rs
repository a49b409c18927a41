//! Which workers of a node hear of which room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Subscriber;
use crate::event::Event;
use crate::inbox::Inbox;
use crate::name::RoomName;

/// The workers of a node, by the rooms that somebody with them is in.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    routes: Mutex<HashMap<RoomName, Vec<Arc<Inbox>>>>,
}

impl Switchboard {
    /// From now on `inbox` gets the events of `room`.
    pub(crate) fn connect(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        let mut routes = self.lock();
        let inboxes = routes.entry(room.clone()).or_default();
        if !inboxes.iter().any(|known| Arc::ptr_eq(known, inbox)) {
            inboxes.push(inbox.clone());
        }
    }

    /// No more.
    pub(crate) fn disconnect(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        let mut routes = self.lock();
        if let Some(inboxes) = routes.get_mut(room) {
            inboxes.retain(|known| !Arc::ptr_eq(known, inbox));
            if inboxes.is_empty() {
                routes.remove(room);
            }
        }
    }

    /// Waits until the workers that hear of `room` keep up.
    pub(crate) async fn wait_for_room(&self, room: &RoomName) {
        while let Some(full) = self.full_inbox(room) {
            full.wait_for_room().await;
        }
    }

    fn full_inbox(&self, room: &RoomName) -> Option<Arc<Inbox>> {
        let routes = self.lock();
        let mut inboxes = routes.get(room)?.iter();
        inboxes.find(|inbox| !inbox.has_room()).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomName, Vec<Arc<Inbox>>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Switchboard {
    fn event(&self, room: &RoomName, event: Event) {
        let routes = self.lock();
        for inbox in routes.get(room).into_iter().flatten() {
            inbox.push(room, event.clone());
        }
    }
}
