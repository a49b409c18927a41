//! Two halves and their peer under every schedule: at each step one of the tasks
//! that were woken is polled, or a few bytes go through, or something happens.
//!
//! Only tasks that were woken are polled. So one that is still there when nothing
//! can happen any more waits for a wake-up that was lost.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use telsiz_proto::{CloseCode, Message, Prepared, State};

use crate::error::{Error, PingError};
use crate::options::Options;
use crate::server::Registry;
use crate::split::{Receiver, Sender};
use crate::testing::frame::{CLOSE, Frame, PING, PONG};
use crate::testing::poll::Count;
use crate::testing::wire::{Pace, Wire, Wired};
use crate::testing::{Side, open, runtime};
use crate::websocket::WebSocket;

/// So many steps are chosen in every way, those behind them at random. More of them
/// take `TELSIZ_DEPTH=7 cargo test --release -p telsiz --lib every_schedule`.
const DEPTH: usize = 5;

/// How often all deadlines may pass when nothing else can happen: a ping, its pong,
/// the time-out for closing.
const PATIENCE: usize = 4;

/// No play needs more steps.
const ENDLESS: usize = 1000;

/// How many bytes go through at once: neither a frame nor a divisor of one.
const BYTES: usize = 9;

const HOUR: Duration = Duration::from_secs(3600);

/// What happens besides, once, at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    PeerCloses,
    SenderCloses,
    ReceiverDrops,
    TrySend,
    TryFeed,
    TryFlush,
    ServerStops,
    /// All deadlines pass. They do so, too, when nothing else can happen.
    TimePasses,
}

use Happening::{
    PeerCloses, ReceiverDrops, SenderCloses, ServerStops, TimePasses, TryFeed, TryFlush, TrySend,
};

#[derive(Clone, Copy, Debug)]
struct Scenario {
    side: Side,
    happenings: &'static [Happening],
    /// Whether bytes that are written go through.
    reads: bool,
    /// Whether the receiver closes after its first message.
    closes: bool,
}

/// What came of it.
#[derive(Default)]
struct Record {
    received: Vec<Message>,
    /// Ended, and not dropped: that alone would end all who wait.
    receiver: Option<Receiver<Wired>>,
    sent: Vec<(&'static str, Result<(), Error>)>,
    pinged: Option<Result<Duration, PingError>>,
    /// How many senders wait for room.
    wait_for_room: usize,
    /// What was tried to be sent or fed, and was taken.
    tried: Vec<&'static str>,
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Count>,
    waker: Waker,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Poll(usize),
    In,
    Out,
    Happen(Happening),
}

/// What was chosen at each step, and among how many.
#[derive(Default)]
struct Schedule {
    depth: usize,
    choices: Vec<(usize, usize)>,
    at: usize,
    random: u64,
}

impl Schedule {
    fn choose(&mut self, among: usize) -> usize {
        let at = self.at;
        self.at += 1;
        if at >= self.depth {
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            return (self.random >> 33) as usize % among;
        }
        if at == self.choices.len() {
            self.choices.push((0, among));
        }
        assert_eq!(self.choices[at].1, among, "the same choices lead here");
        self.choices[at].0
    }

    /// The next one, or none.
    fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, among)) = self.choices.pop() {
            if choice + 1 < among {
                self.choices.push((choice + 1, among));
                return true;
            }
        }
        false
    }
}

impl Task {
    fn new(future: impl Future<Output = ()> + 'static) -> Self {
        let (woken, waker) = Count::new();
        waker.wake_by_ref();
        Self {
            future: Some(Box::pin(future)),
            woken,
            waker,
        }
    }

    fn is_woken(&self) -> bool {
        self.future.is_some() && self.woken.get() > 0
    }

    fn poll(&mut self) {
        self.woken.take();
        let cx = &mut Context::from_waker(&self.waker);
        let is_done = self
            .future
            .as_mut()
            .is_none_or(|f| f.as_mut().poll(cx).is_ready());
        if is_done {
            self.future = None;
        }
    }
}

const FIRST: &str = "first, of the first sender";
const SECOND: &str = "second, of the first sender";
const OTHER: &str = "of the other sender";
const TRIED: &str = "tried, and prepared for many";
const FED: &str = "fed";
const COMING: [&str; 2] = ["one", "two"];

impl Scenario {
    /// Plays all schedules; how many there were.
    fn explore(self) -> usize {
        let runtime = runtime();
        let depth = std::env::var("TELSIZ_DEPTH").map_or(DEPTH, |n| n.parse().expect("a number"));
        let mut schedule = Schedule {
            depth,
            ..Schedule::default()
        };
        let mut plays = 0;
        loop {
            schedule.random = plays as u64;
            runtime.block_on(self.play(&mut schedule));
            plays += 1;
            if !schedule.advance() {
                return plays;
            }
        }
    }

    async fn play(self, schedule: &mut Schedule) {
        let registry = Arc::<Registry>::default();
        let wire = Wire::new(self.side, Pace::Steered, false);
        let options = Options::default().write_buffer(16);
        let link = open(self.side, options, &wire, &registry);
        let keeping = match self.side {
            Side::Server => Some(tokio::spawn(registry.clone().keep_time())),
            Side::Client => None,
        };
        let (receiver, sender) = WebSocket::new(link).split();
        wire.say(Frame::text(COMING[0]));
        wire.say(Frame::new(PING, "p"));
        wire.say(Frame::text(COMING[1]));
        let record = Arc::<Mutex<Record>>::default();
        let mut tasks = [
            Task::new(receive(receiver, record.clone(), self.closes)),
            Task::new(send_two(sender.clone(), record.clone())),
            Task::new(send_and_ping(sender.clone(), record.clone())),
        ];
        let mut left = self.happenings.to_vec();
        let mut steps = Vec::new();
        // A peer that reads ends all of it without a time-out.
        let mut patience = if self.reads { 0 } else { PATIENCE };
        loop {
            let mut options: Vec<_> = (0..tasks.len())
                .filter(|task| tasks[*task].is_woken())
                .map(Step::Poll)
                .collect();
            options.extend(wire.could_let_in().then_some(Step::In));
            options.extend((self.reads && wire.could_let_out()).then_some(Step::Out));
            options.extend(left.iter().copied().map(Step::Happen));
            if options.is_empty() {
                // That one closes is known at once to who waits for room.
                let waiting = record.lock().expect("no panic").wait_for_room;
                let closes = sender.state() != State::Open;
                assert!(!closes || waiting == 0, "{waiting}: {self:?} {steps:?}");
                if patience == 0 || tasks.iter().all(|task| task.future.is_none()) {
                    break;
                }
                patience -= 1;
                options.push(Step::Happen(TimePasses));
            }
            assert!(
                steps.len() < ENDLESS,
                "it never ends: {self:?} {:?}",
                &steps[..50]
            );
            let step = options[schedule.choose(options.len())];
            steps.push(step);
            match step {
                Step::Poll(task) => tasks[task].poll(),
                Step::In => wire.let_in(BYTES),
                Step::Out => wire.let_out(BYTES),
                Step::Happen(what) => {
                    left.retain(|other| *other != what);
                    match what {
                        PeerCloses => wire.say(Frame::close(1001, "")),
                        SenderCloses => sender.close(CloseCode::NORMAL),
                        ReceiverDrops => {
                            tasks[0].future = None;
                            drop(record.lock().expect("no panic").receiver.take());
                        }
                        TrySend if sender.try_send(Prepared::new(TRIED)).is_ok() => {
                            record.lock().expect("no panic").tried.push(TRIED);
                        }
                        TryFeed if sender.try_feed(FED).is_ok() => {
                            record.lock().expect("no panic").tried.push(FED);
                        }
                        TrySend | TryFeed => {}
                        TryFlush => sender.try_flush(),
                        ServerStops => registry.stop(CloseCode::GOING_AWAY.into()),
                        TimePasses => tokio::time::advance(HOUR).await,
                    }
                }
            }
            // What is done in the background, and by those who keep the time.
            if keeping.is_some() || left.len() < self.happenings.len() {
                tokio::task::yield_now().await;
            }
        }
        let stuck: Vec<_> = (0..3)
            .filter(|task| tasks[*task].future.is_some())
            .collect();
        assert!(stuck.is_empty(), "{stuck:?} are stuck: {self:?} {steps:?}");
        let record = std::mem::take(&mut *record.lock().expect("no panic"));
        if let Some(keeping) = keeping {
            keeping.abort();
        }
        self.check(&wire, &record, &steps);
    }

    fn check(self, wire: &Wire, record: &Record, steps: &[Step]) {
        let received: Vec<_> = record
            .received
            .iter()
            .filter_map(Message::as_text)
            .collect();
        let has_all = self.happenings == [PeerCloses];
        assert!(COMING.starts_with(&received), "{received:?} {steps:?}");
        assert!(!has_all || received == COMING, "{received:?} {steps:?}");
        if !self.reads {
            return;
        }
        let frames = wire.frames();
        let place = |text: &str| {
            let mut places = frames.iter().enumerate();
            let place = places.position(|(_, frame)| frame.payload == text.as_bytes());
            let again = places.any(|(_, frame)| frame.payload == text.as_bytes());
            assert!(!again, "{text} twice: {frames:?} {steps:?}");
            place
        };
        for (text, sent) in &record.sent {
            if sent.is_ok() {
                assert!(place(text).is_some(), "{text}: {frames:?} {steps:?}");
            }
        }
        for text in &record.tried {
            assert!(place(text).is_some(), "{text}: {frames:?} {steps:?}");
        }
        let first = (place(FIRST), place(SECOND));
        assert!(
            first.1.is_none() || first.0 < first.1,
            "{frames:?} {steps:?}"
        );
        let known = [FIRST, SECOND, OTHER, TRIED, FED];
        let mut closed = false;
        for (number, frame) in frames.iter().enumerate() {
            match frame.opcode {
                PING => {}
                PONG => assert_eq!(frame.payload, b"p"),
                CLOSE => {}
                _ => assert!(known.iter().any(|text| *frame == Frame::text(text))),
            }
            // Pings are answered up to the peer's Close (section 5.5.2).
            let is_late = closed && frame.opcode != PONG;
            assert!(!is_late, "{number} in {frames:?} {steps:?}");
            closed |= frame.opcode == CLOSE;
        }
        assert!(closed, "{frames:?} {steps:?}");
        if let Some(Ok(_)) = record.pinged {
            assert!(frames.iter().any(|frame| frame.opcode == PING));
        }
    }
}

async fn receive(mut receiver: Receiver<Wired>, record: Arc<Mutex<Record>>, closes: bool) {
    while let Ok(Some(message)) = receiver.recv().await {
        record.lock().expect("no panic").received.push(message);
        if closes {
            receiver.close(CloseCode::NORMAL).await;
            break;
        }
    }
    record.lock().expect("no panic").receiver = Some(receiver);
}

async fn send_two(sender: Sender<Wired>, record: Arc<Mutex<Record>>) {
    for text in [FIRST, SECOND] {
        send(&sender, text, &record).await;
    }
}

/// [`Sender::send`] in its two parts.
async fn send(sender: &Sender<Wired>, text: &'static str, record: &Mutex<Record>) {
    record.lock().expect("no panic").wait_for_room += 1;
    let fed = sender.feed(text).await;
    record.lock().expect("no panic").wait_for_room -= 1;
    let sent = match fed {
        Ok(()) => sender.flush().await,
        Err(error) => Err(error),
    };
    record.lock().expect("no panic").sent.push((text, sent));
}

async fn send_and_ping(sender: Sender<Wired>, record: Arc<Mutex<Record>>) {
    send(&sender, OTHER, &record).await;
    let pinged = sender.ping().await;
    record.lock().expect("no panic").pinged = Some(pinged);
}

/// What happens, while the peer reads and while it does not.
fn explore(reads: bool, closes: bool, happenings: &'static [Happening]) {
    for side in Side::BOTH {
        let scenario = Scenario {
            side,
            happenings,
            reads,
            closes,
        };
        let plays = scenario.explore();
        assert!(plays > 100, "{scenario:?}: {plays}");
    }
}

#[test]
fn the_peer_closes() {
    explore(true, false, &[PeerCloses]);
}

#[test]
fn the_peer_closes_while_one_tries_to_send() {
    explore(true, false, &[PeerCloses, TrySend]);
}

#[test]
fn the_peer_closes_while_one_feeds_and_flushes_without_waiting() {
    explore(true, false, &[PeerCloses, TryFeed, TryFlush]);
}

#[test]
fn a_sender_closes() {
    explore(true, false, &[SenderCloses]);
}

#[test]
fn both_close() {
    explore(true, false, &[SenderCloses, PeerCloses]);
}

#[test]
fn the_receiver_closes() {
    explore(true, true, &[TrySend]);
}

#[test]
fn the_receiver_is_dropped() {
    explore(true, false, &[ReceiverDrops]);
}

#[test]
fn the_peer_reads_nothing_and_falls_silent() {
    explore(false, false, &[TimePasses]);
}

#[test]
fn a_sender_closes_and_the_peer_reads_nothing() {
    explore(false, false, &[SenderCloses]);
}

#[test]
fn the_receiver_closes_and_the_peer_reads_nothing() {
    explore(false, true, &[]);
}

#[test]
fn the_receiver_is_dropped_and_the_peer_reads_nothing() {
    explore(false, false, &[ReceiverDrops]);
}

#[test]
fn the_server_stops() {
    for reads in [true, false] {
        let scenario = Scenario {
            side: Side::Server,
            happenings: &[ServerStops],
            reads,
            closes: false,
        };
        let plays = scenario.explore();
        assert!(plays > 100, "{plays}");
    }
}
