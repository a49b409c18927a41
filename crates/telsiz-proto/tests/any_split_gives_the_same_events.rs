//! However the transport cuts the bytes and whatever the driver lends them as,
//! a connection says the same: what a receiver by the book says.

mod common;

use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use telsiz_proto::{Config, Kind};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::{Driver, End, Seen, Side, Space, noise, reference};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Limits that random frames go over now and then.
fn narrow() -> Config {
    let mut config = Config::default();
    config.limits.message_size = 100_000;
    config.limits.fragments = 5;
    config
}

fn said(side: Side, driver: Driver, bytes: &[u8], sizes: &[usize]) -> End {
    let mut end = End::new(side, &narrow(), Instant::now());
    end.get_split(driver, bytes, sizes);
    end
}

/// A message in fragments, with control frames before each of them.
#[derive(Clone, Debug)]
struct Script {
    kind: Kind,
    payload: Vec<u8>,
    cuts: Vec<Index>,
    controls: Vec<(u8, Vec<u8>)>,
}

impl Script {
    /// The fragments: `cuts` may fall into characters and upon each other.
    fn frames(&self) -> Vec<Frame> {
        let mut ends: Vec<_> = (self.cuts.iter())
            .map(|cut| cut.index(self.payload.len() + 1))
            .collect();
        ends.push(self.payload.len());
        ends.sort_unstable();
        let mut frames = Vec::new();
        let mut controls = self.controls.iter();
        let mut start = 0;
        for (i, end) in ends.iter().enumerate() {
            if let Some((opcode, payload)) = controls.next() {
                frames.push(Frame::new(*opcode, payload));
            }
            let opcode = match (i, self.kind) {
                (0, Kind::Text) => TEXT,
                (0, Kind::Binary) => BINARY,
                _ => CONTINUATION,
            };
            let frame = Frame::new(opcode, &self.payload[start..*end]);
            frames.push(match i + 1 == ends.len() {
                true => frame,
                false => frame.more(),
            });
            start = *end;
        }
        frames
    }

    fn says(&self) -> Vec<Seen> {
        let controls = self.controls.iter().take(self.cuts.len() + 1);
        controls
            .map(|(opcode, payload)| match *opcode {
                PING => Seen::Ping(payload.clone()),
                _ => Seen::Pong(payload.clone()),
            })
            .chain([Seen::Message(self.kind, self.payload.clone())])
            .collect()
    }
}

fn script(lens: impl Strategy<Value = usize>) -> impl Strategy<Value = Script> {
    let text = (vec(any::<char>(), 1..8), any::<bool>());
    let control = (select(vec![PING, PONG]), vec(any::<u8>(), 0..126));
    (lens, text, vec(any::<Index>(), 0..4), vec(control, 0..3)).prop_map(
        |(len, (chars, is_text), cuts, controls)| {
            let (kind, payload) = match is_text {
                true => {
                    let chars: String = chars.iter().collect();
                    (Kind::Text, chars.repeat(len / chars.len()).into_bytes())
                }
                false => (Kind::Binary, noise(len, chars[0].into())),
            };
            Script {
                kind,
                payload,
                cuts,
                controls,
            }
        },
    )
}

fn small() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..200usize, 1 => 200..2000usize]
}

fn any_len() -> impl Strategy<Value = usize> {
    prop_oneof![4 => small(), 3 => 8_000..30_000usize, 1 => 60_000..100_001usize]
}

/// Sizes of reads. With `least`, long streams do not take too many of them.
fn sizes(least: usize) -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1..20usize, 20..3000usize, 3000..70_000usize];
    vec(size, 1..6).prop_map(move |sizes| sizes.iter().map(|n| *n.max(&least)).collect())
}

fn side() -> impl Strategy<Value = Side> {
    select(Side::BOTH.to_vec())
}

fn bytes_of(side: Side, frames: impl IntoIterator<Item = Frame>) -> Vec<u8> {
    frames
        .into_iter()
        .flat_map(|frame| frame.to(side))
        .collect()
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn of_valid_frames(
        side in side(),
        scripts in vec(script(any_len()), 1..4),
        sizes in sizes(50),
    ) {
        let frames = scripts.iter().flat_map(Script::frames);
        let bytes = bytes_of(side, frames);
        let expected: Vec<_> = scripts.iter().flat_map(Script::says).collect();
        for driver in Driver::all() {
            prop_assert_eq!(&said(side, driver, &bytes, &sizes).seen, &expected, "{:?}", driver);
        }
    }

    #[test]
    fn of_valid_frames_byte_by_byte(side in side(), scripts in vec(script(small()), 1..4)) {
        let bytes = bytes_of(side, scripts.iter().flat_map(Script::frames));
        let expected: Vec<_> = scripts.iter().flat_map(Script::says).collect();
        for owned in [false, true] {
            let driver = Driver { owned, space: Space::Alone };
            prop_assert_eq!(&said(side, driver, &bytes, &[1]).seen, &expected);
        }
    }
}

/// What happens to bytes on the way to becoming invalid.
#[derive(Clone, Debug)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
    Truncate(Index),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        let within = |at: &Index, n: usize| {
            let at = at.index(len);
            at..(at + n).min(len)
        };
        match self {
            _ if bytes.is_empty() => {}
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Remove(at, n) => drop(bytes.drain(within(at, *n))),
            Self::Insert(at, more) => drop(bytes.splice(within(at, 0), more.iter().copied())),
            Self::Repeat(at, n) => bytes.extend_from_within(within(at, *n)),
            Self::Truncate(at) => bytes.truncate(at.index(len)),
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), 1..6usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        (at(), vec(any::<u8>(), 1..6)).prop_map(|(at, more)| Damage::Insert(at, more)),
        (at(), 1..40usize).prop_map(|(at, n)| Damage::Repeat(at, n)),
        at().prop_map(Damage::Truncate),
    ]
}

/// A frame of any kind, most of them in the wrong place.
fn any_frame() -> impl Strategy<Value = Frame> {
    let opcode = prop_oneof![
        8 => select(vec![CONTINUATION, TEXT, BINARY, PING, PONG]),
        1 => Just(CLOSE),
        1 => 0..16u8,
    ];
    let payload = prop_oneof![
        2 => "[a-zş€😀]{0,60}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..130),
        1 => any_len().prop_map(|len| vec![b'x'; len]),
        1 => (999..1016u16).prop_map(|code| code.to_be_bytes().to_vec()),
    ];
    let reserved = prop_oneof![30 => Just(0u8), 1 => 1..8u8];
    (opcode, payload, prop::bool::weighted(0.6), reserved).prop_map(
        |(opcode, payload, fin, reserved)| Frame {
            // A fragmented control frame is one of many faults, not most of them.
            fin: fin || opcode >= CLOSE && payload.len() % 8 != 0,
            reserved,
            ..Frame::new(opcode, payload)
        },
    )
}

fn agrees_with_the_book(side: Side, bytes: &[u8], sizes: &[usize]) -> Result<(), TestCaseError> {
    let expected = reference::receive(side, &narrow().limits, bytes);
    for driver in Driver::all() {
        for sizes in [sizes, &[usize::MAX]] {
            let end = said(side, driver, bytes, sizes);
            prop_assert_eq!(&end.seen, &expected, "{:?} {:?}", driver, sizes);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn of_damaged_frames(
        side in side(),
        scripts in vec(script(small()), 1..4),
        damages in vec(damage(), 1..4),
        sizes in sizes(1),
    ) {
        let mut bytes = bytes_of(side, scripts.iter().flat_map(Script::frames));
        damages.iter().for_each(|damage| damage.apply(&mut bytes));
        agrees_with_the_book(side, &bytes, &sizes)?;
    }

    #[test]
    fn of_frames_in_any_order(
        side in side(),
        frames in vec((any_frame(), prop::bool::weighted(0.98)), 1..12),
        sizes in sizes(40),
    ) {
        let bytes: Vec<u8> = frames
            .into_iter()
            .flat_map(|(frame, right)| match (right, side) {
                (true, _) => frame.to(side),
                (false, Side::Client) => frame.to(Side::Server),
                (false, Side::Server) => frame.to(Side::Client),
            })
            .collect();
        agrees_with_the_book(side, &bytes, &sizes)?;
    }

    #[test]
    fn of_random_bytes(side in side(), bytes in vec(any::<u8>(), 0..300), sizes in sizes(1)) {
        agrees_with_the_book(side, &bytes, &sizes)?;
    }
}

#[test]
fn of_a_short_stream_at_every_pair_of_cuts() {
    let frames = [
        Frame::text("aş").more(),
        Frame::new(PING, "p"),
        Frame::new(CONTINUATION, "€"),
        Frame::new(BINARY, [0; 130]),
        Frame::close(1000, "ok"),
        Frame::text("late"),
    ];
    for side in Side::BOTH {
        let bytes = bytes_of(side, frames.clone());
        let expected = reference::receive(side, &narrow().limits, &bytes);
        assert_eq!(expected.len(), 4);
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut end = End::of(side);
                end.get(&bytes[..first]);
                end.get(&bytes[first..second]);
                end.get(&bytes[second..]);
                assert_eq!(end.seen, expected, "{first} {second}");
            }
        }
    }
}

#[test]
fn a_driver_may_write_most_of_a_large_message_into_its_space() {
    let payload = noise(90_000, 1);
    for side in Side::BOTH {
        for frames in [
            vec![Frame::new(BINARY, &payload)],
            vec![
                Frame::new(BINARY, &payload[..40_000]).more(),
                Frame::new(PING, "between"),
                Frame::new(CONTINUATION, &payload[40_000..]),
            ],
        ] {
            let bytes = bytes_of(side, frames);
            for space in [Space::Alone, Space::WithMore] {
                let driver = Driver { owned: true, space };
                let end = said(side, driver, &bytes, &[9_000]);
                assert_eq!(end.seen.last(), Some(&Seen::binary(&payload)));
                assert!(end.spaced > 40_000, "{} {space:?}", end.spaced);
            }
        }
    }
}
