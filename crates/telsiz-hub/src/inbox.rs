//! What waits for a worker.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;

use crate::event::Event;
use crate::name::RoomName;

/// The events that wait for a worker, bounded.
///
/// It counts what the worker took and has not yet delivered, too. Publishers wait while it
/// is more than half full; what goes on in other processes does not, nor do those who came at the same
/// moment, so it may become full all the same. Then the room is *behind*: its events are
/// left out until the worker takes notice, and reads them from the log.
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
}

/// What a worker takes out of its inbox.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// In the order of each room's log.
    pub(crate) events: VecDeque<(RoomName, Event)>,
    /// Rooms of which events were left out after these.
    pub(crate) behind: HashSet<RoomName>,
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

    pub(crate) fn push(&self, room: &RoomName, event: Event) {
        let weight = event.weight();
        let mut queue = self.lock();
        let is_full = self.weight() >= self.capacity;
        match event {
            // The first to be dropped.
            Event::Ephemeral(_) if is_full || !self.has_room() => return,
            Event::Published(_) if queue.waiting.behind.contains(room) => return,
            Event::Published(_) if is_full => {
                queue.waiting.behind.insert(room.clone());
            }
            _ => {
                self.weight.fetch_add(weight, Ordering::Relaxed);
                queue.waiting.events.push_back((room.clone(), event));
            }
        }
        Self::wake(queue);
    }

    /// The worker is to read the log of `room`.
    pub(crate) fn mark_behind(&self, room: &RoomName) {
        let mut queue = self.lock();
        queue.waiting.behind.insert(room.clone());
        Self::wake(queue);
    }

    fn wake(mut queue: MutexGuard<'_, Queue>) {
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes all that is there.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Waiting> {
        let mut queue = self.lock();
        if queue.waiting.events.is_empty() && queue.waiting.behind.is_empty() {
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
        let waiting = std::mem::take(&mut *self.lock());
        drop(waiting);
        self.weight.store(0, Ordering::Relaxed);
        self.room.notify_waiters();
    }

    /// What is there and what is not yet delivered, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.weight.load(Ordering::Relaxed)
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
