//! Two connections without a network, a clock that only the test moves, and
//! frames made by hand.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod compressing;
pub(crate) mod frame;
pub(crate) mod heap;
pub(crate) mod reference;

use std::cell::{Cell, RefCell};
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use telsiz_proto::{
    CloseFrame, Config, Connection, Event, Fault, Input, Kind, Outbox, Role, Source,
};

use self::frame::Frame;

/// Which end of a connection is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Client, Self::Server];

    pub(crate) fn role(self) -> Role {
        match self {
            Self::Client => Role::Client { masking_key },
            Self::Server => Role::Server,
        }
    }

    /// The frame, masked if this side has to get it masked.
    pub(crate) fn gets(self, frame: Frame) -> Frame {
        match self {
            Self::Client => frame,
            Self::Server => frame.masked([0x37, 0xfa, 0x21, 0x3d]),
        }
    }
}

thread_local! {
    static COUNTER: Cell<u32> = const { Cell::new(0x9e37_79b9) };
    static KEYS: RefCell<Vec<[u8; 4]>> = const { RefCell::new(Vec::new()) };
}

/// A new key each time; remembered for [`taken_keys`].
fn masking_key() -> [u8; 4] {
    let key = COUNTER.get().wrapping_mul(0x0019_660d).wrapping_add(1);
    COUNTER.set(key);
    KEYS.with_borrow_mut(|keys| keys.push(key.to_be_bytes()));
    key.to_be_bytes()
}

/// The masking keys that were asked for on this thread since the last call.
pub(crate) fn taken_keys() -> Vec<[u8; 4]> {
    KEYS.take()
}

/// What a connection said, in a form that can be kept and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseFrame),
    Fault(Fault),
}

impl Seen {
    pub(crate) fn text(text: &str) -> Self {
        Self::Message(Kind::Text, text.into())
    }

    pub(crate) fn binary(bytes: &[u8]) -> Self {
        Self::Message(Kind::Binary, bytes.into())
    }
}

/// How a driver lends what it read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// As `BytesMut`, otherwise as `Input`.
    pub(crate) owned: bool,
    pub(crate) space: Space,
}

/// What a driver does with the room inside a large message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// It never asks for it.
    Unused,
    /// It fills it and polls with nothing.
    Alone,
    /// It fills it and polls with what was read beyond it.
    WithMore,
}

impl Driver {
    pub(crate) const SIMPLE: Self = Self {
        owned: false,
        space: Space::Unused,
    };

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let spaces = [Space::Unused, Space::Alone, Space::WithMore];
        let of = move |owned| spaces.map(|space| Self { owned, space });
        [false, true].into_iter().flat_map(of)
    }
}

/// A connection with its driver.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) out: Outbox,
    /// What the connection said, in order.
    pub(crate) seen: Vec<Seen>,
    /// How many bytes were written into [`Connection::space`].
    pub(crate) spaced: usize,
}

impl End {
    pub(crate) fn new(side: Side, config: &Config, now: Instant) -> Self {
        Self {
            connection: Connection::new(side.role(), Arc::new(config.clone()), now),
            out: Outbox::default(),
            seen: Vec::new(),
            spaced: 0,
        }
    }

    /// An end with the default settings, for tests without time.
    pub(crate) fn of(side: Side) -> Self {
        Self::new(side, &Config::default(), Instant::now())
    }

    /// Gets bytes in one read.
    pub(crate) fn get(&mut self, bytes: &[u8]) {
        self.read(Driver::SIMPLE, bytes);
    }

    /// Gets bytes in reads of the sizes that `sizes` says over and over.
    pub(crate) fn get_split(&mut self, driver: Driver, bytes: &[u8], sizes: &[usize]) {
        let mut rest = bytes;
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                return;
            }
            let (read, after) = rest.split_at((*size).clamp(1, rest.len()));
            self.read(driver, read);
            rest = after;
        }
    }

    /// One read, as `driver` makes it.
    pub(crate) fn read(&mut self, driver: Driver, mut bytes: &[u8]) {
        while driver.space != Space::Unused
            && !bytes.is_empty()
            && let Some(mut space) = self.connection.space(|| None)
        {
            let room = space.remaining_mut();
            assert!(room > 0, "room of no bytes");
            let (inside, after) = bytes.split_at(room.min(bytes.len()));
            space.put_slice(inside);
            self.spaced += inside.len();
            bytes = after;
            if driver.space == Space::WithMore {
                break;
            }
            self.poll(driver.owned, &[]);
        }
        self.poll(driver.owned, bytes);
    }

    fn poll(&mut self, owned: bool, bytes: &[u8]) {
        match owned {
            true => self.poll_all(&mut BytesMut::from(bytes)),
            false => self.poll_all(&mut Input::new(&mut bytes.to_vec())),
        }
    }

    /// Polls until nothing comes.
    fn poll_all<S: Source>(&mut self, input: &mut S) {
        loop {
            self.seen.push(match self.connection.poll(input) {
                Ok(None) => break,
                Err(fault) => Seen::Fault(fault),
                Ok(Some(Event::Message(message))) => {
                    assert_eq!(message.as_text().is_some(), message.kind() == Kind::Text);
                    Seen::Message(message.kind(), message.as_bytes().to_vec())
                }
                Ok(Some(Event::Ping(payload))) => Seen::Ping(payload.as_slice().to_vec()),
                Ok(Some(Event::Pong(payload))) => Seen::Pong(payload.as_slice().to_vec()),
                Ok(Some(Event::Close(frame))) => Seen::Close(frame),
                Ok(Some(_)) => panic!("an event that this test does not know"),
            });
        }
        assert!(input.bytes().is_empty(), "input was left over");
    }

    /// Runs the deadlines that passed at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Err(fault) = self.connection.handle_timeout(now) {
            self.seen.push(Seen::Fault(fault));
        }
    }

    /// What goes out now.
    pub(crate) fn transmit(&mut self) -> Vec<u8> {
        self.connection.transmit(&mut self.out);
        drain(&mut self.out)
    }

    /// What goes out now, as frames.
    pub(crate) fn frames(&mut self) -> Vec<Frame> {
        Frame::read_all(&self.transmit())
    }

    /// What the connection said since the last call.
    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }
}

/// All that an outbox holds; it is empty afterwards.
pub(crate) fn drain(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(out.len());
    while !out.is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let before = bytes.len();
        for slice in out.slices(&[], &mut slices) {
            bytes.extend_from_slice(slice);
        }
        out.advance(bytes.len() - before);
    }
    bytes
}

/// A client and a server that talk to each other.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) now: Instant,
    /// The most bytes in one read.
    pub(crate) step: usize,
    /// Whether the network swallows everything.
    pub(crate) cut: bool,
}

impl Pair {
    pub(crate) fn new(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            client: End::new(Side::Client, config, now),
            server: End::new(Side::Server, config, now),
            now,
            step: usize::MAX,
            cut: false,
        }
    }

    /// Carries bytes to and fro until nobody has anything to say.
    pub(crate) fn settle(&mut self) {
        loop {
            let up = self.client.transmit();
            let down = self.server.transmit();
            if up.is_empty() && down.is_empty() {
                return;
            }
            if !self.cut {
                self.server.get_split(Driver::SIMPLE, &up, &[self.step]);
                self.client.get_split(Driver::SIMPLE, &down, &[self.step]);
            }
        }
    }

    /// Lets `time` pass: deadlines run when they are due, in order.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        loop {
            let now = self.now;
            let due = [&mut self.client, &mut self.server]
                .into_iter()
                .filter_map(|end| end.connection.poll_timeout(|| now))
                .min()
                .filter(|due| *due <= until);
            let Some(due) = due else { break };
            self.now = due;
            self.client.handle_timeout(due);
            self.server.handle_timeout(due);
            self.settle();
        }
        self.now = until;
    }
}

/// A splitmix-like stream of bytes, different for each seed.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}
