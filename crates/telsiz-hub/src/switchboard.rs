//! Which workers of a node hear of which room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::Subscriber;
use crate::event::Event;
use crate::inbox::Inbox;
use crate::name::RoomName;
use crate::shrink::shrink;

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
                shrink(&mut routes);
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

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::testing::{published, room};

    fn taken(inbox: &Inbox) -> usize {
        match inbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(waiting) => {
                inbox.release(256 * waiting.events.len());
                waiting.events.len()
            }
            Poll::Pending => 0,
        }
    }

    #[test]
    fn those_hear_of_a_room_who_are_connected_each_once() {
        let switchboard = Switchboard::default();
        let (a, b) = (room("a"), room("b"));
        let (one, two) = (Arc::new(Inbox::new(4096)), Arc::new(Inbox::new(4096)));
        for (room, inbox) in [(&a, &one), (&a, &one), (&a, &two), (&b, &two)] {
            switchboard.connect(room, inbox);
        }
        let say = |room, heard: [usize; 2]| {
            switchboard.event(room, published(1));
            assert_eq!([taken(&one), taken(&two)], heard, "{room}");
        };
        say(&a, [1, 1]);
        say(&b, [0, 1]);
        switchboard.disconnect(&a, &one);
        switchboard.disconnect(&b, &one);
        say(&a, [0, 1]);
        say(&b, [0, 1]);
        switchboard.disconnect(&a, &two);
        switchboard.disconnect(&b, &two);
        say(&a, [0, 0]);
        assert!(
            switchboard.lock().is_empty(),
            "rooms of nobody are forgotten"
        );
    }

    #[test]
    fn publishers_wait_for_those_who_hear_of_the_room_only() {
        let switchboard = Switchboard::default();
        let (a, b) = (room("a"), room("b"));
        let (slow, idle) = (Arc::new(Inbox::new(256)), Arc::new(Inbox::new(256)));
        for (room, inbox) in [(&a, &idle), (&a, &slow), (&b, &idle)] {
            switchboard.connect(room, inbox);
        }
        slow.push(&a, published(1));
        let mut cx = Context::from_waker(Waker::noop());
        let mut in_a = std::pin::pin!(switchboard.wait_for_room(&a));
        let mut in_b = std::pin::pin!(switchboard.wait_for_room(&b));
        let mut in_c = std::pin::pin!(switchboard.wait_for_room(&b));
        assert!(in_b.as_mut().poll(&mut cx).is_ready());
        assert!(in_c.as_mut().poll(&mut cx).is_ready());
        assert!(in_a.as_mut().poll(&mut cx).is_pending());
        slow.release(256);
        assert!(in_a.as_mut().poll(&mut cx).is_ready());
    }
}
