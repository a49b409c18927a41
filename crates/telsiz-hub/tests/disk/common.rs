//! Directories, clocks, and questions that tests ask.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use telsiz_hub::{
    Appended, Clock, Disk, DiskOptions, Draft, Engine, IdempotencyKey, Keep, Publication,
    PublishError, Retention, RoomName, Slice, Timestamp, User,
};

/// A directory that is gone with the test.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("disk-{}-{count}", std::process::id());
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.file("telsiz.db")
    }

    /// What a process that ends now leaves behind.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        // The log first: the database alone may be newer, and has no harm of an older log.
        for name in ["telsiz.db-wal", "telsiz.db"] {
            let _ = std::fs::copy(self.file(name), copy.file(name));
        }
        copy
    }
}

impl Dir {
    /// All that is there.
    #[cfg(target_os = "linux")]
    pub(crate) fn copy_all(&self) -> Self {
        let copy = Self::new();
        for entry in std::fs::read_dir(&self.0).expect("a directory").flatten() {
            std::fs::copy(entry.path(), copy.0.join(entry.file_name())).expect("a copy");
        }
        copy
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A time that the test sets, in milliseconds.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicU64>);

impl Time {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000)))
    }

    pub(crate) fn set(&self, time: u64) {
        self.0.store(time, Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = self.0.clone();
        Clock::new(move || Timestamp(time.load(Ordering::SeqCst)))
    }
}

pub(crate) fn options(name: &str) -> DiskOptions {
    DiskOptions::new(name, Time::new().clock())
}

pub(crate) fn keeping(count: usize) -> Retention {
    Retention::of_all(Keep {
        count,
        ..Keep::default()
    })
}

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a name")
}

pub(crate) fn draft(text: &str) -> Draft {
    Draft {
        user: User::new("ayşe", "Ayşe"),
        text: text.to_owned(),
        key: None,
    }
}

pub(crate) fn keyed(user: &str, key: &str, text: &str) -> Draft {
    Draft {
        user: User::new(user, user),
        text: text.to_owned(),
        key: Some(IdempotencyKey::new(key).expect("a key")),
    }
}

pub(crate) async fn publish(engine: &Disk, name: &str, text: &str) -> u64 {
    let appended = engine.publish(&room(name), draft(text)).await;
    appended.expect("it is appended").position.seq
}

pub(crate) async fn publish_keyed(
    engine: &Disk,
    name: &str,
    draft: Draft,
) -> Result<(u64, bool), PublishError> {
    let appended = engine.publish(&room(name), draft).await;
    appended.map(|Appended { position, repeated }| (position.seq, repeated))
}

pub(crate) async fn read(engine: &Disk, name: &str, after: u64) -> Slice {
    let slice = engine.read(&room(name), after, usize::MAX).await;
    slice.expect("it is read")
}

/// The numbers and the texts.
pub(crate) fn texts(publications: &[Arc<Publication>]) -> Vec<(u64, &str)> {
    let texts = publications.iter();
    texts.map(|p| (p.seq, p.text.as_str())).collect()
}

/// Begins, and goes on with what comes back. It may be done at once.
pub(crate) fn begin<T>(mut future: impl Future<Output = T> + Unpin) -> impl Future<Output = T> {
    let done = at_once(&mut future);
    async move {
        match done {
            Some(done) => done,
            None => future.await,
        }
    }
}

/// What a future has to say right away.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
