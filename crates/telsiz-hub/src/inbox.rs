//! What waits for a worker.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::Notify;

use crate::engine::Receipt;
use crate::event::Event;
use crate::name::RoomName;

/// The events that wait for a worker, bounded.
///
/// It counts what the worker took and has not yet delivered, too. Publishers wait while it
/// is more than half full; what goes on in other processes does not, nor do those who came at the same
/// moment, so it may become full all the same. Then the room is *behind*: its events are
/// left out until the worker takes notice, and reads them from the log. Its publishers wait for that
/// in the switchboard.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// In bytes.
    capacity: usize,
    weight: AtomicUsize,
    queue: Mutex<Queue>,
    /// Half of it is free again.
    room: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Waiting,
    waker: Option<Waker>,
    /// Since when the first of what was taken last waited. All of it is delivered when the worker
    /// asks for more.
    taken: Option<Instant>,
}

/// What a worker takes out of its inbox.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// In the order of each room's log.
    pub(crate) events: VecDeque<(RoomName, Event)>,
    /// Rooms of which events were left out after these.
    pub(crate) behind: HashSet<RoomName>,
    /// Of those who published.
    pub(crate) receipts: Vec<Receipt>,
    /// Since when the first of it is there.
    pub(crate) since: Option<Instant>,
}

impl Waiting {
    /// There is no receipt without a publication.
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.behind.is_empty()
    }
}

impl Inbox {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            weight: AtomicUsize::new(0),
            queue: Mutex::default(),
            room: Notify::new(),
        }
    }

    /// Whether the worker has to read the log of `room` for this. It is to be woken
    /// ([`Self::wake`]) after that.
    pub(crate) fn push(&self, room: &RoomName, event: Event, receipt: Option<Receipt>) -> bool {
        let weight = event.weight();
        let mut queue = self.lock();
        let is_full = self.weight() >= self.capacity;
        queue.waiting.receipts.extend(receipt);
        match event {
            // The first to be dropped.
            Event::Ephemeral(_) if is_full || !self.has_room() => false,
            Event::Published(_) if is_full || queue.waiting.behind.contains(room) => {
                queue.waiting.behind.insert(room.clone());
                true
            }
            _ => {
                self.weight.fetch_add(weight, Ordering::Relaxed);
                queue.waiting.since.get_or_insert_with(Instant::now);
                queue.waiting.events.push_back((room.clone(), event));
                false
            }
        }
    }

    /// The worker is to read the log of `room`.
    pub(crate) fn mark_behind(&self, room: &RoomName) {
        self.lock().waiting.behind.insert(room.clone());
        self.wake();
    }

    /// Whether something of `room` was left out that the worker has not yet taken notice of.
    pub(crate) fn is_behind(&self, room: &RoomName) -> bool {
        self.lock().waiting.behind.contains(room)
    }

    /// Wakes the worker, if there is something for it.
    pub(crate) fn wake(&self) {
        let mut queue = self.lock();
        let waker = match queue.waiting.is_empty() {
            true => None,
            false => queue.waker.take(),
        };
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes all that is there.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Waiting> {
        let mut queue = self.lock();
        queue.taken = queue.waiting.since;
        if queue.waiting.is_empty() {
            queue.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut queue.waiting))
    }

    /// So much of what was taken is delivered.
    pub(crate) fn release(&self, weight: usize) {
        self.weight.fetch_sub(weight, Ordering::Relaxed);
        if self.has_room() {
            self.room.notify_waiters();
        }
    }

    /// Nobody takes anything out any more: who waits for that waits no longer.
    pub(crate) fn close(&self) {
        let queue = std::mem::take(&mut *self.lock());
        drop(queue);
        self.weight.store(0, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// What is there and what is not yet delivered, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
    }

    /// Since when the oldest of that waits.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let queue = self.lock();
        queue.taken.or(queue.waiting.since)
    }

    /// An empty one has, however small it is.
    pub(crate) fn has_room(&self) -> bool {
        self.weight() <= self.capacity / 2
    }

    /// Waits until half of it is free.
    pub(crate) async fn wait_for_room(&self) {
        loop {
            let freed = self.room.notified();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::task::Wake;

    use super::*;
    use crate::event::Signal;
    use crate::testing::{member, published, room, signal};

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(inbox: &Inbox) -> Option<Waiting> {
        match inbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(waiting) => Some(waiting),
            Poll::Pending => None,
        }
    }

    fn typing() -> Event {
        Event::Ephemeral(signal(&member(1, "u"), Signal::Typing))
    }

    #[test]
    fn what_does_not_fit_leaves_its_room_behind_until_it_is_taken() {
        let inbox = Inbox::new(512);
        let (a, b) = (room("a"), room("b"));
        for seq in 1..=4 {
            inbox.push(&a, published(seq), None);
        }
        inbox.push(&b, published(1), None);
        assert_eq!(inbox.weight(), 512, "as much as there is room for");
        let waiting = take(&inbox).expect("something");
        assert_eq!(waiting.events.len(), 2);
        assert_eq!(waiting.behind, [a.clone(), b].into());
        inbox.push(&a, published(5), None);
        assert!(
            take(&inbox).expect("something").behind.contains(&a),
            "it is still full"
        );
        inbox.release(256);
        inbox.push(&a, published(6), None);
        let waiting = take(&inbox).expect("something");
        assert_eq!((waiting.events.len(), waiting.behind.len()), (1, 0));
    }

    #[test]
    fn what_is_as_large_as_it_likes_fits_while_it_is_not_full() {
        for (waiting, fits) in [(255, true), (256, false), (257, false)] {
            let inbox = Inbox::new(256);
            inbox.weight.store(waiting, Ordering::Relaxed);
            inbox.push(&room("a"), published(1), None);
            let waiting = take(&inbox).expect("something");
            assert_eq!(!waiting.events.is_empty(), fits);
            assert_eq!(waiting.behind.is_empty(), fits);
        }
    }

    #[test]
    fn what_was_taken_waits_until_the_worker_asks_for_more() {
        let inbox = Inbox::new(1024);
        assert_eq!(inbox.oldest(), None);
        inbox.push(&room("a"), published(1), None);
        let oldest = inbox.oldest();
        assert!(oldest.is_some());
        inbox.push(&room("a"), published(2), None);
        assert_eq!(take(&inbox).expect("something").since, oldest);
        assert_eq!(inbox.oldest(), oldest, "it is being delivered");
        inbox.push(&room("a"), published(3), None);
        assert_eq!(inbox.oldest(), oldest);
        assert!(take(&inbox).is_some_and(|waiting| waiting.since > oldest));
        assert!(take(&inbox).is_none());
        assert_eq!(inbox.oldest(), None);
    }

    #[test]
    fn signals_are_dropped_while_it_is_more_than_half_full() {
        for (waiting, fits) in [(511, true), (512, true), (513, false), (1024, false)] {
            let inbox = Inbox::new(1024);
            inbox.weight.store(waiting, Ordering::Relaxed);
            inbox.push(&room("a"), typing(), None);
            assert_eq!(take(&inbox).is_some(), fits, "{waiting}");
        }
        let inbox = Inbox::new(0);
        inbox.push(&room("a"), typing(), None);
        assert!(
            take(&inbox).is_none(),
            "nobody has to read a log for a signal"
        );
    }

    #[test]
    fn the_worker_is_woken_by_events_and_by_rooms_that_are_behind() {
        let a = room("a");
        let pushes: [fn(&Inbox, &RoomName); 2] = [
            |inbox, room| {
                inbox.push(room, published(1), None);
                inbox.wake();
            },
            |inbox, room| inbox.mark_behind(room),
        ];
        for push in pushes {
            let inbox = Inbox::new(1024);
            let count = Arc::<Count>::default();
            let waker = Waker::from(count.clone());
            assert!(
                inbox
                    .poll_take(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            push(&inbox, &a);
            push(&inbox, &a);
            assert_eq!(count.0.load(Ordering::Relaxed), 1, "once");
            assert!(take(&inbox).is_some());
            assert!(take(&inbox).is_none());
        }
    }

    #[test]
    fn publishers_wait_until_half_of_it_is_free() {
        let inbox = Inbox::new(1024);
        inbox.weight.store(700, Ordering::Relaxed);
        let count = Arc::<Count>::default();
        let waker = Waker::from(count.clone());
        let mut cx = Context::from_waker(&waker);
        let mut waiting = std::pin::pin!(inbox.wait_for_room());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        inbox.release(187);
        assert!(
            waiting.as_mut().poll(&mut cx).is_pending(),
            "513 bytes wait"
        );
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        inbox.release(1);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn an_empty_one_has_room_however_small_it_is() {
        for capacity in [0, 1, 2] {
            assert!(Inbox::new(capacity).has_room(), "{capacity}");
        }
    }

    #[test]
    fn nobody_waits_for_one_that_is_closed() {
        let inbox = Inbox::new(256);
        inbox.push(&room("a"), published(1), None);
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting = std::pin::pin!(inbox.wait_for_room());
        assert!(waiting.as_mut().poll(&mut cx).is_pending());
        inbox.close();
        assert!(waiting.as_mut().poll(&mut cx).is_ready());
        assert_eq!(inbox.weight(), 0);
    }
}
