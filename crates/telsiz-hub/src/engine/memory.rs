//! An engine that stores nothing: logs in memory.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::local::Local;
use super::{
    Appended, BoxFuture, Engine, EngineError, HistoryPage, Presence, PublishError, Slice,
    Subscriber,
};
use crate::clock::{Clock, Timestamp};
use crate::event::Event;
use crate::figures::{EngineFigures, Histogram};
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
    durable: Histogram,
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
            durable: Histogram::default(),
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
        self.durable.observe(Duration::ZERO, 1);
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

    fn figures(&self) -> EngineFigures {
        let durable = self.durable.read();
        EngineFigures {
            stored: durable.counts.iter().sum(),
            durable,
            ..EngineFigures::default()
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;
    use crate::event::Signal;
    use crate::retention::Pattern;
    use crate::testing::{clock, draft, member, now, room, signal};

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn keep(count: usize, millis: u64) -> Keep {
        Keep {
            count,
            age: Duration::from_millis(millis),
        }
    }

    fn memory(retention: Retention) -> (Memory, Arc<AtomicU64>) {
        let (clock, time) = clock(1_000_000);
        (Memory::new("m", clock, retention, 500), time)
    }

    fn publish(memory: &Memory, name: &str, text: &str, key: Option<&str>) -> (u64, bool) {
        let appended = now(memory.publish(&room(name), draft("u", text, key)));
        let appended = appended.expect("it is appended");
        (appended.position.seq, appended.repeated)
    }

    /// The numbers that are kept, the head, and the oldest.
    fn kept(memory: &Memory, name: &str, after: u64, limit: usize) -> (Vec<u64>, u64, u64) {
        let slice = now(memory.read(&room(name), after, limit)).expect("a slice");
        let numbers = slice.publications.iter().map(|publication| publication.seq);
        (numbers.collect(), slice.head, slice.oldest)
    }

    fn epoch(memory: &Memory, name: &str) -> String {
        let slice = now(memory.read(&room(name), 0, 0)).expect("a slice");
        slice.epoch.to_string()
    }

    #[test]
    fn so_many_are_kept() {
        for (count, numbers) in [
            (0, vec![]),
            (1, vec![5]),
            (4, vec![2, 3, 4, 5]),
            (9, vec![1, 2, 3, 4, 5]),
        ] {
            let (memory, _) = memory(Retention::of_all(keep(count, 1 << 30)));
            for _ in 0..5 {
                publish(&memory, "a", "", None);
            }
            let oldest = 6 - numbers.len() as u64;
            assert_eq!(kept(&memory, "a", 0, 99), (numbers, 5, oldest));
        }
    }

    #[test]
    fn those_are_kept_that_are_young() {
        let (memory, time) = memory(Retention::of_all(keep(100, 10)));
        publish(&memory, "a", "", None);
        time.fetch_add(10, Ordering::Relaxed);
        publish(&memory, "a", "", None);
        assert_eq!(kept(&memory, "a", 0, 99), (vec![1, 2], 2, 1));
        time.fetch_add(1, Ordering::Relaxed);
        assert_eq!(kept(&memory, "a", 0, 99), (vec![2], 2, 2));
        time.fetch_add(10, Ordering::Relaxed);
        assert_eq!(kept(&memory, "a", 0, 99), (vec![], 2, 3));
        assert_eq!(publish(&memory, "a", "", None), (3, false));
    }

    #[test]
    fn rooms_are_kept_by_their_patterns() {
        let retention =
            Retention::of_all(keep(1, 1 << 30)).rule(Pattern::new("log-*"), keep(3, 1 << 30));
        let (memory, _) = memory(retention);
        for name in ["a", "log-a"] {
            for _ in 0..5 {
                publish(&memory, name, "", None);
            }
        }
        assert_eq!(kept(&memory, "a", 0, 99).0, [5]);
        assert_eq!(kept(&memory, "log-a", 0, 99).0, [3, 4, 5]);
    }

    #[test]
    fn any_number_can_be_read_from() {
        let (memory, _) = memory(Retention::of_all(keep(3, 1 << 30)));
        for _ in 0..5 {
            publish(&memory, "a", "", None);
        }
        for (after, limit, numbers) in [
            (0, 2, vec![3, 4]),
            (2, 2, vec![3, 4]),
            (3, 2, vec![4, 5]),
            (5, 2, vec![]),
            (u64::MAX - 1, 9, vec![]),
            (u64::MAX, 9, vec![]),
            (0, usize::MAX, vec![3, 4, 5]),
            (0, 0, vec![]),
        ] {
            assert_eq!(kept(&memory, "a", after, limit), (numbers, 5, 3));
        }
    }

    #[test]
    fn keys_live_as_long_as_the_history_and_belong_to_a_room_and_a_user() {
        let (memory, _) = memory(Retention::of_all(keep(2, 1 << 30)));
        assert_eq!(publish(&memory, "a", "x", Some("k")), (1, false));
        assert_eq!(publish(&memory, "a", "x", Some("k")), (1, true));
        assert_eq!(publish(&memory, "b", "x", Some("k")), (1, false));
        let other = now(memory.publish(&room("a"), draft("v", "x", Some("k"))));
        assert_eq!(other.expect("it is appended").position.seq, 2);
        assert_eq!(
            publish(&memory, "a", "x", Some("k")),
            (1, true),
            "two are kept"
        );
        publish(&memory, "a", "y", None);
        assert_eq!(publish(&memory, "a", "x", Some("k")), (4, false));
        assert_eq!(publish(&memory, "a", "x", Some("k")), (4, true));
    }

    #[test]
    fn a_key_is_forgotten_with_its_publication() {
        let (memory, time) = memory(Retention::of_all(keep(9, 10)));
        assert_eq!(publish(&memory, "a", "x", Some("k")), (1, false));
        time.fetch_add(11, Ordering::Relaxed);
        assert_eq!(publish(&memory, "a", "x", Some("k")), (2, false));
        assert_eq!(memory.lock().rooms[&room("a")].keys.len(), 1);
    }

    #[test]
    fn pages_count_from_the_newest() {
        let (memory, _) = memory(Retention::of_all(keep(5, 1 << 30)));
        for _ in 0..7 {
            publish(&memory, "a", "", None);
        }
        for (page, numbers) in [(1, vec![6, 7]), (2, vec![4, 5]), (3, vec![3]), (4, vec![])] {
            let page = now(memory.page(&room("a"), page, 2)).expect("a page");
            let found: Vec<_> = page.publications.iter().map(|found| found.seq).collect();
            assert_eq!((found, page.total_pages), (numbers, 3));
        }
    }

    #[test]
    fn a_log_that_was_forgotten_comes_back_with_another_epoch() {
        let (memory, time) = memory(Retention::of_all(keep(5, 10)));
        publish(&memory, "a", "", None);
        let first = epoch(&memory, "a");
        memory.tidy();
        assert_eq!(epoch(&memory, "a"), first, "it is young");
        time.fetch_add(11, Ordering::Relaxed);
        memory.tidy();
        let second = epoch(&memory, "a");
        assert_ne!(second, first);
        assert_eq!(publish(&memory, "a", "", None), (1, false));
        assert_eq!(epoch(&memory, "a"), second);
    }

    #[test]
    fn a_log_is_kept_while_somebody_is_there() {
        let (memory, time) = memory(Retention::of_all(keep(5, 10)));
        publish(&memory, "a", "", None);
        let who = member(1, "u");
        now(memory
            .presence()
            .enter(&room("a"), signal(&who, Signal::Joined)))
        .expect("it enters");
        time.fetch_add(11, Ordering::Relaxed);
        memory.tidy();
        assert_eq!(publish(&memory, "a", "", None), (2, false));
    }

    /// Who sits in a room where nothing was said must not lose its first publication because
    /// another room was forgotten.
    #[test]
    fn the_epoch_that_was_read_of_an_empty_log_stays() {
        let (memory, time) = memory(Retention::of_all(keep(5, 10)));
        publish(&memory, "old", "", None);
        let read = epoch(&memory, "a");
        let who = member(1, "u");
        now(memory
            .presence()
            .enter(&room("a"), signal(&who, Signal::Joined)))
        .expect("it enters");
        time.fetch_add(11, Ordering::Relaxed);
        memory.tidy();
        publish(&memory, "a", "", None);
        assert_eq!(epoch(&memory, "a"), read);
    }

    #[test]
    fn logs_that_only_were_read_are_forgotten_without_a_trace() {
        let (memory, _) = memory(Retention::of_all(keep(5, DAY.as_millis() as u64)));
        let read = epoch(&memory, "a");
        memory.tidy();
        assert!(memory.lock().rooms.is_empty());
        assert_eq!(epoch(&memory, "a"), read);
    }

    #[test]
    fn nothing_is_published_or_read_once_it_is_closed() {
        let (memory, _) = memory(Retention::default());
        now(memory.close());
        let published = now(memory.publish(&room("a"), draft("u", "", None)));
        assert_eq!(published, Err(PublishError::Engine(EngineError::Closed)));
        assert_eq!(now(memory.read(&room("a"), 0, 1)), Err(EngineError::Closed));
        assert_eq!(now(memory.page(&room("a"), 1, 1)), Err(EngineError::Closed));
        assert_eq!(memory.ready(), Err(EngineError::Closed));
    }
}
