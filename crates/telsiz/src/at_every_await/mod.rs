//! Every future of an open connection is given up after n polls, for every n until
//! it completes by itself, and the connection goes on or is dropped: nothing is
//! lost, nothing comes twice, no frame is torn.

mod act;
mod complete;

use std::sync::Arc;
use std::time::Duration;

use telsiz_proto::Message;
use tokio::time::{Instant, sleep, timeout};

use self::act::{Act, Effect, Held};
use crate::options::Options;
use crate::server::Registry;
use crate::testing::frame::{CLOSE, Frame, PING, PONG};
use crate::testing::poll::at_most;
use crate::testing::wire::{Pace, Wire};
use crate::testing::{Side, open, runtime, takeover};
use crate::websocket::WebSocket;

/// How many bytes may wait before sending has to.
const WRITE_BUFFER: usize = 8;

/// How many bytes a read or a write moves, and whether messages are compressed.
/// With the last two, messages are so large that they go by reference and are read
/// into memory of their own, in several pieces and at once.
const WIRES: [(usize, bool); 5] = [
    (1, false),
    (2, true),
    (7, false),
    (4096, false),
    (16 * 1024, false),
];

/// No time-out ends a connection here, and by the clock of the test nothing else
/// takes long.
const AT_ONCE: Duration = Duration::from_secs(1);

/// The code that the peer closes with, if it does.
const GOING_AWAY: u16 = 1001;

/// One play, in which the act is given up after `polls` polls.
#[derive(Clone, Copy, Debug)]
struct Play {
    act: Act,
    side: Side,
    compresses: bool,
    /// How many bytes a read or a write moves.
    chunk: usize,
    /// Whether the connection is dropped then, or goes on.
    drops: bool,
    polls: usize,
}

/// Plays an act in all ways and with ever more polls, until it completes.
fn exhaust(act: Act) {
    for side in Side::BOTH {
        for (chunk, compresses) in WIRES {
            for drops in [false, true] {
                let most = (0..).find(|polls| {
                    let play = Play {
                        act,
                        side,
                        compresses,
                        chunk,
                        drops,
                        polls: *polls,
                    };
                    play.run()
                });
                // A sender that has to wait polls twice.
                let least = if chunk == 1 { 5 } else { 1 };
                assert!(most >= Some(least), "{act:?} waits hardly ever: {most:?}");
            }
        }
    }
}

impl Play {
    /// Whether the act completed.
    fn run(self) -> bool {
        let runtime = runtime();
        let done = runtime.block_on(async {
            let registry = Arc::<Registry>::default();
            let time = tokio::spawn(registry.clone().keep_time());
            let start = Instant::now();
            let done = timeout(AT_ONCE, self.on(&registry)).await;
            let done = done.unwrap_or_else(|_| panic!("it is stuck: {self:?}"));
            assert!(start.elapsed() < AT_ONCE, "{self:?}");
            assert_eq!(registry.len(), 0, "{self:?}");
            time.abort();
            let _ = time.await;
            done
        });
        assert_eq!(runtime.metrics().num_alive_tasks(), 0, "{self:?}");
        done
    }

    async fn on(self, registry: &Arc<Registry>) -> bool {
        let wire = Wire::new(self.side, Pace::Every(self.chunk), self.compresses);
        let options = Options::default()
            .write_buffer(WRITE_BUFFER)
            .ping_interval(None)
            .deflate(self.compresses.then(takeover));
        let mut link = open(self.side, options, &wire, registry);
        let coming = self.script();
        for frame in &coming {
            wire.say(frame.clone());
        }
        link.feed_now(self.text('x').into()).expect("an open one");
        let queued = link.backlog();
        assert!(queued > WRITE_BUFFER);
        let mut held = self.act.hold(WebSocket::new(link));
        let mut seen = Vec::new();
        let acting = self
            .act
            .perform(&mut held, self.text('y').into(), &mut seen);
        let done = at_most(self.polls, acting).await.is_some();
        // Whether the bytes before it left room for a message, when it was asked last.
        let had_room = self.polls > 0 && queued - wire.taken().min(queued) <= WRITE_BUFFER;
        let reached = wire.frames();
        if done {
            match self.act.effect() {
                Effect::Flushes => assert_eq!(reached, [Frame::text(&self.text('x'))]),
                Effect::Queues { flushes: true } => assert_eq!(reached.len(), 2, "{self:?}"),
                _ => {}
            }
        }
        let echoed = seen.len();
        match self.drops {
            true => drop(held),
            false => self.go_on(held, &mut seen).await,
        }
        while !wire.is_dropped() {
            sleep(Duration::from_millis(1)).await;
        }
        self.check_received(&seen);
        self.check_sent(wire.all_frames(), had_room, &seen[..echoed]);
        done
    }

    /// Receives the rest, sends one more message, and closes.
    async fn go_on(self, mut held: Held, seen: &mut Vec<Message>) {
        let messages = self.messages().len();
        match self.act.effect() {
            Effect::Closes(code) if self.polls > 0 => {
                while let Some(message) = held.recv().await {
                    seen.push(message);
                }
                assert_eq!(u16::from(held.close().await.code()), code, "{self:?}");
            }
            Effect::Receives | Effect::Echoes => {
                while let Some(message) = held.recv().await {
                    seen.push(message);
                }
                assert_eq!(u16::from(held.close().await.code()), GOING_AWAY);
            }
            effect => {
                if effect == Effect::QueuesFragment {
                    held.send_last_fragment(self.text('z').into()).await;
                }
                while seen.len() < messages {
                    seen.push(held.recv().await.expect("the peer did not close"));
                }
                held.send("after".into()).await;
                assert_eq!(u16::from(held.close().await.code()), 1000);
            }
        }
    }

    /// What the peer says: messages in one frame and in two, and pings.
    fn script(self) -> Vec<Frame> {
        let mut frames = vec![
            Frame::text("one"),
            Frame::new(PING, "p1"),
            Frame::text("tw").more(),
            Frame::new(PING, "p2"),
            Frame::new(0, "o"),
            Frame::binary(self.large()),
            Frame::text(""),
        ];
        if matches!(self.act.effect(), Effect::Receives | Effect::Echoes) {
            frames.push(Frame::close(GOING_AWAY, ""));
        }
        frames
    }

    fn messages(self) -> [Message; 4] {
        ["one".into(), "two".into(), self.large().into(), "".into()]
    }

    /// Large enough that it is read into its own memory, if chunks are large.
    fn large(self) -> Vec<u8> {
        let len = if self.chunk < 100 { 9 } else { 30_000 };
        (0..len).map(|n| (n * n % 251) as u8).collect()
    }

    /// A text to send; if chunks are large, one that goes by reference.
    fn text(self, letter: char) -> String {
        let len = if self.chunk < 100 { 20 } else { 10_000 };
        let noise = (0..len).map(|n| char::from(b'a' + (n * n % 251 % 26) as u8));
        std::iter::once(letter).chain(noise).collect()
    }

    fn check_received(self, seen: &[Message]) {
        let messages = self.messages();
        if matches!(self.act.effect(), Effect::Closes(_)) && self.polls > 0 || self.drops {
            // What comes while it closes is discarded: the rest is in order.
            let mut left = messages.iter();
            let in_order = seen.iter().all(|seen| left.any(|message| message == seen));
            assert!(in_order, "{self:?}: {seen:?}");
        } else {
            assert!(seen == messages, "{self:?}: {seen:?}");
        }
    }

    /// `had_room`: whether a message was queued; `echoed`: what `run` handled.
    fn check_sent(self, mut frames: Vec<Frame>, had_room: bool, echoed: &[Message]) {
        let effect = self.act.effect();
        let pings = frames.extract_if(.., |frame| frame.opcode == PING).count();
        let pinged = effect == Effect::Pings && self.polls > 0;
        assert_eq!(pings, usize::from(pinged), "{self:?}");
        // A newer pong may stand for an older.
        let pongs: Vec<_> = frames
            .extract_if(.., |frame| frame.opcode == PONG)
            .map(|pong| pong.payload)
            .collect();
        let allowed: [&[&[u8]]; 4] = [&[b"p1", b"p2"], &[b"p2"], &[b"p1"], &[]];
        let all_read = !self.drops && !matches!(effect, Effect::Closes(_));
        let allowed = if all_read { &allowed[..2] } else { &allowed };
        assert!(
            allowed.iter().any(|pongs_| pongs == *pongs_),
            "{self:?}: {pongs:?}"
        );

        let close = frames.pop().expect("a Close frame");
        let (code, _) = close.close_body();
        match effect {
            Effect::Closes(own) if self.polls > 0 => assert_eq!(code, own, "{self:?}"),
            // Who is first.
            Effect::Receives | Effect::Echoes if self.drops => {
                assert!([1000, GOING_AWAY].contains(&code), "{self:?}");
            }
            Effect::Receives | Effect::Echoes => assert_eq!(code, GOING_AWAY, "{self:?}"),
            _ => assert_eq!(code, 1000, "{self:?}"),
        }
        assert!(frames.iter().all(|frame| frame.opcode != CLOSE), "{self:?}");

        let mut expected = vec![Frame::text(&self.text('x'))];
        let during = Frame::text(&self.text('y'));
        match effect {
            Effect::Echoes => expected.extend(echoed.iter().map(echo)),
            Effect::Queues { .. } if had_room => expected.push(during),
            Effect::QueuesFragment => {
                if had_room {
                    expected.push(during.more());
                }
                if !self.drops {
                    let last = Frame::text(&self.text('z'));
                    expected.push(match had_room {
                        true => Frame::new(0, last.payload),
                        false => last,
                    });
                }
            }
            _ => {}
        }
        let closes = matches!(effect, Effect::Closes(_)) && self.polls > 0;
        let peer_closes = matches!(effect, Effect::Receives | Effect::Echoes);
        if !self.drops && !closes && !peer_closes {
            expected.push(Frame::text("after"));
        }
        assert!(frames == expected, "{self:?}: {frames:?}");
    }
}

fn echo(message: &Message) -> Frame {
    match message.as_text() {
        Some(text) => Frame::text(text),
        None => Frame::binary(message.as_bytes()),
    }
}

/// A test for each act, and its name in the source.
macro_rules! acts {
    ($($test:ident: $act:ident = $name:literal,)*) => {
        const NAMES: &[&str] = &[$($name),*];

        $(
            #[test]
            fn $test() {
                exhaust(Act::$act);
            }
        )*
    };
}

acts! {
    recv: Recv = "WebSocket::recv",
    next: Next = "WebSocket as Stream::poll_next",
    run: Run = "WebSocket::run",
    send: Send = "WebSocket::send",
    feed: Feed = "Feed as Future::poll",
    send_fragment: SendFragment = "WebSocket::send_fragment",
    flush: Flush = "WebSocket::flush",
    ping: Ping = "WebSocket::ping",
    close: Close = "WebSocket::close",
    sink_ready: SinkReady = "WebSocket as Sink::poll_ready",
    sink_flush: SinkFlush = "WebSocket as Sink::poll_flush",
    sink_close: SinkClose = "WebSocket as Sink::poll_close",
    receiver_recv: ReceiverRecv = "Receiver::recv",
    receiver_next: ReceiverNext = "Receiver as Stream::poll_next",
    receiver_close: ReceiverClose = "Receiver::close",
    sender_send: SenderSend = "Sender::send",
    sender_feed: SenderFeed = "Sender::feed",
    sender_flush: SenderFlush = "Sender::flush",
    sender_ping: SenderPing = "Sender::ping",
}
