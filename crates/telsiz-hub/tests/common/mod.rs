//! A hub with one worker, whose lines write down what they get.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use telsiz_hub::{
    AllowAll, Appended, BoxFuture, Clock, Draft, Engine, EngineError, Event, Hub, HubOptions,
    IdempotencyKey, Identity, JoinError, Joining, Member, Memory, Outlet, Position, PublishError,
    Retention, RoomName, Seat, Slice, Step, Timestamp, User, Wanted, Worker,
};
use tokio::sync::Semaphore;

#[macro_use]
mod hand_on;

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a name")
}

pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An engine in memory whose reads wait for a permit when they have read.
#[derive(Debug)]
pub(crate) struct Gated {
    memory: Memory,
    pub(crate) gate: Semaphore,
    pub(crate) fails: std::sync::atomic::AtomicBool,
}

impl Gated {
    pub(crate) fn new(memory: Memory) -> Arc<Self> {
        Arc::new(Self {
            memory,
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            fails: false.into(),
        })
    }

    /// From now on reads wait.
    pub(crate) fn shut(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    /// One read goes on.
    pub(crate) fn let_one_through(&self) {
        self.gate.add_permits(1);
    }

    /// Reads wait no more.
    pub(crate) fn open(&self) {
        self.gate.add_permits(1 << 20);
    }
}

impl Engine for Gated {
    hand_on!(to memory: attach publish page presence tidy ready figures close);

    fn read<'a>(
        &'a self,
        room: &'a RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Slice, EngineError>> {
        Box::pin(async move {
            let slice = self.memory.read(room, after, limit).await;
            let permit = self.gate.acquire().await.expect("it is not closed");
            permit.forget();
            match self.fails.load(std::sync::atomic::Ordering::Relaxed) {
                true => Err(EngineError::Failed("the disk is broken".into())),
                false => slice,
            }
        })
    }
}

/// What a connection got: texts, and `!` where it lost something.
pub(crate) type Line = Arc<Mutex<Vec<String>>>;

pub(crate) fn taken(line: &Line) -> String {
    std::mem::take(&mut *lock(line)).join(" ")
}

/// Writes texts into lines.
#[derive(Default)]
pub(crate) struct Lines;

impl Outlet for Lines {
    type Line = Line;

    fn begin(&mut self, _: &RoomName, _: &[Event], _: bool) {}

    fn deliver(&mut self, line: &Line, events: &[Event], wanted: Wanted) {
        for (index, event) in events.iter().enumerate() {
            if let Event::Published(publication) = event
                && wanted.has(index)
            {
                lock(line).push(publication.text.clone());
            }
        }
    }

    fn end_turn(&mut self) {}

    fn lose(&mut self, line: &Line) {
        lock(line).push("!".into());
    }
}

pub(crate) struct House {
    pub(crate) engine: Arc<Gated>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) worker: Arc<Worker<Lines>>,
    pub(crate) run: Pin<Box<dyn Future<Output = ()>>>,
}

impl House {
    pub(crate) fn new(options: HubOptions, retention: Retention) -> Self {
        let clock = Clock::new(|| Timestamp(0));
        let engine = Gated::new(Memory::new("m", clock.clone(), retention, 500));
        let hub = Hub::new(engine.clone(), AllowAll, clock, options);
        let worker = hub.worker(Lines);
        let running = worker.clone();
        Self {
            engine,
            hub,
            worker,
            run: Box::pin(async move { running.run().await }),
        }
    }

    /// Polls the worker once.
    pub(crate) fn turn(&mut self) {
        let _ = poll(&mut self.run);
    }

    /// Polls the worker until it waits.
    pub(crate) fn deliver(&mut self) {
        for _ in 0..1000 {
            self.turn();
        }
    }

    pub(crate) fn drop_run(&mut self) {
        let worker = self.worker.clone();
        self.run = Box::pin(async move { worker.run().await });
    }

    pub(crate) fn member(&self, user: &str) -> Arc<Member> {
        self.hub.new_member(User::new(user, user))
    }

    /// Publishes, whether there is room or not.
    pub(crate) fn say(&self, name: &str, text: &str) -> Position {
        self.say_with(name, text, None)
    }

    pub(crate) fn say_with(&self, name: &str, text: &str, key: Option<&str>) -> Position {
        let draft = Draft {
            user: User::new("u", "u"),
            text: text.into(),
            key: key.map(|key| IdempotencyKey::new(key).expect("a key")),
        };
        let name = room(name);
        let mut publish = self.engine.publish(&name, draft);
        match poll(&mut publish) {
            Poll::Ready(appended) => appended.expect("it is appended").position,
            Poll::Pending => panic!("it waits"),
        }
    }

    /// Joins while nothing waits.
    pub(crate) fn join(&self, name: &str, member: &Arc<Member>, line: &Line) -> Seat<Lines> {
        match poll(&mut Box::pin(join(&self.worker, name, member, line))) {
            Poll::Ready(seat) => seat,
            Poll::Pending => panic!("it waits"),
        }
    }

    pub(crate) fn members(&self, name: &str) -> usize {
        let name = room(name);
        let mut listing = self.engine.presence().members(&name, 0);
        match poll(&mut listing) {
            Poll::Ready(listing) => listing.expect("a listing").connections,
            Poll::Pending => panic!("it waits"),
        }
    }
}

/// Publishes as the hub does, when there is room.
pub(crate) async fn publish(hub: &Hub, name: &str, text: &str) -> Result<Appended, PublishError> {
    let draft = Draft {
        user: User::new("u", "u"),
        text: text.into(),
        key: None,
    };
    hub.publish(Identity::Http, &room(name), draft).await
}

/// Takes what was missed into the line, and sits down.
pub(crate) async fn sit_down(
    mut joining: Joining<Lines>,
    line: &Line,
) -> Result<Seat<Lines>, JoinError> {
    loop {
        match joining.step(line).await? {
            Step::Missed(rest, missed) => {
                joining = rest;
                lock(line).extend(missed.iter().map(|publication| publication.text.clone()));
            }
            Step::Joined(seat) => return Ok(seat),
        }
    }
}

/// Joins without a position.
pub(crate) async fn join(
    worker: &Arc<Worker<Lines>>,
    name: &str,
    member: &Arc<Member>,
    line: &Line,
) -> Seat<Lines> {
    let joining = worker.join(&room(name), member, None).await;
    finish(joining.expect("it joins"), line).await
}

/// As [`sit_down`], which succeeds.
pub(crate) async fn finish(joining: Joining<Lines>, line: &Line) -> Seat<Lines> {
    sit_down(joining, line).await.expect("it joins")
}

pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What a future gives that only lets others run.
pub(crate) fn soon<F: Future + Unpin>(mut future: F) -> F::Output {
    for _ in 0..100 {
        if let Poll::Ready(value) = poll(&mut future) {
            return value;
        }
    }
    panic!("it waits");
}
