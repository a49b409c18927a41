//! A storage that keeps what was synced, and an engine on it that writes in batches.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use telsiz_hub::{
    Appended, BoxFuture, Clock, Draft, Engine, EngineError, Epoch, Event, IdempotencyKey, Keep,
    Memory, Position, Publication, PublishError, Retention, RoomName, Slice, Subscriber, Timestamp,
};

use super::random::Random;
use super::storage::{Opened, Storage};

/// What is on the disk.
#[derive(Default)]
struct Platter {
    logs: BTreeMap<RoomName, Log>,
    /// How many logs there ever were.
    epochs: u64,
}

#[derive(Clone)]
struct Log {
    epoch: Epoch,
    head: u64,
    kept: VecDeque<Entry>,
}

#[derive(Clone)]
struct Entry {
    publication: Arc<Publication>,
    key: Option<IdempotencyKey>,
}

impl Log {
    fn trim(&mut self, keep: Keep, now: Timestamp) {
        let oldest = now.before(keep.age);
        while let Some(first) = self.kept.front()
            && (self.kept.len() > keep.count || first.publication.time < oldest)
        {
            self.kept.pop_front();
        }
    }

    fn oldest(&self) -> u64 {
        let first = self.kept.front();
        first.map_or(self.head + 1, |first| first.publication.seq)
    }

    fn find(&self, draft: &Draft) -> Option<u64> {
        let key = draft.key.as_ref()?;
        let mut kept = self.kept.iter();
        let found = kept.find(|entry| {
            entry.key.as_ref() == Some(key) && entry.publication.user.id == draft.user.id
        });
        found.map(|entry| entry.publication.seq)
    }
}

impl Platter {
    fn log(&mut self, room: &RoomName) -> &mut Log {
        let Self { logs, epochs } = self;
        logs.entry(room.clone()).or_insert_with(|| {
            *epochs += 1;
            Log {
                epoch: Epoch::new(&format!("disk-{epochs}")),
                head: 0,
                kept: VecDeque::new(),
            }
        })
    }
}

/// A disk.
pub(crate) struct Disk {
    platter: Arc<Mutex<Platter>>,
    running: Mutex<Option<Arc<Journal>>>,
    random: Arc<Random>,
}

impl Disk {
    pub(crate) fn new(random: Arc<Random>) -> Self {
        Self {
            platter: Arc::default(),
            running: Mutex::default(),
            random,
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Arc<Journal>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for Disk {
    fn open(&self, clock: Clock, retention: Retention, announce_limit: usize) -> Opened {
        let presence = Memory::new("", clock.clone(), Retention::default(), announce_limit);
        let journal = Arc::new(Journal {
            platter: self.platter.clone(),
            presence,
            subscribers: Mutex::default(),
            writing: Mutex::default(),
            clock,
            retention,
            random: self.random.clone(),
        });
        *self.running() = Some(journal.clone());
        Opened {
            engine: journal.clone(),
            background: Some(Box::pin(async move { journal.write().await })),
        }
    }

    fn crash(&self) {
        if let Some(journal) = self.running().take() {
            let unsynced = {
                let mut writing = journal.writing();
                writing.is_over = true;
                std::mem::take(&mut writing.unsynced)
            };
            // Some of it may have come to the disk, in order.
            let survivors = self.random.below(unsynced.len() + 1);
            journal.store(unsynced.into_iter().take(survivors));
        }
    }

    fn is_durable(&self) -> bool {
        true
    }

    fn wipe(&self) {
        let mut platter = self.platter.lock().unwrap_or_else(PoisonError::into_inner);
        platter.logs.clear();
    }

    fn fail_write(&self) -> bool {
        let running = self.running();
        running
            .iter()
            .for_each(|journal| journal.writing().fails = true);
        true
    }

    fn fail_read(&self) -> bool {
        let running = self.running();
        running
            .iter()
            .for_each(|journal| journal.writing().read_fails = true);
        true
    }
}

/// The engine.
struct Journal {
    platter: Arc<Mutex<Platter>>,
    /// Its presence and its ephemeral events are of interest; it has no logs.
    presence: Memory,
    subscribers: Mutex<Vec<Arc<dyn Subscriber>>>,
    writing: Mutex<Writing>,
    clock: Clock,
    retention: Retention,
    random: Arc<Random>,
}

#[derive(Default)]
struct Writing {
    queue: VecDeque<Waiting>,
    unsynced: Vec<(RoomName, Entry)>,
    waker: Option<Waker>,
    fails: bool,
    read_fails: bool,
    /// Nothing is written any more.
    is_over: bool,
}

struct Waiting {
    room: RoomName,
    draft: Draft,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Default)]
struct Answer {
    result: Option<Result<Appended, PublishError>>,
    waker: Option<Waker>,
}

fn failed() -> EngineError {
    EngineError::Failed("the disk is broken".into())
}

impl Waiting {
    fn answer(&self, result: Result<Appended, PublishError>) {
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.result = Some(result);
        if let Some(waker) = answer.waker.take() {
            waker.wake();
        }
    }
}

impl Journal {
    fn writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, entries: impl Iterator<Item = (RoomName, Entry)>) {
        let mut platter = self.platter();
        for (room, entry) in entries {
            let log = platter.log(&room);
            log.head = entry.publication.seq;
            log.kept.push_back(entry);
            log.trim(self.retention.of(&room), self.clock.now());
        }
    }

    async fn write(&self) {
        loop {
            let batch = self.next_batch().await;
            self.random.pause(3).await;
            let answers = self.begin(&batch);
            self.random.pause(4).await;
            if self.writing().fails {
                self.writing().is_over = true;
                let rest = std::mem::take(&mut self.writing().queue);
                for waiting in batch.iter().chain(&rest) {
                    waiting.answer(Err(failed().into()));
                }
                return;
            }
            let synced = std::mem::take(&mut self.writing().unsynced);
            self.store(synced.iter().cloned());
            let tell_first = self.random.flip();
            if tell_first {
                self.tell(&synced);
                self.random.pause(3).await;
            }
            for (waiting, answer) in batch.iter().zip(answers) {
                waiting.answer(Ok(answer));
            }
            if !tell_first {
                self.random.pause(3).await;
                self.tell(&synced);
            }
        }
    }

    async fn next_batch(&self) -> Vec<Waiting> {
        poll_fn(|cx| {
            let mut writing = self.writing();
            if writing.queue.is_empty() {
                writing.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let count = 1 + self.random.below(writing.queue.len());
            Poll::Ready(writing.queue.drain(..count).collect())
        })
        .await
    }

    /// Numbers a batch. What stands in the log already is only answered.
    fn begin(&self, batch: &[Waiting]) -> Vec<Appended> {
        let mut platter = self.platter();
        let mut begun: BTreeMap<RoomName, Log> = BTreeMap::new();
        let mut answers = Vec::new();
        let now = self.clock.now();
        for Waiting { room, draft, .. } in batch {
            let log = begun
                .entry(room.clone())
                .or_insert_with(|| platter.log(room).clone());
            log.trim(self.retention.of(room), now);
            let found = log.find(draft);
            let seq = found.unwrap_or(log.head + 1);
            if found.is_none() {
                log.head = seq;
                let entry = Entry {
                    publication: Arc::new(Publication {
                        seq,
                        epoch: log.epoch.clone(),
                        time: now,
                        user: draft.user.clone(),
                        text: draft.text.clone(),
                    }),
                    key: draft.key.clone(),
                };
                log.kept.push_back(entry.clone());
                self.writing().unsynced.push((room.clone(), entry));
            }
            let epoch = log.epoch.clone();
            answers.push(Appended {
                position: Position { epoch, seq },
                repeated: found.is_some(),
            });
        }
        answers
    }

    fn tell(&self, synced: &[(RoomName, Entry)]) {
        let subscribers = self.subscribers.lock();
        let subscribers = subscribers.unwrap_or_else(PoisonError::into_inner);
        for (room, entry) in synced {
            for subscriber in &*subscribers {
                subscriber.event(room, Event::Published(entry.publication.clone()));
            }
        }
    }

    fn slice(&self, room: &RoomName, after: u64, limit: usize) -> Result<Slice, EngineError> {
        if std::mem::take(&mut self.writing().read_fails) {
            return Err(failed());
        }
        let mut platter = self.platter();
        let log = platter.log(room);
        log.trim(self.retention.of(room), self.clock.now());
        let kept = log.kept.iter().map(|entry| &entry.publication);
        let behind = kept.filter(|publication| publication.seq > after);
        Ok(Slice {
            epoch: log.epoch.clone(),
            head: log.head,
            oldest: log.oldest(),
            publications: behind.take(limit).cloned().collect(),
        })
    }

    fn has_members(&self, room: &RoomName) -> bool {
        let members = self.presence.presence().members(room, 0);
        let mut members = std::pin::pin!(members);
        let mut cx = std::task::Context::from_waker(Waker::noop());
        match members.as_mut().poll(&mut cx) {
            Poll::Ready(Ok(listing)) => listing.connections > 0,
            _ => true,
        }
    }
}

impl Engine for Journal {
    hand_on!(to presence: page presence close);

    fn attach(&self, subscriber: Arc<dyn Subscriber>) {
        self.presence.attach(subscriber.clone());
        let subscribers = self.subscribers.lock();
        subscribers
            .unwrap_or_else(PoisonError::into_inner)
            .push(subscriber);
    }

    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>> {
        Box::pin(async move {
            let answer = Arc::<Mutex<Answer>>::default();
            {
                let mut writing = self.writing();
                if writing.is_over {
                    return Err(failed().into());
                }
                if writing.queue.len() > 8 {
                    return Err(PublishError::Busy);
                }
                writing.queue.push_back(Waiting {
                    room: room.clone(),
                    draft,
                    answer: answer.clone(),
                });
                if let Some(waker) = writing.waker.take() {
                    waker.wake();
                }
            }
            poll_fn(|cx| {
                let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
                answer.waker = Some(cx.waker().clone());
                answer.result.take().map_or(Poll::Pending, Poll::Ready)
            })
            .await
        })
    }

    fn read<'a>(
        &'a self,
        room: &'a RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Slice, EngineError>> {
        Box::pin(async move {
            self.random.pause(3).await;
            let slice = self.slice(room, after, limit);
            self.random.pause(4).await;
            slice
        })
    }

    fn tidy(&self) {
        if !self.writing().unsynced.is_empty() {
            return;
        }
        let now = self.clock.now();
        self.platter().logs.retain(|room, log| {
            log.trim(self.retention.of(room), now);
            !log.kept.is_empty() || self.has_members(room)
        });
    }

    fn ready(&self) -> Result<(), EngineError> {
        match self.writing().is_over {
            true => Err(failed()),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}
