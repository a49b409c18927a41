//! The open connections of a server: how a stop and the time reach all of them.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use slab::Slab;
use telsiz_proto::CloseFrame;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The connections of one server, or of one of its workers.
///
/// It keeps the time for them all: a timer of each connection's own would be one
/// more thing to look at with every message, and 100 bytes more.
#[derive(Default)]
pub(crate) struct Registry {
    stop: OnceLock<Stop>,
    /// How many connections have not yet seen that their deadline has passed.
    due: AtomicUsize,
    /// How many connections have not yet seen that somebody closes them.
    asked: AtomicUsize,
    seats: Mutex<Seats>,
    /// Who keeps the time has something to look at.
    changed: Notify,
    emptied: Notify,
}

/// The server stops.
struct Stop {
    frame: CloseFrame,
    /// The connections whose keys are below this one are to close.
    told: AtomicUsize,
}

#[derive(Default)]
struct Seats {
    taken: Slab<Seat>,
    /// Whom to wake when.
    deadlines: BTreeSet<(Instant, usize)>,
    /// Whom somebody closes, and with what.
    asked: BTreeMap<usize, CloseFrame>,
    /// Of the next one.
    serial: u32,
}

#[derive(Default)]
struct Seat {
    waker: Option<Waker>,
    deadline: Option<Instant>,
    /// Whether the deadline has passed and the connection has not seen it yet.
    is_due: bool,
    /// Tells it from those that had its place before.
    serial: u32,
    /// What is to last as long.
    kept: Option<Box<dyn Any + Send>>,
}

/// A connection's place in a [`Registry`], given up when dropped.
pub(crate) struct Lease {
    registry: Arc<Registry>,
    key: usize,
}

/// What closes a connection of a server from anywhere. Cloning counts a reference.
#[derive(Clone)]
pub struct Closer {
    registry: Arc<Registry>,
    key: u32,
    serial: u32,
}

impl Registry {
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        let mut seats = self.lock();
        let serial = seats.serial;
        seats.serial = serial.wrapping_add(1);
        Lease {
            key: seats.taken.insert(Seat {
                serial,
                ..Seat::default()
            }),
            registry: self.clone(),
        }
    }

    /// The number of connections.
    pub(crate) fn len(&self) -> usize {
        self.lock().taken.len()
    }

    /// From now on no WebSocket is opened. Those that are open are told by [`Registry::tell`].
    pub(crate) fn begin_stop(&self, frame: CloseFrame) {
        let told = AtomicUsize::new(0);
        let _ = self.stop.set(Stop { frame, told });
    }

    /// The keys of all connections, in their order.
    pub(crate) fn keys(&self) -> Vec<usize> {
        let seats = self.lock();
        seats.taken.iter().map(|(key, _)| key).collect()
    }

    /// Tells the connections whose keys are below `end` to close.
    pub(crate) fn tell(&self, end: usize) {
        let Some(stop) = self.stop.get() else {
            return;
        };
        let begin = stop.told.fetch_max(end, Ordering::Relaxed);
        let seats = self.lock();
        let told = seats.taken.iter().skip_while(|(key, _)| *key < begin);
        let wakers: Vec<_> = told
            .take_while(|(key, _)| *key < end)
            .filter_map(|(_, seat)| seat.waker.clone())
            .collect();
        drop(seats);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Tells all connections to close with `frame`, those to come too.
    pub(crate) fn stop(&self, frame: CloseFrame) {
        self.begin_stop(frame);
        self.tell(usize::MAX);
        self.changed.notify_one();
    }

    /// Waits until no connection is left.
    pub(crate) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Wakes connections at their deadlines, until the server has stopped and the
    /// last is gone.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        while self.stop.get().is_none() || self.len() > 0 {
            let changed = self.changed.notified();
            match self.ring(Instant::now()) {
                None => changed.await,
                Some(next) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(next) => {}
                },
            }
        }
    }

    /// Wakes those whose deadline has passed; when the next one does.
    fn ring(&self, now: Instant) -> Option<Instant> {
        let mut wakers = Vec::new();
        let mut seats = self.lock();
        let Seats {
            taken, deadlines, ..
        } = &mut *seats;
        let next = loop {
            let Some(&(deadline, key)) = deadlines.first() else {
                break None;
            };
            if deadline > now {
                break Some(deadline);
            }
            deadlines.pop_first();
            if let Some(seat) = taken.get_mut(key) {
                seat.deadline = None;
                if !std::mem::replace(&mut seat.is_due, true) {
                    self.due.fetch_add(1, Ordering::Relaxed);
                }
                wakers.extend(seat.waker.clone());
            }
        };
        drop(seats);
        wakers.into_iter().for_each(Waker::wake);
        next
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// Says whom to wake, at deadlines and when the server stops. Look at
    /// [`Lease::stop`] after it.
    pub(crate) fn register(&self, waker: &Waker) {
        if let Some(seat) = self.registry.lock().taken.get_mut(self.key) {
            seat.waker = Some(waker.clone());
        }
    }

    /// What closes the connection.
    pub(crate) fn closer(&self) -> Closer {
        let seats = self.registry.lock();
        let serial = seats.taken.get(self.key).map_or(0, |seat| seat.serial);
        Closer {
            registry: self.registry.clone(),
            // There are never so many connections.
            key: u32::try_from(self.key).unwrap_or(u32::MAX),
            serial,
        }
    }

    /// The frame to close with, if somebody closes the connection.
    #[inline]
    pub(crate) fn take_asked(&self) -> Option<CloseFrame> {
        // Nearly always nobody is closed so. The waking orders this after the addition.
        match self.registry.asked.load(Ordering::Relaxed) {
            0 => None,
            _ => self.take_own_asked(),
        }
    }

    #[cold]
    fn take_own_asked(&self) -> Option<CloseFrame> {
        let frame = self.registry.lock().asked.remove(&self.key)?;
        self.registry.asked.fetch_sub(1, Ordering::Relaxed);
        Some(frame)
    }

    /// The frame to close with, if the server stops and it is this connection's turn.
    pub(crate) fn stop(&self) -> Option<&CloseFrame> {
        let stop = self.registry.stop.get()?;
        (self.key < stop.told.load(Ordering::Relaxed)).then_some(&stop.frame)
    }

    /// Keeps a value as long as this lease, instead of the one before.
    pub(crate) fn keep(&self, kept: Box<dyn Any + Send>) {
        let mut seats = self.registry.lock();
        let seat = seats.taken.get_mut(self.key);
        let before = seat.and_then(|seat| seat.kept.replace(kept));
        drop(seats);
        // Not under the lock: nobody knows what it does.
        drop(before);
    }

    /// Whether the server stops, whoever has been told.
    pub(crate) fn is_stopping(&self) -> bool {
        self.registry.stop.get().is_some()
    }

    /// Wakes the connection at `deadline`, and no more at the one before.
    pub(crate) fn wake_at(&self, deadline: Option<Instant>) {
        let mut seats = self.registry.lock();
        let Seats {
            taken, deadlines, ..
        } = &mut *seats;
        let Some(seat) = taken.get_mut(self.key) else {
            return;
        };
        if seat.deadline == deadline {
            return;
        }
        if let Some(before) = seat.deadline.take() {
            deadlines.remove(&(before, self.key));
        }
        let Some(deadline) = deadline else {
            return;
        };
        seat.deadline = Some(deadline);
        deadlines.insert((deadline, self.key));
        if deadlines.first() == Some(&(deadline, self.key)) {
            self.registry.changed.notify_one();
        }
    }

    /// Whether the deadline has passed since this was asked last.
    #[inline]
    pub(crate) fn take_due(&self) -> bool {
        // Nearly always nobody's has. The waking orders this after the addition.
        self.registry.due.load(Ordering::Relaxed) > 0 && self.take_own_due()
    }

    #[cold]
    fn take_own_due(&self) -> bool {
        let mut seats = self.registry.lock();
        let seat = seats.taken.get_mut(self.key);
        let is_due = seat.is_some_and(|seat| std::mem::take(&mut seat.is_due));
        if is_due {
            self.registry.due.fetch_sub(1, Ordering::Relaxed);
        }
        is_due
    }
}

impl Closer {
    /// Starts the closing handshake; whether the connection was still there.
    ///
    /// A connection whose handshake is being answered is closed right after that.
    pub fn close(&self, frame: impl Into<CloseFrame>) -> bool {
        let key = self.key as usize;
        let mut seats = self.registry.lock();
        let seat = seats.taken.get(key);
        let Some(seat) = seat.filter(|seat| seat.serial == self.serial) else {
            return false;
        };
        let waker = seat.waker.clone();
        if seats.asked.insert(key, frame.into()).is_none() {
            self.registry.asked.fetch_add(1, Ordering::Relaxed);
        }
        drop(seats);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }
}

impl fmt::Debug for Closer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closer").finish_non_exhaustive()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut seats = self.registry.lock();
        let seat = seats.taken.try_remove(self.key);
        if let Some(seat) = &seat {
            if let Some(deadline) = seat.deadline {
                seats.deadlines.remove(&(deadline, self.key));
            }
            if seat.is_due {
                self.registry.due.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if seats.asked.remove(&self.key).is_some() {
            self.registry.asked.fetch_sub(1, Ordering::Relaxed);
        }
        let empty = seats.taken.is_empty();
        drop(seats);
        drop(seat);
        if empty {
            self.registry.emptied.notify_waiters();
            self.registry.changed.notify_one();
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;
    use std::time::Duration;

    use telsiz_proto::CloseCode;
    use tokio::time::sleep;

    use super::*;

    /// Whether a connection was woken since this was asked last.
    #[derive(Default)]
    pub(in crate::server) struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    impl Woken {
        pub(in crate::server) fn is_woken(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }

        fn take(&self) -> bool {
            self.0.swap(false, Ordering::Relaxed)
        }
    }

    pub(in crate::server) fn waiting(registry: &Arc<Registry>) -> (Lease, Arc<Woken>) {
        let (lease, woken) = (registry.lease(), Arc::<Woken>::default());
        lease.register(&woken.clone().into());
        (lease, woken)
    }

    pub(in crate::server) fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[tokio::test(start_paused = true)]
    async fn each_connection_is_woken_at_its_last_deadline_and_once() {
        let registry = Arc::<Registry>::default();
        tokio::spawn(registry.clone().keep_time());
        let start = Instant::now();
        let (late, late_woken) = waiting(&registry);
        late.wake_at(Some(start + second(50)));
        sleep(second(1)).await;
        // One that is set later and comes first; it is put off, then brought forward.
        let (early, early_woken) = waiting(&registry);
        for deadline in [5, 60, 10] {
            early.wake_at(Some(start + second(deadline)));
        }
        sleep(second(8)).await;
        assert!(!early.take_due() && !early_woken.take());
        sleep(second(2)).await;
        assert!(early_woken.take());
        assert!(early.take_due(), "it was the reason");
        assert!(!early.take_due(), "once");
        assert!(!late.take_due() && !late_woken.take());
        sleep(second(40)).await;
        assert!(late.take_due() && late_woken.take());
        assert!(!early.take_due() && !early_woken.take());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_was_taken_back_wakes_nobody() {
        let registry = Arc::<Registry>::default();
        tokio::spawn(registry.clone().keep_time());
        let (lease, woken) = waiting(&registry);
        lease.wake_at(Some(Instant::now() + second(5)));
        lease.wake_at(None);
        sleep(second(10)).await;
        assert!(!lease.take_due() && !woken.take());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_while_due_is_not_counted_any_more() {
        let registry = Arc::<Registry>::default();
        tokio::spawn(registry.clone().keep_time());
        let (lease, _) = waiting(&registry);
        lease.wake_at(Some(Instant::now() + second(5)));
        sleep(second(10)).await;
        drop(lease);
        assert_eq!(registry.due.load(Ordering::Relaxed), 0);
        assert!(registry.lock().deadlines.is_empty());
    }

    #[test]
    fn who_has_the_place_of_another_is_not_closed_in_its_stead() {
        let registry = Arc::<Registry>::default();
        let (first, _) = waiting(&registry);
        let closer = first.closer();
        let frame = || CloseFrame::from(CloseCode::POLICY);
        assert!(closer.close(frame()));
        drop(first);
        assert_eq!(registry.asked.load(Ordering::Relaxed), 0);
        let (second, woken) = waiting(&registry);
        assert_eq!(second.key, 0, "it has the same place");
        assert!(!closer.close(frame()) && !woken.take());
        assert_eq!(second.take_asked(), None);
        assert!(second.closer().close(frame()) && woken.take());
        assert_eq!(second.take_asked(), Some(frame()));
        assert_eq!(second.take_asked(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_is_kept_until_the_last_connection_of_a_stopped_server_is_gone() {
        let registry = Arc::<Registry>::default();
        let keeping = tokio::spawn(registry.clone().keep_time());
        let (lease, woken) = waiting(&registry);
        lease.wake_at(Some(Instant::now() + second(5)));
        registry.stop(CloseCode::GOING_AWAY.into());
        assert!(woken.take());
        sleep(second(10)).await;
        assert!(lease.take_due() && !keeping.is_finished());
        drop(lease);
        sleep(second(1)).await;
        assert!(keeping.is_finished());
    }
}
