//! What a run stores on: an engine, and what is left of it when its process ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use telsiz_hub::{
    Appended, BoxFuture, Clock, Draft, Engine, EngineError, Memory, PublishError, Retention,
    RoomName, Slice,
};

use super::random::Random;

/// What a run stores on.
pub(crate) trait Storage {
    /// An engine on what is durable.
    fn open(&self, clock: Clock, retention: Retention, announce_limit: usize) -> Opened;

    /// The process of the engine ends here and now.
    fn crash(&self);

    /// Whether what was acknowledged survives that.
    fn is_durable(&self) -> bool;

    /// Nothing is left of what was stored.
    fn wipe(&self) {}

    /// The next writing fails. Whether it will.
    fn fail_write(&self) -> bool {
        false
    }

    /// The next reading fails. Whether it will.
    fn fail_read(&self) -> bool {
        false
    }

    /// How long to wait for threads of its own.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

pub(crate) struct Opened {
    pub(crate) engine: Arc<dyn Engine>,
    /// To be polled while the process lives.
    pub(crate) background: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

/// Counts how many publish at once.
#[derive(Debug)]
pub(crate) struct Counted {
    engine: Arc<dyn Engine>,
    /// Who gave up may still be published: it counts on.
    publishing: AtomicUsize,
    most: AtomicUsize,
}

impl Counted {
    pub(crate) fn new(engine: Arc<dyn Engine>) -> Self {
        Self {
            engine,
            publishing: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }

    /// Nothing is going on.
    pub(crate) fn settle(&self) {
        self.publishing.store(0, Ordering::Relaxed);
        self.most.store(0, Ordering::Relaxed);
    }

    /// How many at the most since nothing was going on.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Engine for Counted {
    hand_on!(to engine: attach read page presence tidy ready close);

    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>> {
        Box::pin(async move {
            let publishing = self.publishing.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(publishing, Ordering::Relaxed);
            let appended = self.engine.publish(room, draft).await;
            self.publishing.fetch_sub(1, Ordering::Relaxed);
            appended
        })
    }
}

/// Engines in memory, whose answers take as long as a seed decides.
pub(crate) struct InMemory {
    random: Arc<Random>,
}

impl InMemory {
    pub(crate) fn new(random: Arc<Random>) -> Self {
        Self { random }
    }
}

impl Storage for InMemory {
    fn open(&self, clock: Clock, retention: Retention, announce_limit: usize) -> Opened {
        let name = format!("memory-{}", self.random.next());
        let memory = Memory::new(&name, clock, retention, announce_limit);
        let engine = Arc::new(Slow {
            memory,
            random: self.random.clone(),
        });
        Opened {
            engine,
            background: None,
        }
    }

    fn crash(&self) {}

    fn is_durable(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Slow {
    memory: Memory,
    random: Arc<Random>,
}

impl Engine for Slow {
    hand_on!(to memory: attach page presence tidy ready close);

    fn publish<'a>(
        &'a self,
        room: &'a RoomName,
        draft: Draft,
    ) -> BoxFuture<'a, Result<Appended, PublishError>> {
        Box::pin(async move {
            self.random.pause(3).await;
            let appended = self.memory.publish(room, draft).await;
            self.random.pause(3).await;
            appended
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
            let slice = self.memory.read(room, after, limit).await;
            self.random.pause(4).await;
            slice
        })
    }
}
