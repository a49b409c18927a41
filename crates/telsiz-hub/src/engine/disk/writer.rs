//! The thread that writes: many publications with one commit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use rusqlite::{Connection, ErrorCode};

use super::Shared;
use super::journal::{self, Entry};
use super::log::{Extent, Scope};
use super::logs::{Commit, Filing, Known};
use super::queue::{Closing, Done, Job};
use super::tables;
use crate::clock::Timestamp;
use crate::engine::{Appended, EngineError, Receipt, Stored};
use crate::event::Event;
use crate::name::RoomName;
use crate::publication::{Position, Publication};

/// What is filed with a commit, at most: publications, unless twice as many come with it, and
/// bytes.
const FILED: usize = 256;
const FILED_BYTES: usize = 4 << 20;

/// The most bytes in the journal, about.
const UNFILED_BYTES: usize = 16 << 20;

/// How many steps of deleting one `tidy` asks for.
const SWEEPS: usize = 256;

pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    /// The number of the next commit.
    commit: u64,
    /// Of the write-ahead log, after the last commit.
    pages: Arc<AtomicUsize>,
    jobs: VecDeque<Job>,
    staged: HashMap<RoomName, Staged>,
    /// In the order of the logs.
    appended: Vec<Appending>,
    /// What those are to hear who published the same before.
    repeated: Vec<(Appended, Done)>,
    bytes: Vec<u8>,
    /// Where deleting goes on, and how many steps of it are left.
    sweep: (i64, usize),
}

/// A publication of the commit that is being made. It gets its receipt after that: one that is
/// dropped says that it is stored.
struct Appending {
    room: RoomName,
    /// How its log was before.
    before: Extent,
    entry: Entry,
    since: Instant,
    done: Done,
}

impl Appending {
    fn stored(self) -> Stored {
        let Entry { publication, .. } = self.entry;
        let appended = Appended {
            position: publication.position(),
            repeated: false,
        };
        Stored {
            room: self.room,
            event: Event::Published(publication),
            receipt: Receipt::new(appended, self.done),
        }
    }
}

/// A room as it is after the commit that is being made.
struct Staged {
    extent: Extent,
    keys: HashMap<Scope, u64>,
}

/// What a commit did besides publishing.
struct Committed {
    filings: Vec<Filing>,
    /// The journal is cut before this one.
    needed: u64,
    sweep: (i64, usize),
}

impl Writer {
    pub(super) fn new(connection: Connection, shared: Arc<Shared>) -> Self {
        Self {
            connection,
            shared,
            commit: 1,
            pages: Arc::default(),
            jobs: VecDeque::new(),
            staged: HashMap::new(),
            appended: Vec::new(),
            repeated: Vec::new(),
            bytes: Vec::new(),
            sweep: (0, 0),
        }
    }

    pub(super) fn run(mut self) {
        let pages = self.pages.clone();
        let hook = self.connection.wal_hook(Some(move |_: &mut _, count: i32| {
            pages.store(usize::try_from(count).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }));
        if let Err(error) = hook {
            self.shared.fail(&say("opening", &error));
        }
        loop {
            let idle = self.sweep.1 == 0;
            let asked = self.shared.queue.take(&mut self.jobs, idle);
            if asked.closing == Some(Closing::Abandoned) {
                return;
            }
            if asked.tidy {
                self.sweep.1 = SWEEPS;
            }
            if self.jobs.is_empty() && asked.closing.is_some() {
                return self.finish();
            }
            self.turn();
        }
    }

    /// One commit.
    fn turn(&mut self) {
        let now = self.shared.options.clock.now();
        let spare = Some((self.shared.options.unfiled, UNFILED_BYTES));
        let done = match self.shared.open() {
            Err(EngineError::Failed(what)) => Err(what),
            _ => self
                .write(now, spare)
                .map_err(|error| self.blame("writing", &error)),
        };
        match done {
            Ok(committed) => self.tell(committed),
            Err(what) => self.refuse(&what),
        }
        if self.pages.load(Ordering::Relaxed) >= self.shared.options.checkpoint_pages {
            self.checkpoint("PASSIVE");
        }
    }

    fn write(
        &mut self,
        now: Timestamp,
        spare: Option<(usize, usize)>,
    ) -> rusqlite::Result<Committed> {
        tables::execute(&self.connection, "BEGIN IMMEDIATE")?;
        while let Some(job) = self.jobs.front() {
            let (before, repeated) = self.look(job, now)?;
            if let Some(job) = self.jobs.pop_front() {
                self.stage(job, now, before, repeated);
            }
        }
        if !self.appended.is_empty() {
            tables::record(&self.connection, self.commit, &self.bytes)?;
        }
        let retention = &self.shared.options.retention;
        let most = match spare {
            Some(_) => FILED.max(2 * self.appended.len()),
            // Nobody waits for a receipt any more.
            None => usize::MAX,
        };
        let most = (most, FILED_BYTES);
        let (filings, needed) = self.shared.logs().filings(retention, now, spare, most);
        for filing in &filings {
            tables::file(&self.connection, filing)?;
        }
        // What this commit publishes is not filed yet.
        let needed = needed.unwrap_or(self.commit);
        if !filings.is_empty() {
            tables::cut_journal(&self.connection, Some(needed))?;
        }
        let mut sweep = self.sweep;
        if let Some(left) = sweep.1.checked_sub(1) {
            sweep = match tables::sweep(&self.connection, sweep.0, retention, now)? {
                Some(cursor) => (cursor, left),
                None => (0, 0),
            };
        }
        tables::execute(&self.connection, "COMMIT")?;
        Ok(Committed {
            filings,
            needed,
            sweep,
        })
    }

    /// The log that a draft is for, with what this commit adds to it; and where the draft stands
    /// in it already.
    fn look(&self, job: &Job, now: Timestamp) -> rusqlite::Result<(Extent, Option<u64>)> {
        let Job { room, draft, .. } = job;
        let keep = self.shared.options.retention.of(room);
        let scope = draft.key.clone().map(|key| (draft.user.id.clone(), key));
        let staged = self.staged.get(room);
        let at = scope.as_ref().and_then(|scope| staged?.keys.get(scope));
        if let Some(staged) = staged
            && (scope.is_none() || at.is_some())
        {
            let extent = staged.extent.trimmed(keep, now);
            return Ok((extent, at.copied().filter(|seq| *seq >= extent.first)));
        }
        let known = self.shared.logs().known(room, keep, now, scope.as_ref());
        let (extent, repeated) = match known {
            Some(Known {
                extent,
                repeated: Ok(at),
            }) => (extent, at),
            _ => {
                let filed = tables::room(&self.connection, room)?;
                let at = match (filed, &scope) {
                    (Some(filed), Some((user, key))) => {
                        tables::find_key(&self.connection, filed, user, key)?
                    }
                    _ => None,
                };
                let at = at.filter(|(_, time)| *time >= now.before(keep.age));
                let filed = filed.map_or(Extent::EMPTY, |filed| filed.extent);
                (
                    known.map_or(filed, |known| known.extent),
                    at.map(|(seq, _)| seq),
                )
            }
        };
        let extent = staged.map_or(extent, |staged| staged.extent);
        let extent = extent.trimmed(keep, now);
        Ok((extent, repeated.filter(|seq| *seq >= extent.first)))
    }

    /// Gives a draft its place, unless it has one.
    fn stage(&mut self, job: Job, now: Timestamp, before: Extent, repeated: Option<u64>) {
        let Job {
            room,
            draft,
            since,
            done,
        } = job;
        let epoch = &self.shared.epoch;
        if let Some(seq) = repeated {
            let appended = Appended {
                position: Position {
                    epoch: epoch.clone(),
                    seq,
                },
                repeated: true,
            };
            self.repeated.push((appended, done));
            return;
        }
        let scope = draft.key.clone().map(|key| (draft.user.id.clone(), key));
        let publication = Arc::new(Publication {
            seq: before.head + 1,
            epoch: epoch.clone(),
            // Even if the clock goes back.
            time: now.max(before.time),
            user: draft.user,
            text: draft.text,
        });
        let extent = Extent {
            head: publication.seq,
            time: publication.time,
            first: before.first,
        };
        let staged = self.staged.entry(room.clone()).or_insert_with(|| Staged {
            extent,
            keys: HashMap::new(),
        });
        staged.extent = extent;
        if let Some(scope) = scope {
            staged.keys.insert(scope, publication.seq);
        }
        let entry = Entry {
            publication,
            key: draft.key,
        };
        journal::encode(&mut self.bytes, &room, &entry);
        self.appended.push(Appending {
            room,
            before,
            entry,
            since,
            done,
        });
    }

    /// It is in the log: now all may know.
    fn tell(&mut self, committed: Committed) {
        self.count();
        {
            let mut logs = self.shared.logs();
            if !committed.filings.is_empty() {
                logs.cut(committed.needed);
            }
            for filing in committed.filings {
                logs.filed(filing);
            }
            for appending in &self.appended {
                let room = &appending.room;
                let keep = self.shared.options.retention.of(room);
                let entry = appending.entry.clone();
                logs.append(room, appending.before, entry, self.commit, keep);
            }
            if !self.appended.is_empty() {
                logs.recorded(Commit {
                    number: self.commit,
                    publications: self.appended.len(),
                    bytes: self.bytes.len(),
                });
                self.commit += 1;
            }
        }
        if !self.appended.is_empty() {
            self.shared.trouble().full = None;
        }
        let stored = self.appended.drain(..).map(Appending::stored);
        // Together: each wakes somebody, who on one core would go to work at once.
        self.shared.local.tell_stored(stored.collect());
        for (appended, done) in self.repeated.drain(..) {
            let _ = done.send(Ok(appended));
        }
        self.sweep = committed.sweep;
        self.staged.clear();
        self.bytes.clear();
    }

    fn count(&self) {
        if self.appended.is_empty() {
            return;
        }
        let (counts, now) = (&self.shared.counts, Instant::now());
        counts.commits.fetch_add(1, Ordering::Relaxed);
        let stored = self.appended.len() as u64;
        counts.stored.fetch_add(stored, Ordering::Relaxed);
        for Appending { since, .. } in &self.appended {
            counts
                .durable
                .observe(now.saturating_duration_since(*since), 1);
        }
    }

    fn refuse(&mut self, what: &Arc<str>) {
        self.shared.counts.failed.fetch_add(1, Ordering::Relaxed);
        let refused = || Err(EngineError::Failed(what.clone()).into());
        for job in self.jobs.drain(..) {
            let _ = job.done.send(refused());
        }
        let appended = self.appended.drain(..).map(|appending| appending.done);
        let repeated = self.repeated.drain(..).map(|(_, done)| done);
        for done in appended.chain(repeated) {
            let _ = done.send(refused());
        }
        self.sweep.1 = 0;
        self.staged.clear();
        self.bytes.clear();
    }

    /// Takes back what a failed commit began, and says what is wrong. After anything but a full
    /// disk nothing is written any more: what the disk has then is not known, and a second
    /// sync that succeeds would prove nothing.
    fn blame(&self, what: &str, error: &rusqlite::Error) -> Arc<str> {
        let text = say(what, error);
        if error.sqlite_error_code() != Some(ErrorCode::DiskFull) {
            return self.shared.fail(&text);
        }
        if !self.connection.is_autocommit()
            && let Err(error) = tables::execute(&self.connection, "ROLLBACK")
        {
            return self.shared.fail(&say(what, &error));
        }
        let text: Arc<str> = text.into();
        self.shared.trouble().full = Some(text.clone());
        text
    }

    fn checkpoint(&mut self, mode: &str) {
        self.pages.store(0, Ordering::Relaxed);
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        if let Err(error) = self.connection.query_row(&sql, [], |_| Ok(())) {
            self.blame("syncing", &error);
        }
    }

    /// Files everything, so that the next start has less to do.
    fn finish(mut self) {
        let failed = |shared: &Shared| shared.trouble().failed.is_some();
        while !failed(&self.shared) && !self.shared.logs().all_filed() {
            match self.write(self.shared.options.clock.now(), None) {
                Ok(committed) => self.tell(committed),
                Err(error) => {
                    self.blame("writing", &error);
                    return;
                }
            }
        }
        if failed(&self.shared) {
            return;
        }
        if let Err(error) = tables::set_meta(&self.connection, "unsynced", None) {
            self.blame("writing", &error);
            return;
        }
        self.checkpoint("TRUNCATE");
    }
}

/// What a person reads about a failure.
pub(super) fn say(what: &str, error: &rusqlite::Error) -> String {
    let todo = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full; free some space",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => {
            "the database is damaged; stop the server and restore the data directory from a copy"
        }
        Some(_) => "look after the disk, then start again",
    };
    format!("{what} the data failed ({error}): {todo}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use tokio::sync::oneshot;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::super::logs::Logs;
    use super::super::queue::Queue;
    use super::super::{Counts, DiskOptions, Local};
    use super::*;
    use crate::publication::Epoch;
    use crate::testing::{clock, draft, room};

    fn writer() -> Writer {
        let options = DiskOptions::new("e", clock(0).0);
        let shared = Shared {
            local: Local::new(0),
            epoch: Epoch::new("e"),
            logs: Mutex::new(Logs::new(0)),
            queue: Queue::new(1, 1),
            closed: false.into(),
            trouble: Mutex::default(),
            counts: Counts::default(),
            threads: Mutex::new(0),
            ended: Condvar::new(),
            lock: Mutex::new(None),
            options,
        };
        let connection = Connection::open_in_memory().expect("it opens");
        Writer::new(connection, Arc::new(shared))
    }

    #[test]
    fn a_writer_that_is_gone_before_the_commit_acknowledges_nothing() {
        let mut writer = writer();
        let mut waiting = Vec::new();
        for repeated in [None, Some(1)] {
            let (done, heard) = oneshot::channel();
            waiting.push(heard);
            let job = Job {
                room: room("oda"),
                draft: draft("ali", "x", None),
                since: Instant::now(),
                done,
            };
            writer.stage(job, Timestamp(0), Extent::EMPTY, repeated);
        }
        drop(writer);
        for mut heard in waiting {
            assert_eq!(heard.try_recv(), Err(TryRecvError::Closed));
        }
    }
}
