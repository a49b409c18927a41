//! Hubs with their workers, clients, and what is expected of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use telsiz_hub::{
    AllowAll, Clock, ConnectionId, Draft, Engine, Ephemeral, Hub, HubOptions, IdempotencyKey,
    Identity, JoinError, Keep, Member, Position, ReadError, Retention, RoomName, Seat, Status,
    Step as Joined, Timestamp, User, Worker,
};

use super::executor::{Executor, TaskId};
use super::random::Random;
use super::record::{Ledger, Record, Recorder, Shared, lock};
use super::script::{Setup, Since, Step};
use super::storage::{Counted, Storage};

const CLIENTS: u8 = 8;
const ROOMS: u8 = 3;
const USERS: u8 = 5;

/// The most that a publication weighs here.
const WEIGHT: usize = 512;

/// More steps than anything needs: something goes on for ever.
const MOST_STEPS: usize = 100_000;

pub(crate) struct World {
    setup: Setup,
    random: Arc<Random>,
    executor: Rc<Executor>,
    storage: Box<dyn Storage>,
    time: Arc<AtomicU64>,
    ledger: Shared<Ledger>,
    process: Option<Process>,
    clients: Vec<Client>,
    drafts: u64,
    publishing: Vec<TaskId>,
    typed: Vec<Typed>,
    /// Whether anything happened by which somebody may be told that it lost something.
    may_lose: bool,
    /// Whether logs that nobody needed may be others now.
    may_begin_again: bool,
}

struct Process {
    engine: Arc<Counted>,
    hubs: Vec<Node>,
}

struct Node {
    hub: Arc<Hub>,
    workers: Vec<(Arc<Worker<Recorder>>, TaskId)>,
}

struct Client {
    member: Arc<Member>,
    told: Shared<Vec<Arc<Ephemeral>>>,
    places: BTreeMap<u8, Place>,
}

/// Somebody typed.
struct Typed {
    who: ConnectionId,
    time: u64,
    /// Those who must have seen it, and how often they had joined.
    seen_by: Vec<(Shared<Record>, u32)>,
}

/// A client in a room, or on its way there.
struct Place {
    record: Shared<Record>,
    seat: Rc<RefCell<Option<Seat<Recorder>>>>,
    task: TaskId,
}

impl Place {
    /// What it knows when it comes again.
    fn last(&self) -> Option<Position> {
        lock(&self.record).last.clone()
    }
}

fn room(number: u8) -> RoomName {
    RoomName::new(&format!("r{}", number % ROOMS)).expect("a name")
}

impl World {
    pub(crate) fn new(setup: &Setup, storage: Box<dyn Storage>, random: Arc<Random>) -> Self {
        let mut world = Self {
            may_lose: setup.age < 1 << 40,
            setup: setup.clone(),
            random,
            executor: Rc::default(),
            storage,
            time: Arc::new(AtomicU64::new(1 << 41)),
            ledger: Arc::default(),
            process: None,
            clients: Vec::new(),
            drafts: 0,
            publishing: Vec::new(),
            typed: Vec::new(),
            may_begin_again: false,
        };
        world.start();
        world
    }

    fn start(&mut self) {
        let time = self.time.clone();
        let clock = Clock::new(move || Timestamp(time.load(Ordering::Relaxed)));
        let retention = Retention::of_all(Keep {
            count: self.setup.keep,
            age: Duration::from_millis(self.setup.age),
        });
        let limit = self.setup.announce_limit;
        let opened = self.storage.open(clock, retention, limit);
        if let Some(background) = opened.background {
            self.executor.spawn(background);
        }
        self.process = Some(Process {
            engine: Arc::new(Counted::new(opened.engine)),
            hubs: Vec::new(),
        });
        for number in 0..self.setup.hubs {
            let node = self.node(number);
            self.process().hubs.push(node);
        }
        self.clients.clear();
        for number in 0..CLIENTS {
            let client = self.client(number);
            self.clients.push(client);
        }
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    fn engine(&self) -> Arc<dyn Engine> {
        self.process.as_ref().expect("it runs").engine.clone()
    }

    fn node(&mut self, number: usize) -> Node {
        let time = self.time.clone();
        let clock = Clock::new(move || Timestamp(time.load(Ordering::Relaxed)));
        let options = HubOptions {
            inbox: self.setup.inbox,
            turn: self.setup.turn,
            node: number.try_into().expect("a small number"),
            max_members: self.setup.max_members,
            max_text: None,
        };
        let hub = Hub::new(self.engine(), AllowAll, clock, options);
        let workers = (0..self.setup.workers).map(|_| {
            let worker = hub.worker(Recorder::default());
            let task = self.run(worker.clone());
            (worker, task)
        });
        Node {
            workers: workers.collect(),
            hub,
        }
    }

    fn run(&self, worker: Arc<Worker<Recorder>>) -> TaskId {
        self.executor.spawn(async move { worker.run().await })
    }

    fn client(&mut self, number: u8) -> Client {
        let user = User::new(&format!("u{}", number % USERS), "somebody");
        let hub = self.hub_of(number);
        Client {
            member: self.process().hubs[hub].hub.new_member(user),
            told: Arc::default(),
            places: BTreeMap::new(),
        }
    }

    fn hub_of(&self, client: u8) -> usize {
        usize::from(client) % self.setup.hubs
    }

    fn worker_of(&self, client: u8) -> Arc<Worker<Recorder>> {
        let node = &self.process.as_ref().expect("it runs").hubs[self.hub_of(client)];
        let number = usize::from(client) / self.setup.hubs % self.setup.workers;
        node.workers[number].0.clone()
    }

    pub(crate) fn play(&mut self, step: &Step) {
        self.time.fetch_add(1, Ordering::Relaxed);
        match *step {
            Step::Join(who, room, since) => self.join(who % CLIENTS, room % ROOMS, since),
            Step::Leave(who, room) => self.leave(who % CLIENTS, room % ROOMS),
            Step::Publish(who, room, key) => self.publish(who % CLIENTS, room, key),
            Step::Burst(who, room, count) => self.burst(who % CLIENTS, room, count),
            Step::Typing(who, room) => self.typing(who % CLIENTS, room % ROOMS),
            Step::Status(who) => self.status(who % CLIENTS),
            Step::Run(steps) => {
                for _ in 0..steps {
                    self.executor.step(&self.random);
                    self.check_inboxes();
                    self.check_sizes();
                }
            }
            Step::Settle => self.settle(),
            Step::Cancel(which) => self.cancel(which.into()),
            Step::StopWorker(which) => self.stop_worker(which.into()),
            Step::RestartHub(which) => self.restart_hub(usize::from(which) % self.setup.hubs),
            Step::Crash => self.crash(false),
            Step::Wipe => self.crash(true),
            Step::FailWrite => drop(self.storage.fail_write()),
            Step::FailRead => self.may_lose |= self.storage.fail_read(),
            Step::Wait(time) => drop(self.time.fetch_add(time.into(), Ordering::Relaxed)),
            Step::Tidy => {
                self.engine().tidy();
                self.may_begin_again = true;
                self.may_lose = true;
            }
        }
        for _ in 0..self.random.below(4) {
            self.executor.step(&self.random);
        }
    }

    fn join(&mut self, who: u8, number: u8, since: Since) {
        let worker = self.worker_of(who);
        let (random, ledger) = (self.random.clone(), self.ledger.clone());
        let Client {
            member,
            told,
            places,
        } = &mut self.clients[usize::from(who)];
        let member = member.clone();
        let known = places.get(&number);
        if known.is_some_and(|place| self.executor.is_running(place.task)) {
            return;
        }
        let last = known.and_then(Place::last);
        let since = match since {
            Since::None => None,
            Since::Last => last,
            Since::Made(seq) => last.map(|last| Position { seq, ..last }),
        };
        let seated = known.filter(|place| place.seat.borrow().is_some());
        let (record, seat) = match seated {
            Some(place) => (place.record.clone(), place.seat.clone()),
            None => {
                let record = Record::new(room(number), member.connection, ledger, told.clone());
                (Arc::new(Mutex::new(record)), Rc::default())
            }
        };
        // Also if the future is dropped.
        let mut joining = Attempt {
            worker,
            member,
            room: room(number),
            random,
            since,
            record: record.clone(),
            seat: seat.clone(),
        };
        let task = self.executor.spawn(async move { joining.join().await });
        let place = Place { record, seat, task };
        places.insert(number, place);
    }

    fn leave(&mut self, who: u8, number: u8) {
        if let Some(place) = self.clients[usize::from(who)].places.get(&number) {
            self.executor.cancel(place.task);
            drop(place.seat.take());
            lock(&place.record).is_over = true;
        }
    }

    fn publish(&mut self, who: u8, number: u8, key: Option<u8>) {
        self.drafts += 1;
        let member = self.clients[usize::from(who)].member.clone();
        let text = match key {
            Some(key) => format!("{} says {key}", member.user.id),
            None => format!("{}", self.drafts),
        };
        let draft = Draft {
            user: member.user.clone(),
            text: text.clone(),
            key: key.map(|key| IdempotencyKey::new(&format!("{key}")).expect("a key")),
        };
        let hub = self.worker_of(who).hub().clone();
        let (ledger, room) = (self.ledger.clone(), room(number));
        let task = self.executor.spawn(async move {
            let identity = Identity::Client(&member.user);
            let Ok(appended) = hub.publish(identity, &room, draft).await else {
                return;
            };
            let at = appended.position;
            lock(&ledger).note(&room, &at, &text);
            // Another one of this key is all right only if the history has forgotten it.
            let places = lock(&ledger).places(&room, &at, &text);
            if let Ok(slice) = hub.engine().read(&room, u64::MAX, 0).await
                && slice.epoch == at.epoch
                && places.range(slice.oldest..).count() > 1
            {
                lock(&ledger).fail(format!("{room}: {text} stands at {places:?}"));
            }
        });
        self.publishing.push(task);
    }

    fn burst(&mut self, who: u8, number: u8, count: u8) {
        let member = self.clients[usize::from(who)].member.clone();
        let texts = (1..=u64::from(count)).map(|number| format!("{}", self.drafts + number));
        let texts: Vec<_> = texts.collect();
        self.drafts += u64::from(count);
        let hub = self.worker_of(who).hub().clone();
        let (ledger, room) = (self.ledger.clone(), room(number));
        let task = self.executor.spawn(async move {
            for text in texts {
                let draft = Draft {
                    user: member.user.clone(),
                    text: text.clone(),
                    key: None,
                };
                let identity = Identity::Client(&member.user);
                if let Ok(appended) = hub.publish(identity, &room, draft).await {
                    lock(&ledger).note(&room, &appended.position, &text);
                }
            }
        });
        self.publishing.push(task);
    }

    fn typing(&mut self, who: u8, number: u8) {
        let hub = self.worker_of(who).hub().clone();
        let member = self.clients[usize::from(who)].member.clone();
        let now = self.time.load(Ordering::Relaxed);
        let others = self.clients.iter().filter_map(|client| {
            let place = client.places.get(&number)?;
            let is_other = client.member.connection != member.connection;
            let is_in = is_other && place.seat.borrow().is_some();
            is_in.then(|| (place.record.clone(), lock(&place.record).joins))
        });
        if self.hears_all() {
            self.typed.push(Typed {
                who: member.connection,
                time: now,
                seen_by: others.collect(),
            });
        }
        hub.typing(&room(number), &member).expect("it may");
    }

    /// Whether no signal is left out.
    fn hears_all(&self) -> bool {
        self.setup.inbox >= 1 << 20 && self.setup.announce_limit >= 500
    }

    fn status(&mut self, who: u8) {
        let hub = self.worker_of(who).hub().clone();
        let member = self.clients[usize::from(who)].member.clone();
        let task = self.executor.spawn(async move {
            let told = hub.set_status(&member, Status::Away).await;
            told.expect("the engine says which rooms");
        });
        self.publishing.push(task);
    }

    fn cancel(&mut self, which: usize) {
        let joining = self
            .clients
            .iter()
            .flat_map(|client| client.places.values());
        let joining = joining.map(|place| place.task);
        let tasks: Vec<_> = joining
            .chain(self.publishing.iter().copied())
            .filter(|task| self.executor.is_running(*task))
            .collect();
        if !tasks.is_empty() {
            self.executor.cancel(tasks[which % tasks.len()]);
        }
    }

    fn stop_worker(&mut self, which: usize) {
        let node = which % self.setup.hubs;
        let worker = which / self.setup.hubs % self.setup.workers;
        let (worker, task) = {
            let (worker, task) = &self.process().hubs[node].workers[worker];
            (worker.clone(), *task)
        };
        self.executor.cancel(task);
        let started = self.run(worker);
        let number = which / self.setup.hubs % self.setup.workers;
        self.process().hubs[node].workers[number].1 = started;
    }

    /// The future of somebody's joining ends, and so does its seat.
    fn drop_client(&mut self, who: u8) {
        for number in 0..ROOMS {
            self.leave(who, number);
        }
    }

    fn restart_hub(&mut self, which: usize) {
        for who in 0..CLIENTS {
            if self.hub_of(who) == which {
                self.drop_client(who);
            }
        }
        for task in std::mem::take(&mut self.publishing) {
            self.executor.cancel(task);
        }
        let node = self.process().hubs.remove(which);
        for (_, task) in &node.workers {
            self.executor.cancel(*task);
        }
        drop(node);
        let node = self.node(which);
        self.process().hubs.insert(which, node);
        for who in 0..CLIENTS {
            if self.hub_of(who) == which {
                self.reconnect(who);
            }
        }
    }

    /// It has another connection now, and knows what it knew.
    fn reconnect(&mut self, who: u8) {
        let client = self.client(who);
        let old = std::mem::replace(&mut self.clients[usize::from(who)], client);
        self.clients[usize::from(who)].places = old.places;
    }

    fn crash(&mut self, wipe: bool) {
        self.storage.crash();
        for task in self.executor.tasks() {
            self.executor.cancel(task);
        }
        let places: Vec<_> = (0..usize::from(CLIENTS))
            .map(|who| std::mem::take(&mut self.clients[who].places))
            .collect();
        for place in places.iter().flat_map(BTreeMap::values) {
            drop(place.seat.take());
            lock(&place.record).is_over = true;
        }
        self.publishing.clear();
        self.typed.clear();
        self.process = None;
        if wipe {
            self.storage.wipe();
        }
        self.start();
        for (who, places) in places.into_iter().enumerate() {
            self.clients[who].places = places;
        }
        if wipe || !self.storage.is_durable() {
            lock(&self.ledger).forget();
            self.may_lose = true;
        }
        self.check_stored();
    }

    fn read(&self, room: &RoomName, after: u64, limit: usize) -> Option<telsiz_hub::Slice> {
        let (engine, room) = (self.engine(), room.clone());
        let patience = self.storage.patience();
        let read = async move { engine.read(&room, after, limit).await };
        self.executor.finish(&self.random, patience, read)?.ok()
    }

    /// What anybody knew to be stored is there.
    fn check_stored(&self) {
        let newest = lock(&self.ledger).newest();
        for (room, newest) in newest {
            let Some(slice) = self.read(&room, 0, usize::MAX) else {
                continue;
            };
            let mut ledger = lock(&self.ledger);
            let same = slice.epoch == newest.epoch;
            if !same && !self.may_begin_again || same && slice.head < newest.seq {
                let (epoch, head) = (&slice.epoch, slice.head);
                ledger.fail(format!(
                    "{room}: {newest:?} is lost, there is {epoch} {head}"
                ));
            }
            for publication in &slice.publications {
                ledger.note(&room, &publication.position(), &publication.text);
            }
        }
    }

    fn check_inboxes(&self) {
        let process = self.process.as_ref().expect("it runs");
        for (worker, _) in process.hubs.iter().flat_map(|node| &node.workers) {
            let waiting = worker.waiting();
            if waiting > self.setup.inbox + WEIGHT {
                lock(&self.ledger).fail(format!("{waiting} bytes wait"));
            }
        }
    }

    fn run_all(&self) {
        for _ in 0..MOST_STEPS {
            if self.executor.step(&self.random) {
                self.check_inboxes();
                self.check_sizes();
            } else {
                let is_waited_for = |task: &TaskId| self.executor.is_running(*task);
                let joining = self
                    .clients
                    .iter()
                    .flat_map(|client| client.places.values());
                let mut waited_for = joining.map(|place| &place.task).chain(&self.publishing);
                let patience = self.storage.patience();
                let is_waited_for = waited_for.any(is_waited_for);
                if !(is_waited_for && self.executor.wait(patience)) {
                    return;
                }
            }
        }
        lock(&self.ledger).fail("it goes on for ever".into());
    }

    /// Until nothing more happens and those who lost something are back; then all is as it
    /// should be.
    pub(crate) fn settle(&mut self) {
        self.run_all();
        for _ in 0..20 {
            let lost = self.lost();
            if lost.is_empty() {
                break;
            }
            for (who, number) in lost {
                self.join(who, number, Since::Last);
            }
            self.run_all();
        }
        let is_running = |task: &TaskId| self.executor.is_running(*task);
        if self.publishing.iter().any(is_running) {
            lock(&self.ledger).fail("somebody still publishes".into());
        }
        self.publishing.clear();
        self.check_members();
        self.check_typing();
        self.check_presence();
        self.check_room_for_more();
        let process = self.process.as_ref().expect("it runs");
        process.engine.settle();
        for (worker, _) in process.hubs.iter().flat_map(|node| &node.workers) {
            if worker.waiting() > 0 {
                let waiting = worker.waiting();
                lock(&self.ledger).fail(format!("{waiting} bytes wait for ever"));
            }
        }
    }

    /// Whether the logs kept all that could be published before publishers waited: those of
    /// other hubs do not.
    fn keeps_enough(&self) -> bool {
        let process = self.process.as_ref().expect("it runs");
        self.setup.hubs == 1 && process.engine.most() <= self.setup.keep
    }

    fn lost(&self) -> Vec<(u8, u8)> {
        let mut lost = Vec::new();
        let keeps_all = self.setup.keep >= 1000;
        let keeps_enough = self.keeps_enough();
        for who in 0..CLIENTS {
            for (number, place) in &self.clients[usize::from(who)].places {
                let record = lock(&place.record);
                if record.is_lost && !record.is_over {
                    // Nobody waits for those who are on their way into a room.
                    let is_safe = keeps_all || keeps_enough && record.is_settled;
                    if is_safe && !self.may_lose {
                        record.fail("lost something that is stored");
                    }
                    lost.push((who, *number));
                }
            }
        }
        lost
    }

    /// Everybody has everything.
    fn check_members(&self) {
        for place in self
            .clients
            .iter()
            .flat_map(|client| client.places.values())
        {
            let is_in = place.seat.borrow().is_some();
            if self.executor.is_running(place.task) {
                lock(&place.record).fail("still joins");
            }
            let room = lock(&place.record).room.clone();
            let Some(slice) = is_in.then(|| self.read(&room, u64::MAX, 0)).flatten() else {
                continue;
            };
            let record = lock(&place.record);
            let has_all = record.last.as_ref().is_some_and(|last| {
                last.epoch == slice.epoch
                    && (last.seq == slice.head || record.or_behind == Some(slice.head))
            });
            // Nobody is told of a log that was forgotten, until there is something new.
            if !has_all && slice.head > 0 {
                record.fail(&format!("does not have {} {}", slice.epoch, slice.head));
            }
        }
    }

    fn check_typing(&mut self) {
        for Typed { who, time, seen_by } in std::mem::take(&mut self.typed) {
            for (record, joins) in seen_by {
                let record = lock(&record);
                let stayed = record.joins == joins && !record.is_over;
                if stayed && !record.saw_typing(who, time) {
                    record.fail(&format!("does not see {} typing", who.0));
                }
            }
        }
    }

    /// Those are listed who are there, and those who stayed saw who came and went.
    fn check_presence(&self) {
        for number in 0..ROOMS {
            let places = self.clients.iter().filter_map(|client| {
                let place = client.places.get(&number)?;
                let is_in = place.seat.borrow().is_some();
                is_in.then_some((client.member.connection, place))
            });
            let places: BTreeMap<_, _> = places.collect();
            let (engine, room) = (self.engine(), room(number));
            let listing = async move { engine.presence().members(&room, usize::MAX).await };
            let patience = self.storage.patience();
            let listing = self.executor.finish(&self.random, patience, listing);
            let listing = listing.expect("an answer").expect("a listing");
            let listed: BTreeSet<_> = listing.members.iter().map(|m| m.connection).collect();
            let seated: BTreeSet<_> = places.keys().copied().collect();
            if listed != seated || listing.connections != seated.len() {
                let failure = format!("r{number}: {seated:?} are there, {listed:?} are listed");
                lock(&self.ledger).fail(failure);
            }
            for place in places.values() {
                let mut record = lock(&place.record);
                let me = record.me;
                record.is_settled = true;
                if let Some(present) = &mut record.present {
                    present.insert(me);
                    if self.hears_all() && *present != listed {
                        let failure = format!("believes that {present:?} of {listed:?} are there");
                        record.fail(&failure);
                    }
                }
                record.present = Some(listed.clone());
            }
        }
    }

    fn members(&self, number: u8) -> usize {
        let (engine, room) = (self.engine(), room(number));
        let listing = pin!(engine.presence().members(&room, 0));
        match listing.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(listing) => listing.expect("a listing").connections,
            Poll::Pending => panic!("who is there is known without asking anybody"),
        }
    }

    /// No room has more members than it may.
    fn check_sizes(&self) {
        let Some(most) = self.setup.max_members else {
            return;
        };
        for number in 0..ROOMS {
            let members = self.members(number);
            if members > most.get() {
                let failure = format!("r{number}: {members} are there, {most} may be");
                lock(&self.ledger).fail(failure);
            }
        }
    }

    /// One more is let in where there is room, and nowhere else: no place is kept for those who did
    /// not come.
    fn check_room_for_more(&self) {
        let most = self.setup.max_members.map_or(usize::MAX, NonZeroUsize::get);
        for number in 0..ROOMS {
            let worker = self.worker_of(number);
            let member = worker.hub().new_member(User::new("one more", ""));
            let room = room(number);
            let patience = self.storage.patience();
            let joining = async move { worker.join(&room, &member, None).await.map(drop) };
            let is_full = match self.executor.finish(&self.random, patience, joining) {
                Some(Err(ReadError::Full { max })) => max == most,
                Some(Ok(())) => false,
                // It could not be read.
                _ => continue,
            };
            let members = self.members(number);
            if is_full != (members >= most) {
                let failure = format!("r{number}: {members} are there, {most} may be, {is_full}");
                lock(&self.ledger).fail(failure);
            }
        }
    }

    pub(crate) fn failures(&self) -> Vec<String> {
        lock(&self.ledger).failures.clone()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Seats hold what their tasks hold.
        for task in self.executor.tasks() {
            self.executor.cancel(task);
        }
    }
}

/// Somebody joins.
struct Attempt {
    worker: Arc<Worker<Recorder>>,
    member: Arc<Member>,
    room: RoomName,
    random: Arc<Random>,
    since: Option<Position>,
    record: Shared<Record>,
    seat: Rc<RefCell<Option<Seat<Recorder>>>>,
}

impl Attempt {
    async fn join(&mut self) {
        let old = self.seat.take();
        let is_first = old.is_none();
        {
            let mut record = lock(&self.record);
            record.joins += 1;
            record.is_settled = false;
            record.present = None;
        }
        let since = self.since.clone();
        let joining = match old {
            Some(seat) => seat.rejoin(since).await.ok(),
            None => {
                let joining = self.worker.join(&self.room, &self.member, since).await;
                joining.ok()
            }
        };
        let Some(mut joining) = joining else {
            return;
        };
        let (position, recovered) = (joining.position(), joining.recovered());
        self.begin(is_first, &position, recovered);
        self.check_recovery(&position, recovered).await;
        loop {
            match joining.step(&self.record).await {
                Ok(Joined::Missed(rest, missed)) => {
                    if missed.is_empty() {
                        lock(&self.record).fail("misses nothing");
                    }
                    for publication in missed {
                        lock(&self.record).publication(&publication);
                    }
                    self.random.pause(3).await;
                    joining = rest;
                }
                Ok(Joined::Joined(seat)) => {
                    self.seat.replace(Some(seat));
                    return;
                }
                Err(error) => return self.check_error(&error).await,
            }
        }
    }

    fn begin(&self, is_first: bool, position: &Position, recovered: bool) {
        let mut record = lock(&self.record);
        match &self.since {
            Some(since) if recovered => record.last = Some(since.clone()),
            None if recovered => record.fail("recovered from nothing"),
            _ if is_first => record.last = Some(position.clone()),
            // It goes on where it was, unless it was told that it could not.
            _ if record.is_lost => {
                record.or_behind = Some(position.seq);
                let last = record.last.as_ref();
                if last.is_none_or(|last| last.epoch != position.epoch) {
                    record.last = Some(Position {
                        seq: 0,
                        ..position.clone()
                    });
                }
            }
            _ => {}
        }
        if recovered {
            record.or_behind = None;
        }
        record.is_lost = false;
    }

    /// What the log still has is not given up.
    async fn check_recovery(&self, position: &Position, recovered: bool) {
        let read = self
            .worker
            .hub()
            .engine()
            .read(&self.room, u64::MAX, 0)
            .await;
        let Ok(slice) = read else {
            return;
        };
        let could = |since: &Position| slice.reaches_back_to(since) && since.seq <= position.seq;
        if !recovered && self.since.as_ref().is_some_and(could) {
            lock(&self.record).fail("is not recovered");
        }
    }

    async fn check_error(&self, error: &JoinError) {
        let last = lock(&self.record).last.clone();
        let read = self
            .worker
            .hub()
            .engine()
            .read(&self.room, u64::MAX, 0)
            .await;
        if *error == JoinError::TooSlow
            && let (Ok(slice), Some(last)) = (read, last)
            && slice.reaches_back_to(&last)
        {
            lock(&self.record).fail("is too slow");
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        // It may have been dropped before it began.
        if self.seat.borrow().is_none() {
            lock(&self.record).is_over = true;
        }
    }
}
