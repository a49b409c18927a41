//! What the halves of a connection share: its link, and the tasks that wait for the
//! transport.
//!
//! The tests compile this file with the types of loom besides.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::sync::{Mutex, MutexGuard};

/// A link of which each half has a reference.
pub(crate) struct Shared<L> {
    /// Empty once the receiver is gone.
    link: Mutex<Option<Box<L>>>,
    waiting: Arc<Waiting>,
    /// Wakes everyone in `waiting`.
    waker: Waker,
}

/// The tasks that wait for the transport.
///
/// A transport wakes one task for reading and one for writing, and with TLS the
/// one that reads may wait to write. So the transport wakes all who wait, and
/// no wake-up gets lost. There is rarely more than the receiver.
struct Waiting(Mutex<Tasks>);

#[derive(Default)]
struct Tasks {
    receiver: Option<Waker>,
    senders: Vec<(u64, Waker)>,
    /// The number of the sender that came last.
    last: u64,
}

/// A sender that may have to wait. When it gives up it is forgotten: nobody else would
/// do that as long as the peer does nothing.
pub(crate) struct Place<'a> {
    waiting: &'a Waiting,
    /// `None` before it waits.
    number: Option<u64>,
}

/// A lock that outlives a panic of another holder: no state is left half-changed
/// by our own code.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (receiver, senders) = {
            let mut tasks = lock(&self.0);
            (tasks.receiver.clone(), std::mem::take(&mut tasks.senders))
        };
        let senders = senders.into_iter().map(|(_, waker)| waker);
        receiver.into_iter().chain(senders).for_each(Waker::wake);
    }
}

impl Waiting {
    fn note_receiver(&self, waker: &Waker) {
        let mut tasks = lock(&self.0);
        match &mut tasks.receiver {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }
}

impl Place<'_> {
    fn note(&mut self, waker: &Waker) {
        let mut tasks = lock(&self.waiting.0);
        let number = *self.number.get_or_insert_with(|| {
            tasks.last += 1;
            tasks.last
        });
        match tasks.senders.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.clone_from(waker),
            None => tasks.senders.push((number, waker.clone())),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let mut tasks = lock(&self.waiting.0);
            tasks.senders.retain(|(known, _)| *known != number);
        }
    }
}

impl<L> Shared<L> {
    pub(crate) fn new(link: Option<Box<L>>) -> Self {
        let waiting = Arc::new(Waiting(Mutex::new(Tasks::default())));
        Self {
            link: Mutex::new(link),
            waker: waiting.clone().into(),
            waiting,
        }
    }

    /// Does something with the link that waits for nothing; `None` if it is gone.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut L, &mut Context<'_>) -> T) -> Option<T> {
        let cx = &mut Context::from_waker(&self.waker);
        lock(&self.link).as_mut().map(|link| act(link, cx))
    }

    /// Polls for the receiver. It is noted first: a wake-up that comes during
    /// the poll finds it.
    pub(crate) fn poll_receiver<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut L, &mut Context<'_>) -> Poll<T>,
    ) -> Option<Poll<T>> {
        self.waiting.note_receiver(cx.waker());
        self.with(poll)
    }

    /// A place for a sender, as long as it polls for one thing.
    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            waiting: &self.waiting,
            number: None,
        }
    }

    /// Polls for a sender. It is noted only if it has to wait, and then polled
    /// again, so that no wake-up falls between.
    pub(crate) fn poll_sender<T>(
        &self,
        cx: &mut Context<'_>,
        place: &mut Place<'_>,
        mut poll: impl FnMut(&mut L, &mut Context<'_>) -> Poll<T>,
    ) -> Option<Poll<T>> {
        match self.with(&mut poll) {
            Some(Poll::Pending) => {
                place.note(cx.waker());
                self.with(poll)
            }
            polled => polled,
        }
    }

    /// Takes the link away from all.
    pub(crate) fn take(&self) -> Option<Box<L>> {
        lock(&self.link).take()
    }

    /// Wakes all who wait, for what the transport does not tell them.
    pub(crate) fn wake(&self) {
        self.waiting.wake_by_ref();
    }
}
