//! An engine that keeps logs in a database in a directory.
//!
//! ```text
//! publish → Queue → writer: journal, COMMIT → Logs (memory) → subscribers, acknowledgements
//!                           later: filed by room, the journal cut
//! read    → Logs, or if it is not there: reader → tables → Logs
//! ```

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use self::log::Ask;
use self::logs::{Logs, View};
use self::open::Lock;
use self::queue::{Closing, Job, Queue};
use self::reader::{Load, Reader};
use self::writer::Writer;
use super::local::Local;
use super::{
    Appended, BoxFuture, Engine, EngineError, HistoryPage, Presence, PublishError, Slice,
    Subscriber,
};
use crate::figures::{EngineFigures, Histogram};
use crate::name::RoomName;
use crate::publication::{Draft, Epoch};

pub use self::open::OpenError;
pub use self::options::{DiskOptions, Durability};

mod journal;
mod log;
mod logs;
mod open;
mod options;
mod queue;
mod reader;
mod tables;
mod writer;

/// How long `close` waits for the disk where it can only block.
const CLOSE: Duration = Duration::from_secs(10);

/// How long dropping waits for the thread that writes, so that the directory is free then.
const DROP: Duration = Duration::from_secs(1);

/// Logs in a directory: they go on when the process ends, however it does.
pub struct Disk {
    shared: Arc<Shared>,
    /// To the reader; `None` once it is closed.
    loads: Mutex<Option<mpsc::Sender<Load>>>,
}

/// What the engine and its threads share.
struct Shared {
    local: Local,
    options: DiskOptions,
    epoch: Epoch,
    logs: Mutex<Logs>,
    queue: Queue,
    closed: AtomicBool,
    trouble: Mutex<Trouble>,
    counts: Counts,
    /// How many of the threads still run.
    threads: Mutex<usize>,
    ended: Condvar,
    /// Nobody else has the directory until the last thread ended.
    lock: Mutex<Option<Lock>>,
}

/// Why it cannot append.
#[derive(Default)]
struct Trouble {
    /// Nothing is written any more.
    failed: Option<Arc<str>>,
    /// It may work the next time.
    full: Option<Arc<str>>,
}

/// What the writer did.
#[derive(Default)]
struct Counts {
    /// Commits with publications.
    commits: AtomicU64,
    stored: AtomicU64,
    failed: AtomicU64,
    durable: Histogram,
}

impl Disk {
    /// Opens the logs in `dir`, or makes the directory if there is none. It belongs to one
    /// process at a time.
    ///
    /// # Errors
    ///
    /// If they cannot be read and written. Nothing is ever given up for a fresh start.
    pub fn open(dir: impl AsRef<Path>, options: DiskOptions) -> Result<Self, OpenError> {
        let dir = dir.as_ref();
        let opened = open::open(dir, &options)?;
        let shared = Arc::new(Shared {
            local: Local::new(options.announce_limit),
            epoch: opened.epoch,
            logs: Mutex::new(opened.logs),
            queue: Queue::new(options.queue, options.queue_bytes),
            closed: AtomicBool::new(false),
            trouble: Mutex::default(),
            counts: Counts::default(),
            threads: Mutex::new(2),
            ended: Condvar::new(),
            lock: Mutex::new(Some(opened.lock)),
            options,
        });
        let (loads, waiting) = mpsc::channel(shared.options.readers.max(1));
        // Dropped, it ends the threads that were started.
        let disk = Self {
            shared: shared.clone(),
            loads: Mutex::new(Some(loads)),
        };
        let writer = Writer::new(opened.writer, shared.clone());
        let reader = Reader::new(opened.reader, shared.clone());
        let start = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let running = Running(shared.clone());
            let body = move || {
                let _running = running;
                run();
            };
            let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
            thread.map_err(|error| OpenError::Failed {
                dir: dir.into(),
                error: error.to_string(),
            })
        };
        start("telsiz-disk", Box::new(|| writer.run()))?;
        start("telsiz-read", Box::new(|| reader.run(waiting)))?;
        Ok(disk)
    }

    async fn append(&self, room: &RoomName, draft: Draft) -> Result<Appended, PublishError> {
        self.shared.open()?;
        let (done, appended) = oneshot::channel();
        self.shared.queue.push(Job {
            room: room.clone(),
            draft,
            since: Instant::now(),
            done,
        })?;
        match appended.await {
            Ok(appended) => appended,
            Err(_) => Err(self.shared.gone().into()),
        }
    }

    /// What is in memory is there at once.
    fn look(&self, room: &RoomName, ask: Ask) -> Result<Option<View>, EngineError> {
        if self.shared.closed.load(Ordering::Acquire) {
            return Err(EngineError::Closed);
        }
        let keep = self.shared.options.retention.of(room);
        let now = self.shared.options.clock.now();
        Ok(self.shared.logs().answer(room, keep, now, ask))
    }

    async fn load(&self, room: &RoomName, ask: Ask) -> Result<View, EngineError> {
        let loads = {
            let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
            loads.clone().ok_or(EngineError::Closed)?
        };
        let (done, view) = oneshot::channel();
        let load = Load {
            room: room.clone(),
            ask,
            done,
        };
        let sent = loads.send(load).await;
        sent.map_err(|_| self.shared.gone())?;
        view.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        room: &'a RoomName,
        ask: Ask,
        answer: impl FnOnce(&Shared, View) -> T + Send + 'a,
    ) -> BoxFuture<'a, Result<T, EngineError>> {
        match self.look(room, ask) {
            Ok(Some(view)) => Box::pin(std::future::ready(Ok(answer(&self.shared, view)))),
            Ok(None) => Box::pin(async move {
                let view = self.load(room, ask).await?;
                Ok(answer(&self.shared, view))
            }),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }
    }

    fn end(&self, how: Closing) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.queue.close(how);
        *self.loads.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Shared {
    fn logs(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is worth while to try to append.
    fn open(&self) -> Result<(), EngineError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(EngineError::Closed);
        }
        match &self.trouble().failed {
            Some(what) => Err(EngineError::Failed(what.clone())),
            None => Ok(()),
        }
    }

    /// Nothing is written any more. What is said first stays.
    fn fail(&self, what: &str) -> Arc<str> {
        let mut trouble = self.trouble();
        trouble.failed.get_or_insert_with(|| what.into()).clone()
    }

    /// Why a thread did not answer.
    fn gone(&self) -> EngineError {
        match self.open() {
            Err(error) => error,
            Ok(()) => EngineError::Failed("the disk is no longer served; start again".into()),
        }
    }

    /// Waits until the threads ended.
    fn wait(&self, at_most: Duration) {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self
            .ended
            .wait_timeout_while(threads, at_most, |threads| *threads > 0);
    }
}

/// A thread that runs, or is about to.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0
                .fail("writing or reading the data ended with a panic; start again");
            self.0.queue.close(Closing::Abandoned);
        }
        let threads = self.0.threads.lock();
        let mut threads = threads.unwrap_or_else(PoisonError::into_inner);
        *threads -= 1;
        if *threads == 0 {
            let lock = self.0.lock.lock();
            *lock.unwrap_or_else(PoisonError::into_inner) = None;
            self.0.ended.notify_all();
        }
    }
}

impl Engine for Disk {
    fn attach(&self, subscriber: Arc<dyn Subscriber>) {
        self.shared.local.attach(subscriber);
    }

    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>> {
        Box::pin(self.append(room, draft))
    }

    fn read<'a>(
        &'a self,
        room: &'a RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Slice, EngineError>> {
        self.ask(room, Ask::Read { after, limit }, |shared, view| Slice {
            epoch: shared.epoch.clone(),
            head: view.extent.head,
            oldest: view.extent.first,
            publications: view.publications,
        })
    }

    fn page<'a>(
        &'a self,
        room: &'a RoomName,
        page: usize,
        per_page: usize,
    ) -> BoxFuture<'a, Result<HistoryPage, EngineError>> {
        self.ask(room, Ask::Page { page, per_page }, |_, view| HistoryPage {
            publications: view.publications,
            total_pages: view.total_pages,
        })
    }

    fn presence(&self) -> &dyn Presence {
        &self.shared.local
    }

    fn tidy(&self) {
        self.shared.queue.tidy();
    }

    fn ready(&self) -> Result<(), EngineError> {
        self.shared.open()?;
        match &self.shared.trouble().full {
            Some(what) => Err(EngineError::Failed(what.clone())),
            None => Ok(()),
        }
    }

    fn figures(&self) -> EngineFigures {
        let Shared { queue, counts, .. } = &*self.shared;
        let (queue, queue_limit) = queue.len();
        EngineFigures {
            queue,
            queue_limit,
            commits: counts.commits.load(Ordering::Relaxed),
            stored: counts.stored.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            durable: counts.durable.read(),
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.end(Closing::Orderly);
        let shared = self.shared.clone();
        let (done, ended) = oneshot::channel();
        let wait = move || {
            shared.wait(Duration::MAX);
            let _ = done.send(());
        };
        let waiter = thread::Builder::new().spawn(wait);
        Box::pin(async move {
            match waiter {
                Ok(_) => drop(ended.await),
                Err(_) => self.shared.wait(CLOSE),
            }
        })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.end(Closing::Abandoned);
        self.shared.wait(DROP);
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}
