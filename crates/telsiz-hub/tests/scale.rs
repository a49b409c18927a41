//! Large rooms, many rooms, and what a member costs.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use telsiz_hub::{
    AllowAll, Clock, Draft, Event, Hub, HubOptions, Identity, Member, Memory, Outlet, Retention,
    RoomName, Seat, Step, Timestamp, User, Wanted, Worker,
};

/// Counts what the running thread has on the heap.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static HEAP: Counting = Counting;

#[allow(unsafe_code, reason = "the trait of allocators is unsafe")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.set(LIVE.get() + layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as isize);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.set(LIVE.get() + size as isize - layout.size() as isize);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// How many publications each line got, all of them in order.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<Vec<u64>>>);

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outlet for Tally {
    type Line = usize;

    fn begin(&mut self, _: &RoomName, _: &[Event], _: bool) {}

    fn deliver(&mut self, line: &usize, events: &[Event], wanted: Wanted) {
        let mut got = self.lock();
        for (index, event) in events.iter().enumerate() {
            if let Event::Published(publication) = event
                && wanted.has(index)
            {
                let count: u64 = publication.text.parse().expect("a number");
                assert_eq!(got[*line] + 1, count, "line {line}");
                got[*line] = count;
            }
        }
    }

    fn end_turn(&mut self) {}

    fn lose(&mut self, line: &usize) {
        panic!("{line} loses something");
    }
}

/// Takes everything and does nothing.
struct Nothing(u64);

impl Outlet for Nothing {
    type Line = usize;

    fn begin(&mut self, _: &RoomName, _: &[Event], _: bool) {}

    fn deliver(&mut self, line: &usize, events: &[Event], wanted: Wanted) {
        self.0 = self
            .0
            .wrapping_add((line ^ events.len()) as u64 ^ u64::from(wanted.has(0)));
    }

    fn end_turn(&mut self) {
        std::hint::black_box(self.0);
    }

    fn lose(&mut self, _: &usize) {}
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn now<F: Future>(future: F) -> F::Output {
    match poll(&mut Box::pin(future)) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

struct House<O: Outlet> {
    hub: Arc<Hub>,
    worker: Arc<Worker<O>>,
    run: Pin<Box<dyn Future<Output = ()>>>,
}

impl<O: Outlet<Line = usize>> House<O> {
    fn new(outlet: O) -> Self {
        let clock = Clock::new(|| Timestamp(0));
        let engine = Memory::new("m", clock.clone(), Retention::default(), 500);
        let hub = Hub::new(Arc::new(engine), AllowAll, clock, HubOptions::default());
        let worker = hub.worker(outlet);
        let running = worker.clone();
        Self {
            hub,
            worker,
            run: Box::pin(async move { running.run().await }),
        }
    }

    fn member(&self, number: usize) -> Arc<Member> {
        let user = User::new(&number.to_string(), "somebody");
        self.hub.new_member(user)
    }

    fn join(&self, room: &RoomName, member: &Arc<Member>, line: usize) -> Seat<O> {
        let joining = now(self.worker.join(room, member, None)).expect("it joins");
        match now(joining.step(&line)).expect("it joins") {
            Step::Joined(seat) => seat,
            Step::Missed(..) => panic!("nothing was said"),
        }
    }

    fn publish(&self, room: &RoomName, text: &str) {
        let draft = Draft {
            user: User::new("u", "u"),
            text: text.into(),
            key: None,
        };
        now(self.hub.publish(Identity::Http, room, draft)).expect("it is published");
    }

    /// How many times it was polled until nothing waited.
    fn deliver(&mut self) -> usize {
        let mut polls = 0;
        while self.worker.waiting() > 0 {
            assert!(poll(&mut self.run).is_pending());
            polls += 1;
        }
        polls
    }
}

fn room(number: usize) -> RoomName {
    RoomName::new(&number.to_string()).expect("a name")
}

#[test]
fn ten_thousand_members_of_a_room_get_everything_in_turns() {
    const MEMBERS: usize = 10_000;
    let tally = Tally(Arc::new(Mutex::new(vec![0; MEMBERS])));
    let mut house = House::new(tally.clone());
    let mut seats: Vec<_> = (0..MEMBERS)
        .map(|line| house.join(&room(0), &house.member(line), line))
        .collect();
    house.deliver();
    house.publish(&room(0), "1");
    // 512 members a turn.
    assert_eq!(house.deliver(), 20);
    assert!(tally.lock().iter().all(|got| *got == 1));
    // A third of them leaves while the next one is on its way.
    house.publish(&room(0), "2");
    for _ in 0..5 {
        assert!(poll(&mut house.run).is_pending());
    }
    let mut number = 0;
    seats.retain(|_| {
        number += 1;
        number % 3 != 0
    });
    house.publish(&room(0), "3");
    house.deliver();
    for (line, got) in tally.lock().iter().enumerate() {
        assert!(*got == 3 || line % 3 == 2, "{line} got {got}");
    }
    let listing = now(house.hub.members(Identity::Http, &room(0), 500)).expect("a listing");
    assert_eq!(
        (listing.members.len(), listing.connections),
        (500, seats.len())
    );
}

#[test]
fn a_hundred_thousand_members_are_in_as_many_rooms() {
    const ROOMS: usize = 100_000;
    let tally = Tally(Arc::new(Mutex::new(vec![0; ROOMS])));
    let mut house = House::new(tally.clone());
    let seats: Vec<_> = (0..ROOMS)
        .map(|line| house.join(&room(line), &house.member(line), line))
        .collect();
    house.deliver();
    for line in 0..ROOMS {
        house.publish(&room(line), "1");
        if line % 10_000 == 0 {
            house.deliver();
        }
    }
    house.deliver();
    assert!(tally.lock().iter().all(|got| *got == 1));
    let (_, rooms) = now(house.hub.rooms(0, 10)).expect("rooms");
    assert_eq!(rooms, ROOMS);
    drop(seats);
    let (_, rooms) = now(house.hub.rooms(0, 10)).expect("rooms");
    assert_eq!(rooms, 0);
}

#[test]
fn a_member_is_in_a_thousand_rooms() {
    const ROOMS: usize = 1000;
    let tally = Tally(Arc::new(Mutex::new(vec![0])));
    let mut house = House::new(tally.clone());
    let member = house.member(0);
    let seats: Vec<_> = (0..ROOMS)
        .map(|number| house.join(&room(number), &member, 0))
        .collect();
    for number in 0..ROOMS {
        house.publish(&room(number), &(number + 1).to_string());
    }
    house.deliver();
    assert_eq!(tally.lock()[0], ROOMS as u64);
    let rooms = now(house.hub.rooms_of(member.connection)).expect("rooms");
    assert_eq!(rooms.len(), ROOMS);
    drop(seats);
    let rooms = now(house.hub.rooms_of(member.connection)).expect("rooms");
    assert_eq!(rooms.len(), 0);
}

/// With its share of the listings, without what its server keeps of it.
#[test]
fn a_seat_in_a_room_is_small() {
    const MEMBERS: usize = 8192;
    let mut house = House::new(Nothing(0));
    let members: Vec<_> = (0..MEMBERS).map(|line| house.member(line)).collect();
    let before = LIVE.get();
    let mut seats = Vec::with_capacity(MEMBERS);
    for (line, member) in members.iter().enumerate() {
        seats.push(house.join(&room(0), member, line));
    }
    house.deliver();
    let each = (LIVE.get() - before) / MEMBERS as isize;
    println!("a seat takes {each} bytes");
    assert!(each <= 500, "{each}");
    drop(seats);
    house.deliver();
    let left = LIVE.get() - before;
    println!("{left} bytes are left");
    assert!(left <= 8192, "{left}");
}

/// Run it with `--release -- --ignored --nocapture`.
#[test]
#[ignore = "it measures time"]
fn a_delivery_takes_nanoseconds() {
    const MEMBERS: usize = 1000;
    const ROUNDS: usize = 20_000;
    let mut house = House::new(Nothing(0));
    let a = room(0);
    let _seats: Vec<_> = (0..MEMBERS)
        .map(|line| house.join(&a, &house.member(line), line))
        .collect();
    house.deliver();
    for under_way in [1, 16] {
        let mut fastest = Duration::MAX;
        for _ in 0..ROUNDS / under_way {
            for _ in 0..under_way {
                house.publish(&a, "x");
            }
            let start = Instant::now();
            house.deliver();
            fastest = fastest.min(start.elapsed());
        }
        let each = fastest.as_nanos() as f64 / (under_way * MEMBERS) as f64;
        println!("{under_way} under way: {each:.2} ns a delivery");
        assert!(each < 20.0);
    }
}
