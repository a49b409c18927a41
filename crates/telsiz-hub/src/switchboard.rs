//! Which workers of a node hear of which room, and for which of them publishers wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::engine::{Receipt, Stored, Subscriber};
use crate::event::Event;
use crate::inbox::Inbox;
use crate::name::RoomName;
use crate::shrink::shrink;

/// How many publishers go on at once that had to wait: much less than what a log keeps, so
/// that those who all waited for the same do not leave its members behind for good.
const AT_ONCE: usize = 32;

/// The workers of a node, by the rooms that somebody with them is in.
#[derive(Debug)]
pub(crate) struct Switchboard {
    routes: Mutex<HashMap<RoomName, Vec<Route>>>,
    waited: Semaphore,
}

/// A worker that hears of a room.
#[derive(Debug)]
struct Route {
    inbox: Arc<Inbox>,
    /// While the room is behind there. Who waits for the end of that, waits for this to be dropped.
    behind: Option<watch::Sender<()>>,
}

/// What a publisher has to wait for.
enum Slow {
    Full(Arc<Inbox>),
    Behind(watch::Receiver<()>),
}

impl Default for Switchboard {
    fn default() -> Self {
        Self {
            routes: Mutex::default(),
            waited: Semaphore::new(AT_ONCE),
        }
    }
}

impl Route {
    fn push(&mut self, room: &RoomName, event: Event, receipt: Option<Receipt>) {
        if self.inbox.push(room, event, receipt) {
            self.fall_behind();
        }
    }

    fn fall_behind(&mut self) {
        self.behind.get_or_insert_with(|| watch::Sender::new(()));
    }

    fn slow(&self) -> Option<Slow> {
        match &self.behind {
            Some(behind) => Some(Slow::Behind(behind.subscribe())),
            None if self.inbox.has_room() => None,
            None => Some(Slow::Full(self.inbox.clone())),
        }
    }
}

impl Slow {
    async fn wait(self) {
        match self {
            Self::Full(inbox) => inbox.wait_for_room().await,
            // Nothing is ever sent.
            Self::Behind(mut behind) => drop(behind.changed().await),
        }
    }
}

impl Switchboard {
    /// From now on `inbox` gets the events of `room`.
    pub(crate) fn connect(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        let mut routes = self.lock();
        let routes = routes.entry(room.clone()).or_default();
        if !routes.iter().any(|route| Arc::ptr_eq(&route.inbox, inbox)) {
            routes.push(Route {
                inbox: inbox.clone(),
                behind: None,
            });
        }
    }

    /// No more.
    pub(crate) fn disconnect(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        let mut routes = self.lock();
        if let Some(known) = routes.get_mut(room) {
            known.retain(|route| !Arc::ptr_eq(&route.inbox, inbox));
            if known.is_empty() {
                routes.remove(room);
                shrink(&mut routes);
            }
        }
    }

    /// The worker is to read the log of `room`, which is behind until it has done so.
    pub(crate) fn mark_behind(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        if let Some(route) = route(&mut self.lock(), room, inbox) {
            route.fall_behind();
            inbox.mark_behind(room);
        }
    }

    /// The worker has read all that it knows to have been left out of `room`, or cannot.
    pub(crate) fn caught_up(&self, room: &RoomName, inbox: &Arc<Inbox>) {
        let mut routes = self.lock();
        let route = route(&mut routes, room, inbox);
        // Under the lock under which more is left out.
        let behind = route.and_then(|route| route.behind.take_if(|_| !inbox.is_behind(room)));
        drop(routes);
        drop(behind);
    }

    /// Waits until the workers that hear of `room` keep up and none of them is behind. What
    /// comes back is to be kept until the publication is in the log.
    pub(crate) async fn wait_for_room(&self, room: &RoomName) -> Option<SemaphorePermit<'_>> {
        let slow = self.slow(room)?;
        // Few wait: the futures of the others stay small.
        Box::pin(self.wait(room, slow)).await
    }

    async fn wait(&self, room: &RoomName, mut slow: Slow) -> Option<SemaphorePermit<'_>> {
        loop {
            slow.wait().await;
            let pass = self.waited.acquire().await.ok();
            match self.slow(room) {
                Some(still) => slow = still,
                None => return pass,
            }
        }
    }

    fn slow(&self, room: &RoomName) -> Option<Slow> {
        self.lock().get(room)?.iter().find_map(Route::slow)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RoomName, Vec<Route>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Switchboard {
    fn event(&self, room: &RoomName, event: Event) {
        let mut routes = self.lock();
        for route in routes.get_mut(room).into_iter().flatten() {
            route.push(room, event.clone(), None);
            route.inbox.wake();
        }
    }

    /// The receipts are dropped by workers, whose own connections wait for most of them. Each
    /// worker is woken once.
    fn stored(&self, stored: Vec<Stored>) {
        let mut told: Vec<Arc<Inbox>> = Vec::new();
        let mut routes = self.lock();
        for Stored {
            room,
            event,
            receipt,
        } in stored
        {
            let mut receipt = Some(receipt);
            for route in routes.get_mut(&room).into_iter().flatten() {
                route.push(&room, event.clone(), receipt.take());
                if !told.iter().any(|told| Arc::ptr_eq(told, &route.inbox)) {
                    told.push(route.inbox.clone());
                }
            }
        }
        drop(routes);
        for inbox in told {
            inbox.wake();
        }
    }
}

fn route<'a>(
    routes: &'a mut HashMap<RoomName, Vec<Route>>,
    room: &RoomName,
    inbox: &Arc<Inbox>,
) -> Option<&'a mut Route> {
    let mut routes = routes.get_mut(room)?.iter_mut();
    routes.find(|route| Arc::ptr_eq(&route.inbox, inbox))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;
    use crate::testing::{published, room, stored};

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
    fn publishers_hear_that_it_is_stored_from_one_worker_or_at_once_if_there_is_none() {
        let switchboard = Switchboard::default();
        let (a, b, nowhere) = (room("a"), room("b"), room("nowhere"));
        let (one, two) = (Arc::new(Inbox::new(4096)), Arc::new(Inbox::new(256)));
        for (room, inbox) in [(&a, &one), (&a, &two), (&b, &two)] {
            switchboard.connect(room, inbox);
        }
        let told = [(&a, 1), (&nowhere, 1), (&b, 1), (&b, 2)];
        let (stored, mut heard): (Vec<_>, Vec<_>) = told
            .map(|(room, seq)| stored(room, seq))
            .into_iter()
            .unzip();
        switchboard.stored(stored);
        let mut heard = || -> Vec<_> {
            let heard = heard.iter_mut().map(|heard| heard.try_recv().is_ok());
            heard.collect()
        };
        assert_eq!(heard(), [false, true, false, false]);
        let mut taken = [&one, &two].map(|inbox| {
            match inbox.poll_take(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(waiting) => waiting,
                Poll::Pending => panic!("it was told"),
            }
        });
        let told = taken
            .each_ref()
            .map(|taken| (taken.events.len(), taken.receipts.len()));
        // The second has room for one only, and reads the rest.
        assert_eq!(told, [(1, 1), (1, 2)]);
        assert_eq!(taken[1].behind, [b].into());
        taken[0].receipts.clear();
        assert_eq!(heard(), [true, false, false, false]);
        taken[1].receipts.clear();
        assert_eq!(heard(), [false, false, true, true]);
    }

    #[test]
    fn what_is_stored_together_wakes_a_worker_once() {
        let switchboard = Switchboard::default();
        let a = room("a");
        let inbox = Arc::new(Inbox::new(4096));
        switchboard.connect(&a, &inbox);
        let woken = Arc::new(Woken(AtomicBool::default()));
        let waker = Waker::from(woken.clone());
        let mut cx = Context::from_waker(&waker);
        assert!(inbox.poll_take(&mut cx).is_pending());
        let (stored, _heard): (Vec<_>, Vec<_>) = (1..=3).map(|seq| stored(&a, seq)).unzip();
        switchboard.stored(stored);
        assert!(woken.0.load(Ordering::Relaxed));
        assert_eq!(taken(&inbox), 3, "when all of it is there");
    }

    #[test]
    fn publishers_wait_for_those_who_hear_of_the_room_only() {
        let switchboard = Switchboard::default();
        let (a, b) = (room("a"), room("b"));
        let (slow, idle) = (Arc::new(Inbox::new(256)), Arc::new(Inbox::new(256)));
        for (room, inbox) in [(&a, &idle), (&a, &slow), (&b, &idle)] {
            switchboard.connect(room, inbox);
        }
        slow.push(&a, published(1), None);
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

    /// A future that is polled only when it was woken.
    struct Task<'a, T> {
        future: Pin<Box<dyn Future<Output = T> + 'a>>,
        woken: Arc<Woken>,
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl<'a, T> Task<'a, T> {
        fn new(future: impl Future<Output = T> + 'a) -> Self {
            Self {
                future: Box::pin(future),
                woken: Arc::new(Woken(true.into())),
            }
        }
    }

    /// Polls those who were woken until nobody is; what those give who are done.
    fn passed<T>(tasks: &mut Vec<Task<'_, T>>) -> Vec<T> {
        let mut passed = Vec::new();
        let is_woken = |task: &Task<'_, T>| task.woken.0.swap(false, Ordering::Relaxed);
        while let Some(at) = tasks.iter().position(is_woken) {
            let waker = tasks[at].woken.clone().into();
            let future = tasks[at].future.as_mut();
            if let Poll::Ready(value) = future.poll(&mut Context::from_waker(&waker)) {
                passed.push(value);
                tasks.remove(at);
            }
        }
        passed
    }

    /// An inbox that is connected to `a` and has left out something of it.
    fn behind(switchboard: &Switchboard) -> Arc<Inbox> {
        let inbox = Arc::new(Inbox::new(256));
        switchboard.connect(&room("a"), &inbox);
        switchboard.event(&room("a"), published(1));
        switchboard.event(&room("a"), published(2));
        inbox
    }

    #[test]
    fn publishers_of_a_room_wait_until_it_is_behind_nowhere() {
        let switchboard = Switchboard::default();
        let (a, b) = (room("a"), room("b"));
        let inboxes = [behind(&switchboard), behind(&switchboard)];
        switchboard.connect(&b, &inboxes[0]);
        let mut cx = Context::from_waker(Waker::noop());
        let mut in_a = std::pin::pin!(switchboard.wait_for_room(&a));
        assert!(in_a.as_mut().poll(&mut cx).is_pending());
        for inbox in &inboxes {
            assert_eq!(taken(inbox), 1);
            assert!(inbox.has_room());
        }
        assert!(in_a.as_mut().poll(&mut cx).is_pending(), "both read");
        let mut in_b = std::pin::pin!(switchboard.wait_for_room(&b));
        assert!(in_b.as_mut().poll(&mut cx).is_ready());
        switchboard.caught_up(&a, &inboxes[0]);
        assert!(in_a.as_mut().poll(&mut cx).is_pending(), "one reads");
        switchboard.caught_up(&b, &inboxes[1]);
        assert!(in_a.as_mut().poll(&mut cx).is_pending(), "another room");
        switchboard.caught_up(&a, &inboxes[1]);
        assert!(in_a.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn a_room_has_not_caught_up_if_more_was_left_out_meanwhile() {
        let switchboard = Switchboard::default();
        let a = room("a");
        let inbox = behind(&switchboard);
        taken(&inbox);
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = std::pin::pin!(switchboard.wait_for_room(&a));
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        switchboard.mark_behind(&a, &inbox);
        switchboard.caught_up(&a, &inbox);
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        taken(&inbox);
        switchboard.caught_up(&a, &inbox);
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn nobody_waits_for_a_room_that_nobody_is_in_any_more() {
        let switchboard = Switchboard::default();
        let a = room("a");
        let inboxes = [behind(&switchboard), behind(&switchboard)];
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = std::pin::pin!(switchboard.wait_for_room(&a));
        for inbox in &inboxes {
            assert!(waiting.as_mut().poll(&mut cx).is_pending());
            taken(inbox);
            switchboard.disconnect(&a, inbox);
        }
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        switchboard.mark_behind(&a, &inboxes[0]);
        let mut again = std::pin::pin!(switchboard.wait_for_room(&a));
        assert!(again.as_mut().poll(&mut cx).is_ready(), "it was too late");
    }

    /// Whoever is polled for them is woken for each step.
    #[test]
    fn those_who_waited_for_the_same_go_on_a_few_at_a_time() {
        let switchboard = Switchboard::default();
        let a = room("a");
        let inbox = behind(&switchboard);
        taken(&inbox);
        let wait = || Task::new(switchboard.wait_for_room(&a));
        let mut waiting: Vec<_> = (0..2 * AT_ONCE + 1).map(|_| wait()).collect();
        assert!(passed(&mut waiting).is_empty());
        switchboard.caught_up(&a, &inbox);
        let passes = passed(&mut waiting);
        assert_eq!(passes.len(), AT_ONCE);
        assert!(passed(&mut waiting).is_empty(), "these still publish");
        waiting.truncate(AT_ONCE);
        // What these publish leaves the room behind again.
        switchboard.mark_behind(&a, &inbox);
        drop(passes);
        assert!(passed(&mut waiting).is_empty());
        taken(&inbox);
        switchboard.caught_up(&a, &inbox);
        assert_eq!(passed(&mut waiting).len(), AT_ONCE);
        assert!(waiting.is_empty());
    }
}
