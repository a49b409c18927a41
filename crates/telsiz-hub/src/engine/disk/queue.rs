//! What waits for the writer: bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::engine::{Appended, EngineError, PublishError};
use crate::name::RoomName;
use crate::publication::Draft;

/// The most publications of a transaction, and the bytes past which it takes no more.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 1 << 20;

/// What the writer is to do.
pub(super) struct Job {
    pub(super) room: RoomName,
    pub(super) draft: Draft,
    /// Since when it waits.
    pub(super) since: Instant,
    pub(super) done: Done,
}

/// To who waits for that.
pub(super) type Done = oneshot::Sender<Result<Appended, PublishError>>;

pub(super) struct Queue {
    state: Mutex<State>,
    /// That there is something to do.
    some: Condvar,
    most: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Whether the writer waits to be told.
    waiting: bool,
    tidy: bool,
    closing: Option<Closing>,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// After everything is written.
    Orderly,
    /// At once.
    Abandoned,
}

/// What else the writer is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) tidy: bool,
    pub(super) closing: Option<Closing>,
}

impl Job {
    fn bytes(&self) -> usize {
        self.draft.text.len() + size_of::<Self>()
    }
}

impl Queue {
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            state: Mutex::default(),
            some: Condvar::new(),
            most,
            most_bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A job that is larger than the bound gets in alone.
    pub(super) fn push(&self, job: Job) -> Result<(), PublishError> {
        let mut state = self.lock();
        if state.closing.is_some() {
            return Err(EngineError::Closed.into());
        }
        let bytes = job.bytes();
        if state.jobs.len() >= self.most
            || (state.bytes > 0 && state.bytes + bytes > self.most_bytes)
        {
            return Err(PublishError::Busy);
        }
        state.bytes += bytes;
        state.jobs.push_back(job);
        self.wake(state);
        Ok(())
    }

    /// How many jobs wait, and how many may.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.lock().jobs.len(), self.most)
    }

    pub(super) fn tidy(&self) {
        let mut state = self.lock();
        state.tidy = true;
        self.wake(state);
    }

    /// Nothing gets in any more.
    pub(super) fn close(&self, how: Closing) {
        let mut state = self.lock();
        if state.closing.is_none() || how == Closing::Abandoned {
            state.closing = Some(how);
        }
        self.wake(state);
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        if waiting {
            self.some.notify_one();
        }
    }

    /// Takes what is there, up to the bounds of a transaction; if `wait` is set and there is
    /// nothing, waits.
    pub(super) fn take(&self, jobs: &mut VecDeque<Job>, wait: bool) -> Asked {
        let mut state = self.lock();
        let mut waited = false;
        while wait && state.jobs.is_empty() && !state.tidy && state.closing.is_none() {
            state.waiting = true;
            waited = true;
            state = self
                .some
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if waited && state.closing.is_none() {
            // Who woke this thread may have more: on one core it only gets to it now.
            drop(state);
            std::thread::yield_now();
            state = self.lock();
        }
        let mut bytes = 0;
        while jobs.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some(job) = state.jobs.pop_front()
        {
            bytes += job.bytes();
            jobs.push_back(job);
        }
        state.bytes -= bytes;
        Asked {
            tidy: std::mem::take(&mut state.tidy),
            closing: state.closing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::User;

    fn job(bytes: usize) -> Job {
        Job {
            room: RoomName::new("oda").expect("a name"),
            draft: Draft {
                user: User::new("ali", "Ali"),
                text: "x".repeat(bytes),
                key: None,
            },
            since: Instant::now(),
            done: oneshot::channel().0,
        }
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let queue = Queue::new(3, usize::MAX);
        for _ in 0..3 {
            assert_eq!(queue.push(job(0)), Ok(()));
        }
        assert_eq!(queue.push(job(0)), Err(PublishError::Busy));
        assert_eq!(queue.len(), (3, 3));
        let mut jobs = VecDeque::new();
        queue.take(&mut jobs, true);
        assert_eq!(jobs.len(), 3);
        assert_eq!(queue.push(job(0)), Ok(()));
    }

    #[test]
    fn so_many_bytes_wait_and_no_more() {
        let one = job(1000).bytes();
        for (most, fits) in [(2 * one - 1, false), (2 * one, true), (2 * one + 1, true)] {
            let queue = Queue::new(10, most);
            assert_eq!(queue.push(job(1000)), Ok(()));
            assert_eq!(queue.push(job(1000)).is_ok(), fits, "{most}");
            let mut jobs = VecDeque::new();
            queue.take(&mut jobs, true);
            assert_eq!(queue.push(job(1000)), Ok(()), "it is empty again");
        }
        let queue = Queue::new(10, 10);
        assert_eq!(queue.push(job(1000)), Ok(()), "alone");
        assert_eq!(queue.push(job(0)), Err(PublishError::Busy));
    }

    #[test]
    fn a_commit_takes_so_many_at_once() {
        for (bytes, jobs, most) in [
            (0, BATCH + 1, BATCH),
            (BATCH_BYTES, 3, 1),
            (BATCH_BYTES / 2, 3, 2),
        ] {
            let queue = Queue::new(10_000, usize::MAX);
            for _ in 0..jobs {
                assert_eq!(queue.push(job(bytes)), Ok(()));
            }
            let mut jobs = VecDeque::new();
            queue.take(&mut jobs, true);
            assert_eq!(jobs.len(), most, "{bytes}");
        }
    }

    #[test]
    fn nothing_gets_in_once_it_closes_but_what_waits_gets_out() {
        let queue = Queue::new(10, usize::MAX);
        assert_eq!(queue.push(job(0)), Ok(()));
        queue.close(Closing::Orderly);
        let refused = queue.push(job(0));
        assert_eq!(refused, Err(EngineError::Closed.into()));
        let mut jobs = VecDeque::new();
        let asked = queue.take(&mut jobs, true);
        assert_eq!((jobs.len(), asked.closing), (1, Some(Closing::Orderly)));
    }
}
