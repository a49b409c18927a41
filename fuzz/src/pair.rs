//! `pair`: a client and a server of ours that do anything, over a network that does anything.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use telsiz_proto::{
    CloseCode, CloseFrame, Config, Exceeded, Fault, Kind, Message, Prepared, SendError, State,
};

use crate::common::compressing::{agree, config};
use crate::common::frame::{CLOSE, CONTINUATION, Frame, PONG};
use crate::common::{Driver, End, Seen, Side};
use crate::extensions::settings;
use crate::script::Script;

const LIMIT: usize = 20_000;
const INTERVAL: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(15);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What one end sends, the other receives: all of it, in order, and once, whatever was called in which order and
/// however the bytes were cut. Nobody finds fault with the other, unless a byte was changed on the way. Time-outs
/// come when they are due and not before.
pub fn pair(data: &[u8]) {
    let mut script = Script::new(data);
    let mut pair = Pair::new(&mut script);
    while !script.is_over() {
        pair.step(&mut script);
        pair.check();
    }
    pair.settle();
}

/// An end with what it said, and with the bytes on their way to it.
struct Half {
    side: Side,
    end: End,
    on_the_way: VecDeque<u8>,
    /// Whether the network has ended on the way to it.
    is_cut: bool,
    is_over: bool,
    /// What it sent: messages, pings and what goes out as Close.
    sent: Vec<Seen>,
    /// The fragments of a message that it has begun to send.
    open: Option<(Kind, Vec<u8>)>,
    wire: Wire,
    order: Order,
    heard: Instant,
    closing: Option<Instant>,
}

/// How much of what came was looked at, and of what the other end sent it corresponds to.
#[derive(Default)]
struct Order {
    seen: usize,
    messages: usize,
    pings: usize,
    answered: usize,
}

/// What went out of an end, read by the book.
#[derive(Default)]
struct Wire {
    in_message: bool,
    closed: bool,
    pongs: Vec<Vec<u8>>,
}

impl Wire {
    fn read(&mut self, side: Side, compresses: bool, bytes: &[u8]) {
        for frame in Frame::read_all(bytes) {
            // Only the peer's Close frame ends the duty to answer its pings (section 5.5.2).
            assert!(
                !self.closed || frame.opcode == PONG,
                "a frame behind the Close frame: {frame:?}"
            );
            assert_eq!(frame.key.is_some(), side == Side::Client);
            let is_first = frame.opcode < CLOSE && frame.opcode != CONTINUATION;
            match frame.reserved {
                0 => {}
                4 => assert!(compresses && is_first, "{frame:?}"),
                _ => panic!("{frame:?}"),
            }
            if frame.opcode >= CLOSE {
                assert!(frame.fin && frame.payload.len() <= 125, "{frame:?}");
                self.closed |= frame.opcode == CLOSE;
            } else {
                assert_eq!(is_first, !self.in_message, "{frame:?}");
                self.in_message = !frame.fin;
            }
            if frame.opcode == PONG {
                self.pongs.push(frame.payload);
            }
        }
    }
}

struct Pair {
    halves: [Half; 2],
    now: Instant,
    compresses: bool,
    /// Whether a byte was changed: then anything may be wrong but nothing may break.
    is_damaged: bool,
    count: u32,
}

impl Pair {
    fn new(script: &mut Script<'_>) -> Self {
        let compresses = script.flag();
        let both = [settings(script), settings(script)];
        let agreement = agree(&both[0], &both[1]);
        let now = Instant::now();
        let half = |side, deflate| {
            let mut config = match compresses {
                true => config(deflate),
                false => Config::default(),
            };
            config.limits.message_size = LIMIT;
            config.keepalive.interval = Some(INTERVAL);
            config.keepalive.timeout = Some(TIMEOUT);
            config.close_timeout = Some(CLOSE_TIMEOUT);
            let mut end = End::new(side, &config, now);
            if compresses {
                end.connection.set_deflate(agreement);
            }
            Half {
                side,
                end,
                on_the_way: VecDeque::new(),
                is_cut: false,
                is_over: false,
                sent: Vec::new(),
                open: None,
                wire: Wire::default(),
                order: Order::default(),
                heard: now,
                closing: None,
            }
        };
        Self {
            halves: [half(Side::Client, &both[0]), half(Side::Server, &both[1])],
            now,
            compresses,
            is_damaged: false,
            count: 0,
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.byte();
        let at = usize::from(what >> 7);
        match what & 0x0f {
            0..=3 => self.send(at, script),
            4 | 5 => self.fragment(at, script),
            6 => self.ping(at, script),
            7 | 8 => self.transmit(at),
            9..=11 => {
                let (n, driver) = (script.size(), script.below(6));
                self.deliver(at, n, Driver::all().nth(driver).expect("one of six"));
            }
            12 => self.pass(Duration::from_millis(250 * script.byte() as u64)),
            13 => self.close(at, script),
            14 => match script.below(8) {
                0 => self.damage(at, script),
                1 => self.halves[at].is_cut = true,
                _ => self.settle(),
            },
            _ => {
                for at in [0, 1] {
                    self.transmit(at);
                    self.deliver(at, usize::MAX, Driver::SIMPLE);
                }
            }
        }
    }

    /// A payload that differs from all others.
    fn payload(&mut self, script: &mut Script<'_>, kind: Kind) -> Vec<u8> {
        self.count += 1;
        let mut payload = script.payload(LIMIT + 2);
        if kind == Kind::Text {
            payload.iter_mut().for_each(|byte| *byte &= 0x7f);
        }
        // One that is too large has to stay so, and one that is not too.
        let number = format!("{};", self.count);
        if payload.len() + number.len() <= LIMIT {
            payload.splice(0..0, number.into_bytes());
        }
        payload
    }

    fn send(&mut self, at: usize, script: &mut Script<'_>) {
        let kind = script.pick(&[Kind::Text, Kind::Binary]);
        let payload = self.payload(script, kind);
        let half = &mut self.halves[at];
        let (connection, out) = (&mut half.end.connection, &mut half.end.out);
        let expected = match (connection.state(), &half.open) {
            (State::Open, None) => Ok(()),
            (State::Open, Some(_)) => Err(SendError::FragmentOpen),
            _ => Err(SendError::Closed),
        };
        let message = message(kind, &payload);
        let sent = match (script.below(3), kind) {
            (0, Kind::Binary) => connection.send_binary(&payload, out),
            (0, Kind::Text) => connection.send_text(message.as_text().expect("a text"), out),
            (1, _) => connection.send(Prepared::new(message), out),
            _ => connection.send(message, out),
        };
        assert_eq!(sent, expected);
        if sent.is_ok() {
            half.sent.push(Seen::Message(kind, payload));
        }
    }

    fn fragment(&mut self, at: usize, script: &mut Script<'_>) {
        let kind = script.pick(&[Kind::Text, Kind::Binary]);
        let last = script.flag();
        let payload = self.payload(script, kind);
        let half = &mut self.halves[at];
        let expected = match (half.end.connection.state(), &half.open) {
            (State::Open, Some((open, _))) if *open != kind => Err(SendError::FragmentOpen),
            (State::Open, _) => Ok(()),
            _ => Err(SendError::Closed),
        };
        let fragment = message(kind, &payload);
        let sent = half
            .end
            .connection
            .send_fragment(fragment, last, &mut half.end.out);
        assert_eq!(sent, expected);
        if sent.is_ok() {
            let (_, gathered) = half.open.get_or_insert((kind, Vec::new()));
            gathered.extend_from_slice(&payload);
            if last && let Some((kind, payload)) = half.open.take() {
                half.sent.push(Seen::Message(kind, payload));
            }
        }
    }

    fn ping(&mut self, at: usize, script: &mut Script<'_>) {
        let len = script.below(128);
        let payload = script.bytes(len);
        let half = &mut self.halves[at];
        let expected = match half.end.connection.state() {
            _ if payload.len() > 125 => Err(SendError::ControlTooLong),
            State::Open => Ok(()),
            _ => Err(SendError::Closed),
        };
        assert_eq!(half.end.connection.ping(payload), expected);
        if expected.is_ok() {
            half.sent.push(Seen::Ping(payload.to_vec()));
        }
    }

    fn close(&mut self, at: usize, script: &mut Script<'_>) {
        let code = CloseCode::new(1000 + script.below(4000) as u16);
        let reason = script.pick(&["", "why", "günaydın"]);
        let frame = code.map_or(CloseFrame::EMPTY, |code| {
            CloseFrame::new(code, reason).expect("a short reason")
        });
        self.halves[at].end.connection.close(frame);
        assert_ne!(self.halves[at].end.connection.state(), State::Open);
    }

    /// What goes out of an end is on its way to the other.
    fn transmit(&mut self, at: usize) {
        let [client, server] = &mut self.halves;
        let (from, to) = match at {
            0 => (client, server),
            _ => (server, client),
        };
        let bytes = from.end.transmit();
        assert!(!from.end.connection.wants_transmit());
        from.wire.read(from.side, self.compresses, &bytes);
        to.on_the_way.extend(bytes);
    }

    /// At most `n` bytes arrive at an end, in one read.
    fn deliver(&mut self, at: usize, n: usize, driver: Driver) {
        let half = &mut self.halves[at];
        let n = n.min(half.on_the_way.len());
        let bytes: Vec<_> = half.on_the_way.drain(..n).collect();
        if !half.is_over && !bytes.is_empty() {
            half.end.read(driver, &bytes);
            // Afterwards nobody asks.
            if half.end.connection.state() == State::Open {
                half.heard = self.now;
            }
        }
        if half.is_cut && half.on_the_way.is_empty() && !half.is_over {
            half.is_over = true;
            half.end.connection.handle_eof();
            assert_eq!(half.end.connection.state(), State::Closed);
        }
    }

    fn damage(&mut self, at: usize, script: &mut Script<'_>) {
        let way = &mut self.halves[at].on_the_way;
        if !way.is_empty() {
            let place = script.below(way.len());
            let bit = 1 << script.below(8);
            way[place] ^= bit;
            self.is_damaged = true;
        }
    }

    /// Lets time pass; deadlines run when they are due.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let now = self.now;
            let due = self.halves.iter_mut();
            let due = due
                .filter_map(|half| half.end.connection.poll_timeout(|| now))
                .min();
            let Some(due) = due.filter(|due| *due <= until) else {
                break;
            };
            self.now = self.now.max(due);
            for half in &mut self.halves {
                half.end.handle_timeout(self.now);
            }
            self.check();
        }
        self.now = until;
    }

    /// What holds at any time.
    fn check(&mut self) {
        for at in [0, 1] {
            let (half, peer) = (&self.halves[at], &self.halves[1 - at]);
            let is_open = half.end.connection.state() == State::Open;
            match half
                .end
                .seen
                .iter()
                .position(|seen| matches!(seen, Seen::Fault(_)))
            {
                None => {}
                Some(place) => {
                    // Of a clock, the time-out for closing excepted, a fault is the last thing that is said.
                    assert_eq!(place + 1, half.end.seen.len(), "{:?}", half.end.seen.last());
                    assert!(!is_open);
                    let Seen::Fault(fault) = &half.end.seen[place] else {
                        unreachable!();
                    };
                    match fault {
                        Fault::Silent => assert!(self.now - half.heard >= TIMEOUT),
                        Fault::Exceeded(Exceeded::MessageSize { .. }) if peer.says_too_much() => {}
                        fault => assert!(self.is_damaged, "{fault}"),
                    }
                }
            }
            // Two pings and a time-out: a ping may have gone out just before the last byte came.
            let silence = self.now.saturating_duration_since(half.heard);
            assert!(!is_open || silence <= 2 * INTERVAL + TIMEOUT, "{silence:?}");
            if !self.is_damaged {
                self.check_order(at);
            }
            let now = self.now;
            let half = &mut self.halves[at];
            if half.end.connection.state() == State::Closing {
                let due = half.end.connection.poll_timeout(|| now);
                let since = *half.closing.get_or_insert(now);
                assert_eq!(due, Some(since + CLOSE_TIMEOUT));
            }
        }
    }

    /// What came is the beginning of what the other end sent.
    fn check_order(&mut self, at: usize) {
        let [client, server] = &mut self.halves;
        let (half, peer) = match at {
            0 => (client, server),
            _ => (server, client),
        };
        let came = half.end.seen.iter().skip(half.order.seen);
        half.order.seen = half.end.seen.len();
        for came in came {
            match came {
                Seen::Message(_, payload) => {
                    let is_message = |seen: &&Seen| matches!(seen, Seen::Message(..));
                    let next = peer.sent.iter().filter(is_message).nth(half.order.messages);
                    assert!(next == Some(came), "{} bytes", payload.len());
                    half.order.messages += 1;
                }
                // Of pings only the newest that waits goes out, and those of keepalive are empty.
                Seen::Ping(payload) if !payload.is_empty() => {
                    let mut sent = peer.sent.iter().skip(half.order.pings);
                    let place = sent
                        .position(|sent| sent == came)
                        .expect("a ping that was sent");
                    half.order.pings += place + 1;
                }
                _ => {}
            }
        }
        // Each ping is answered at most once, and in order.
        for pong in half.wire.pongs.drain(..) {
            let mut seen = half.end.seen.iter().skip(half.order.answered);
            let is_it = |seen: &Seen| matches!(seen, Seen::Ping(ping) if *ping == pong);
            let place = seen.position(is_it).expect("a ping that came");
            half.order.answered += place + 1;
        }
    }

    /// Carries everything to and fro until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            for at in [0, 1] {
                self.transmit(at);
            }
            if self.halves.iter().all(|half| half.on_the_way.is_empty()) {
                break;
            }
            for at in [0, 1] {
                self.deliver(at, usize::MAX, Driver::SIMPLE);
            }
            self.check();
        }
        if self.is_damaged {
            return;
        }
        for at in [0, 1] {
            let (half, peer) = (&self.halves[at], &self.halves[1 - at]);
            let is_whole = !half
                .end
                .seen
                .iter()
                .any(|seen| matches!(seen, Seen::Fault(_)))
                && half
                    .end
                    .connection
                    .outcome()
                    .is_none_or(|o| o.received.is_some());
            if is_whole && !half.is_over {
                let is_message = |seen: &&Seen| matches!(seen, Seen::Message(..));
                assert_eq!(
                    half.order.messages,
                    peer.sent.iter().filter(is_message).count()
                );
            }
            // Both know of the end, and of the same.
            if let Some(received) = half.end.connection.outcome().and_then(|o| o.received) {
                let sent = peer.end.connection.outcome().and_then(|o| o.sent);
                assert_eq!(sent, Some(received));
            }
        }
    }
}

impl Half {
    /// Whether it sent more than the other end accepts.
    fn says_too_much(&self) -> bool {
        let is_large = |seen: &Seen| matches!(seen, Seen::Message(_, m) if m.len() > LIMIT);
        self.sent.iter().any(is_large) || self.open.as_ref().is_some_and(|o| o.1.len() > LIMIT)
    }
}

fn message(kind: Kind, payload: &[u8]) -> Message {
    match kind {
        Kind::Binary => Message::binary(payload.to_vec()),
        Kind::Text => Message::text(std::str::from_utf8(payload).expect("ASCII")),
    }
}
