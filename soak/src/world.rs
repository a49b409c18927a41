//! What all clients of a run share: where the server is, what they are to do, what they know.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::oracle::{Entry, Oracle, Violation};
use crate::seats::Seats;
use crate::tally::Tally;

/// After so long without running, what clients waited for says nothing about the server.
const FROZEN: Duration = Duration::from_secs(3);

/// So long after that they find out.
const THAWED: Duration = Duration::from_secs(5);

/// What clients are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As they please.
    Load,
    /// Members stay and say nothing new; all others go.
    Hush,
    /// All go.
    Leave,
}

/// How the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// How often it went down.
    pub(crate) number: u64,
    pub(crate) is_up: bool,
}

/// A violation, and what who found it had heard.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: Duration,
    pub(crate) by: String,
    pub(crate) violation: Violation,
    pub(crate) heard: Vec<String>,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) tally: Tally,
    begun: Instant,
    oracle: Mutex<Oracle>,
    members: Mutex<Vec<Arc<Mutex<Seats>>>>,
    mode: watch::Sender<Mode>,
    life: watch::Sender<Life>,
    /// When this process was seen running last, and when it had not run for long before.
    seen: Mutex<(Instant, Option<Instant>)>,
    found: Mutex<Vec<Found>>,
    failed: watch::Sender<bool>,
}

impl World {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            tally: Tally::default(),
            begun: Instant::now(),
            oracle: Mutex::default(),
            members: Mutex::default(),
            mode: watch::Sender::new(Mode::Leave),
            life: watch::Sender::new(Life {
                number: 0,
                is_up: false,
            }),
            seen: Mutex::new((Instant::now(), None)),
            found: Mutex::default(),
            failed: watch::Sender::new(false),
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    pub(crate) fn oracle(&self) -> MutexGuard<'_, Oracle> {
        lock(&self.oracle)
    }

    pub(crate) fn newest(&self, room: &str) -> u64 {
        self.oracle().newest(room)
    }

    pub(crate) fn stands(&self, room: &str, entry: Entry<'_>) -> Result<(), Violation> {
        self.oracle().stands(room, entry)
    }

    /// The members of this phase.
    pub(crate) fn members(&self) -> Vec<Arc<Mutex<Seats>>> {
        lock(&self.members).clone()
    }

    pub(crate) fn enter(&self, seats: Arc<Mutex<Seats>>) {
        lock(&self.members).push(seats);
    }

    pub(crate) fn forget_members(&self) {
        lock(&self.members).clear();
    }

    pub(crate) fn mode(&self) -> watch::Receiver<Mode> {
        self.mode.subscribe()
    }

    pub(crate) fn is_load(&self) -> bool {
        *self.mode.borrow() == Mode::Load
    }

    pub(crate) fn ask_for(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub(crate) fn life(&self) -> Life {
        *self.life.borrow()
    }

    /// The server is about to end.
    pub(crate) fn goes_down(&self) {
        self.life.send_modify(|life| {
            life.number += 1;
            life.is_up = false;
        });
    }

    pub(crate) fn is_up(&self) {
        self.life.send_modify(|life| life.is_up = true);
    }

    /// Waits until the server is up.
    pub(crate) async fn up(&self) -> Life {
        let mut life = self.life.subscribe();
        match life.wait_for(|life| life.is_up).await {
            Ok(life) => *life,
            Err(_) => self.life(),
        }
    }

    /// Whether what ended may have ended with the server, which was like `before` then, or because it was ourselves
    /// that did not answer.
    pub(crate) fn is_excused(&self, before: Life) -> bool {
        self.life() != before || self.was_frozen()
    }

    /// Whether the machine did not let this process run a moment ago.
    fn was_frozen(&self) -> bool {
        let (seen, frozen) = &mut *lock(&self.seen);
        if seen.elapsed() > FROZEN {
            *frozen = Some(Instant::now());
            self.tally.count("freezes");
        }
        *seen = Instant::now();
        frozen.is_some_and(|frozen| frozen.elapsed() < THAWED)
    }

    /// Sees again and again that this process runs.
    pub(crate) async fn watch_ourselves(&self) {
        loop {
            self.was_frozen();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for `time`, or until something else is to be done.
    pub(crate) async fn pause(&self, time: Duration) {
        let mut mode = self.mode();
        mode.mark_unchanged();
        if *mode.borrow() == Mode::Load {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                _ = mode.changed() => {}
            }
        }
    }

    /// The server did what it must not.
    pub(crate) fn violated(&self, by: &str, violation: Violation, heard: &Heard) {
        lock(&self.found).push(Found {
            at: self.elapsed(),
            by: by.into(),
            violation,
            heard: heard.lines(),
        });
        self.failed.send_replace(true);
    }

    /// The same, in words.
    pub(crate) fn complain(&self, by: &str, what: impl Into<String>) {
        self.violated(by, Violation::Other(what.into()), &Heard::default());
    }

    /// Waits until something was found.
    pub(crate) async fn failed(&self) {
        let mut failed = self.failed.subscribe();
        let _ = failed.wait_for(|failed| *failed).await;
    }

    pub(crate) fn found(&self) -> Vec<Found> {
        std::mem::take(&mut *lock(&self.found))
    }
}

/// What a client said and heard lately.
#[derive(Debug, Default)]
pub(crate) struct Heard(VecDeque<String>);

impl Heard {
    /// So many lines are kept.
    const LINES: usize = 40;

    pub(crate) fn note(&mut self, at: Duration, what: &str, text: &str) {
        if self.0.len() == Self::LINES {
            self.0.pop_front();
        }
        let text: String = text.chars().take(200).collect();
        self.0
            .push_back(format!("{:9.3} {what} {text}", at.as_secs_f64()));
    }

    fn lines(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

/// Locks, also after a panic elsewhere.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
