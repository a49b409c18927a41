//! What a connection got in a room, and whether it was what it should have been.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use telsiz_hub::{
    ConnectionId, Ephemeral, Epoch, Event, Outlet, Position, Publication, RoomName, Signal, Wanted,
};

/// What everyone must agree on, and what went wrong.
#[derive(Default)]
pub(crate) struct Ledger {
    texts: HashMap<(RoomName, Epoch, u64), String>,
    places: HashMap<(RoomName, Epoch, String), BTreeSet<u64>>,
    /// The newest that anybody saw of a log, or that was acknowledged.
    newest: HashMap<RoomName, Position>,
    pub(crate) failures: Vec<String>,
}

pub(crate) type Shared<T> = Arc<Mutex<T>>;

pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    pub(crate) fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// Somebody saw that this stands there.
    pub(crate) fn note(&mut self, room: &RoomName, at: &Position, text: &str) {
        let place = (room.clone(), at.epoch.clone(), at.seq);
        let known = self.texts.entry(place).or_insert_with(|| text.into());
        if known != text {
            let failure = format!("{room}: at {} {} are {known} and {text}", at.epoch, at.seq);
            self.fail(failure);
        }
        let text = (room.clone(), at.epoch.clone(), text.into());
        self.places.entry(text).or_default().insert(at.seq);
        let newest = self.newest.entry(room.clone()).or_insert(at.clone());
        if newest.epoch != at.epoch || newest.seq < at.seq {
            *newest = at.clone();
        }
    }

    pub(crate) fn places(&self, room: &RoomName, at: &Position, text: &str) -> BTreeSet<u64> {
        let text = (room.clone(), at.epoch.clone(), text.into());
        self.places.get(&text).cloned().unwrap_or_default()
    }

    pub(crate) fn newest(&self) -> Vec<(RoomName, Position)> {
        let newest = self.newest.iter();
        newest
            .map(|(room, at)| (room.clone(), at.clone()))
            .collect()
    }

    /// What was stored is not expected to be there any more.
    pub(crate) fn forget(&mut self) {
        self.newest.clear();
    }
}

/// What a connection got in a room.
pub(crate) struct Record {
    pub(crate) room: RoomName,
    pub(crate) me: ConnectionId,
    ledger: Shared<Ledger>,
    /// The statuses that the connection was told, in any room.
    told: Shared<Vec<Arc<Ephemeral>>>,
    /// What comes next follows this.
    pub(crate) last: Option<Position>,
    /// It may go on anywhere up to behind this, once.
    pub(crate) or_behind: Option<u64>,
    pub(crate) is_lost: bool,
    /// It was there, and had everything, when nothing was going on.
    pub(crate) is_settled: bool,
    /// It left: nothing may come.
    pub(crate) is_over: bool,
    /// How often it joined.
    pub(crate) joins: u32,
    signals: Vec<Arc<Ephemeral>>,
    /// Whom it believes to be there, if it was there when that was asked.
    pub(crate) present: Option<BTreeSet<ConnectionId>>,
}

impl Record {
    pub(crate) fn new(
        room: RoomName,
        me: ConnectionId,
        ledger: Shared<Ledger>,
        told: Shared<Vec<Arc<Ephemeral>>>,
    ) -> Self {
        Self {
            room,
            me,
            ledger,
            told,
            last: None,
            or_behind: None,
            is_lost: false,
            is_settled: false,
            is_over: false,
            joins: 0,
            signals: Vec::new(),
            present: None,
        }
    }

    pub(crate) fn fail(&self, failure: &str) {
        let Self { room, me, last, .. } = self;
        let failure = format!("{} in {room}, at {last:?}: {failure}", me.0);
        lock(&self.ledger).fail(failure);
    }

    pub(crate) fn publication(&mut self, publication: &Publication) {
        if self.is_over {
            self.fail(&format!("gets {} after it left", publication.seq));
        }
        let at = publication.position();
        lock(&self.ledger).note(&self.room, &at, &publication.text);
        // It comes back with what it knew before.
        if self.is_lost {
            return;
        }
        let Some(last) = &self.last else {
            return self.fail("gets something before it joined");
        };
        let is_next = at.seq == last.seq + 1;
        let may_skip = self.or_behind.is_some_and(|most| at.seq <= most + 1);
        if at.epoch != last.epoch {
            self.fail(&format!("gets another epoch, {at:?}"));
        } else if at.seq <= last.seq {
            self.fail(&format!("gets {} again", at.seq));
        } else if !is_next && !may_skip {
            self.fail(&format!("gets {}: a gap", at.seq));
        }
        self.or_behind = None;
        self.last = Some(at);
    }

    fn signal(&mut self, event: &Arc<Ephemeral>) {
        if self.is_over {
            self.fail("gets a signal after it left");
        }
        if event.origin.connection == self.me {
            self.fail("gets its own signal");
        }
        if self.signals.iter().any(|known| Arc::ptr_eq(known, event)) {
            self.fail("gets a signal again");
        }
        self.signals.push(event.clone());
        match event.signal {
            Signal::Joined => self.see(event.origin.connection, true),
            Signal::Left => self.see(event.origin.connection, false),
            Signal::Typing => {}
            Signal::Status { .. } => {
                let mut told = lock(&self.told);
                if told.iter().any(|known| Arc::ptr_eq(known, event)) {
                    self.fail("gets a status again");
                }
                told.push(event.clone());
            }
        }
    }

    fn see(&mut self, who: ConnectionId, is_there: bool) {
        if let Some(present) = &mut self.present {
            match is_there {
                true => present.insert(who),
                false => present.remove(&who),
            };
        }
    }

    /// Whether `who` was seen typing at that time.
    pub(crate) fn saw_typing(&self, who: ConnectionId, time: u64) -> bool {
        self.signals.iter().any(|event| {
            matches!(event.signal, Signal::Typing)
                && event.origin.connection == who
                && event.time.0 == time
        })
    }
}

/// Writes what comes into the records.
#[derive(Default)]
pub(crate) struct Recorder {
    room: Option<RoomName>,
    events: usize,
}

impl Outlet for Recorder {
    type Line = Shared<Record>;

    fn begin(&mut self, room: &RoomName, events: &[Event], _: bool) {
        self.room = Some(room.clone());
        self.events = events.len();
    }

    fn deliver(&mut self, line: &Self::Line, events: &[Event], wanted: Wanted) {
        let mut record = lock(line);
        if self.room.as_ref() != Some(&record.room) || self.events != events.len() {
            record.fail("gets what was begun elsewhere");
        }
        if wanted.is_empty() {
            record.fail("gets nothing");
        }
        for (index, event) in events.iter().enumerate() {
            match event {
                _ if !wanted.has(index) => {}
                Event::Published(publication) => record.publication(publication),
                Event::Ephemeral(event) => record.signal(event),
            }
        }
    }

    fn end_turn(&mut self) {}

    fn lose(&mut self, line: &Self::Line) {
        lock(line).is_lost = true;
    }
}
