//! An engine that stores nothing: logs in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::local::Local;
use super::{
    Appended, BoxFuture, Engine, EngineError, HistoryPage, Presence, PublishError, Slice,
    Subscriber,
};
use crate::clock::{Clock, Timestamp};
use crate::event::Event;
use crate::name::RoomName;
use crate::publication::{Draft, Epoch, IdempotencyKey, Position, Publication};
use crate::retention::{Keep, Retention};

/// Logs in memory: they end with the process.
pub struct Memory {
    local: Local,
    clock: Clock,
    retention: Retention,
    logs: Mutex<Logs>,
    closed: AtomicBool,
}

struct Logs {
    rooms: HashMap<RoomName, Log>,
    name: Box<str>,
    /// How many logs with publications were forgotten. New logs have another epoch then.
    forgotten: u64,
    /// Of new logs.
    epoch: Epoch,
}

struct Log {
    epoch: Epoch,
    /// Of the newest.
    head: u64,
    /// Oldest first.
    kept: VecDeque<(Arc<Publication>, Option<IdempotencyKey>)>,
    /// What was published with a key, by whom.
    keys: HashMap<(Arc<str>, IdempotencyKey), u64>,
}

impl Memory {
    /// An empty one. `name` must be another one each time: a client that knows positions of
    /// before must not take ours for their continuation.
    pub fn new(name: &str, clock: Clock, retention: Retention, announce_limit: usize) -> Self {
        Self {
            local: Local::new(announce_limit),
            clock,
            retention,
            logs: Mutex::new(Logs {
                rooms: HashMap::new(),
                name: name.into(),
                forgotten: 0,
                epoch: Epoch::new(name),
            }),
            closed: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, room: &RoomName, draft: Draft) -> Result<Appended, PublishError> {
        self.ready()?;
        let mut logs = self.lock();
        let epoch = logs.epoch.clone();
        let log = logs
            .rooms
            .entry(room.clone())
            .or_insert_with(|| Log::new(epoch));
        // Under the lock, so that times rise with numbers.
        let now = self.clock.now();
        log.trim(self.retention.of(room), now);
        let scope = draft.key.clone().map(|key| (draft.user.id.clone(), key));
        if let Some(seq) = scope.as_ref().and_then(|scope| log.keys.get(scope)) {
            return Ok(Appended {
                position: log.position(*seq),
                repeated: true,
            });
        }
        log.head += 1;
        let publication = Arc::new(Publication {
            seq: log.head,
            epoch: log.epoch.clone(),
            time: now,
            user: draft.user,
            text: draft.text,
        });
        if let Some(scope) = scope {
            log.keys.insert(scope, log.head);
        }
        log.kept.push_back((publication.clone(), draft.key));
        log.trim(self.retention.of(room), now);
        let position = publication.position();
        // Under the lock too: in the order of the log.
        self.local.tell(room, Event::Published(publication));
        Ok(Appended {
            position,
            repeated: false,
        })
    }

    fn look<T>(&self, room: &RoomName, look: impl FnOnce(&Log) -> T) -> Result<T, EngineError> {
        self.ready()?;
        let mut logs = self.lock();
        match logs.rooms.get_mut(room) {
            Some(log) => {
                log.trim(self.retention.of(room), self.clock.now());
                Ok(look(log))
            }
            None => Ok(look(&Log::new(logs.epoch.clone()))),
        }
    }

    /// From now on the log of `room` has the epoch that a reader sees.
    fn create(&self, room: &RoomName) {
        let mut logs = self.lock();
        let epoch = logs.epoch.clone();
        let log = || Log::new(epoch);
        logs.rooms.entry(room.clone()).or_insert_with(log);
    }
}

impl Log {
    fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            head: 0,
            kept: VecDeque::new(),
            keys: HashMap::new(),
        }
    }

    fn position(&self, seq: u64) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq,
        }
    }

    fn trim(&mut self, keep: Keep, now: Timestamp) {
        let oldest = now.before(keep.age);
        while let Some((first, _)) = self.kept.front()
            && (self.kept.len() > keep.count || first.time < oldest)
        {
            if let Some((first, Some(key))) = self.kept.pop_front() {
                self.keys.remove(&(first.user.id.clone(), key));
            }
        }
    }

    fn slice(&self, after: u64, limit: usize) -> Slice {
        let oldest = self
            .kept
            .front()
            .map_or(self.head + 1, |(first, _)| first.seq);
        let skip =
            usize::try_from(after.saturating_add(1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let publications = self.kept.iter().skip(skip).take(limit);
        Slice {
            epoch: self.epoch.clone(),
            head: self.head,
            oldest,
            publications: publications
                .map(|(publication, _)| publication.clone())
                .collect(),
        }
    }

    fn page(&self, page: usize, per_page: usize) -> HistoryPage {
        let (range, total_pages) = HistoryPage::range(self.kept.len(), page, per_page);
        let publications = self.kept.range(range);
        HistoryPage {
            publications: publications
                .map(|(publication, _)| publication.clone())
                .collect(),
            total_pages,
        }
    }
}

fn done<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Engine for Memory {
    fn attach(&self, subscriber: Arc<dyn Subscriber>) {
        self.local.attach(subscriber);
    }

    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>> {
        Box::pin(async move { self.append(room, draft) })
    }

    fn read<'a>(
        &'a self,
        room: &'a RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Slice, EngineError>> {
        self.create(room);
        done(self.look(room, |log| log.slice(after, limit)))
    }

    fn page<'a>(
        &'a self,
        room: &'a RoomName,
        page: usize,
        per_page: usize,
    ) -> BoxFuture<'a, Result<HistoryPage, EngineError>> {
        done(self.look(room, |log| log.page(page, per_page)))
    }

    fn presence(&self) -> &dyn Presence {
        &self.local
    }

    fn tidy(&self) {
        let now = self.clock.now();
        let mut logs = self.lock();
        let Logs {
            rooms,
            name,
            forgotten,
            epoch,
        } = &mut *logs;
        rooms.retain(|room, log| {
            log.trim(self.retention.of(room), now);
            let keep = !log.kept.is_empty() || self.local.has_members(room);
            *forgotten += u64::from(!keep && log.head > 0);
            keep
        });
        if *forgotten > 0 {
            *epoch = Epoch::new(&format!("{name}-{forgotten}"));
        }
    }

    fn ready(&self) -> Result<(), EngineError> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(EngineError::Closed),
            false => Ok(()),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.closed.store(true, Ordering::Release);
        done(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}
