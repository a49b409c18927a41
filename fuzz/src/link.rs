//! `link`: futures that are polled a few times and dropped, over a transport that takes and gives any number of
//! bytes.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use bytes::Bytes;
use telsiz::{
    Batch, CloseCode, Error, Message, Options, Outgoing, Prepared, Receiver, Sender, TrySendError,
    WebSocket,
};
use telsiz_proto::handshake::{RequestReader, encode_response, verify};
use telsiz_proto::{Config, State};
use tokio::runtime::{Builder, Runtime};

use crate::common::{Driver, End, Seen, Side};
use crate::script::Script;
use crate::wire::{Shared, Wire};

/// Enough polls for anything here.
const ENOUGH: usize = 1_000;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
}

/// However futures are polled and dropped, nothing is lost, torn or turned round, in either direction, and nobody
/// who waits is forgotten.
pub fn link(data: &[u8]) {
    let mut script = Script::new(data);
    RUNTIME.with(|runtime| {
        // Time-outs are off: a runtime is there because timers and dropped connections ask for one.
        let _guard = runtime.enter();
        let is_split = script.flag();
        let (ws, mut peer) = open(&mut script);
        match is_split {
            false => whole(ws, &mut peer, &mut script),
            true => halves(ws, &mut peer, &mut script),
        }
        // Whoever was dropped says goodbye in the background, and is gone.
        for _ in 0..ENOUGH {
            peer.wire.let_through(usize::MAX, usize::MAX);
            peer.exchange();
            if peer.wire.is_alone() {
                return peer.got_all();
            }
            runtime.block_on(tokio::task::yield_now());
        }
        panic!("the connection never goes away");
    });
}

/// Remembers that it was woken.
#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A task: whoever is polled for it is polled again only when it was woken.
struct Task {
    flag: Arc<Flag>,
    waker: Waker,
}

impl Task {
    fn new() -> Self {
        let flag = Arc::new(Flag::default());
        flag.0.store(true, Ordering::SeqCst);
        let waker = flag.clone().into();
        Self { flag, waker }
    }

    /// Polls if it was woken since the last time.
    fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        match self.flag.0.swap(false, Ordering::SeqCst) {
            true => future.poll(&mut Context::from_waker(&self.waker)),
            false => Poll::Pending,
        }
    }
}

/// The server at the other end, and what it is to get and to have said.
struct Peer {
    wire: Shared,
    end: End,
    count: u32,
    to_come: Vec<Sent>,
    /// How much of what the peer has seen was compared with that.
    compared: usize,
    /// What the peer sent, and how much of it we received.
    said: Vec<Vec<u8>>,
    came: usize,
    closing: bool,
}

/// What we sent, or meant to.
struct Sent {
    payload: Vec<u8>,
    /// Who sent it: what one task sends arrives in order.
    lane: usize,
    /// Whether it was queued for sure: the future that did so completed.
    is_sure: bool,
    has_come: bool,
}

/// Our client, after its handshake with a peer.
fn open(script: &mut Script<'_>) -> (WebSocket<Wire>, Peer) {
    let (ours, wire) = Wire::new();
    let options = Options::default()
        .open_timeout(None)
        .close_timeout(None)
        .ping_interval(None)
        .write_buffer(script.size());
    let opening = telsiz::connect("ws://peer/").options(options).over(ours);
    let mut opening = pin!(opening);
    let task = Task::new();
    wire.let_through(0, usize::MAX);
    assert!(task.poll(opening.as_mut()).is_pending());
    let head = std::mem::take(&mut wire.lock().outgoing);
    let read = RequestReader::default().handle_input(&head);
    let (request, len) = read.expect("a correct head").expect("a whole head");
    assert_eq!(len, head.len());
    let opening_of_peer = verify(&request).expect("a correct upgrade");
    let (response, _) = opening_of_peer.accept(None, None);
    let answer = encode_response(&response.map(|()| Bytes::new()));
    wire.lock().incoming.extend(answer);
    wire.let_through(usize::MAX, 0);
    let Poll::Ready(Ok(ws)) = task.poll(opening.as_mut()) else {
        panic!("the handshake does not end");
    };
    {
        let mut state = wire.lock();
        state.readable = 0;
        state.writable = 0;
    }
    let mut config = Config::default();
    config.keepalive.interval = None;
    config.close_timeout = None;
    let peer = Peer {
        wire,
        end: End::new(Side::Server, &config, Instant::now()),
        count: 0,
        to_come: Vec::new(),
        compared: 0,
        said: Vec::new(),
        came: 0,
        closing: false,
    };
    (ws, peer)
}

impl Peer {
    /// A payload that is like no other.
    fn payload(&mut self, script: &mut Script<'_>) -> Vec<u8> {
        self.count += 1;
        let mut payload = format!("{};", self.count).into_bytes();
        payload.extend(script.payload(20_000));
        payload
    }

    /// What the peer and the transport do meanwhile.
    fn step(&mut self, script: &mut Script<'_>) {
        let what = script.byte();
        match what & 0x07 {
            0 | 1 => self.wire.let_through(script.size(), 0),
            2 | 3 => self.wire.let_through(0, script.size()),
            4 => self.wire.let_through(script.size(), script.size()),
            5 => {
                let payload = self.payload(script);
                let (connection, out) = (&mut self.end.connection, &mut self.end.out);
                if connection.send_binary(&payload, out).is_ok() {
                    self.said.push(payload);
                }
            }
            6 => {
                let _ = self.end.connection.ping(&[what]);
            }
            _ if what >= 0xf0 => self.end.connection.close(CloseCode::GOING_AWAY.into()),
            _ => {}
        }
        self.exchange();
    }

    /// The peer reads what has come and writes what it has to say.
    fn exchange(&mut self) {
        let bytes = std::mem::take(&mut self.wire.lock().outgoing);
        self.end.read(Driver::SIMPLE, &bytes);
        let answer = self.end.transmit();
        {
            let mut state = self.wire.lock();
            state.incoming.extend(answer);
            // The server ends the transport when both Close frames were sent (section 7.1.1).
            state.ended = self.end.connection.is_exchanged();
        }
        self.wire.let_through(0, 0);
        self.closing |= self.end.connection.state() != State::Open;
        self.check();
    }

    /// We are about to send a payload.
    fn expect(&mut self, payload: &[u8], lane: usize, is_sure: bool) -> usize {
        self.to_come.push(Sent {
            payload: payload.to_vec(),
            lane,
            is_sure,
            has_come: false,
        });
        self.to_come.len() - 1
    }

    /// What the peer got is what we sent, in order and once.
    fn check(&mut self) {
        for seen in &self.end.seen[self.compared..] {
            match seen {
                Seen::Message(_, payload) => {
                    let place = self
                        .to_come
                        .iter()
                        .rposition(|sent| sent.payload == *payload);
                    let place = place.expect("something that was sent");
                    let (lane, came) = (self.to_come[place].lane, self.to_come[place].has_come);
                    assert!(!came, "{} came twice", shown(payload));
                    let mut behind = self.to_come[place..].iter();
                    let overtaken = behind.any(|sent| sent.lane == lane && sent.has_come);
                    assert!(!overtaken, "{} was overtaken", shown(payload));
                    self.to_come[place].has_come = true;
                }
                Seen::Fault(fault) => panic!("{fault}"),
                _ => {}
            }
        }
        self.compared = self.end.seen.len();
    }

    /// What was queued for sure and has not come to the peer.
    fn lost(&self) -> Option<&Sent> {
        let mut sent = self.to_come.iter();
        sent.find(|sent| sent.is_sure && !sent.has_come)
    }

    /// All that was queued for sure has come to the peer.
    fn got_all(&self) {
        if let Some(sent) = self.lost() {
            panic!("{} is lost", shown(&sent.payload));
        }
    }

    /// What we received is next.
    fn receives(&mut self, payload: &[u8]) {
        let next = self.said.get(self.came).expect("something that was said");
        assert!(
            next == payload,
            "{} instead of {}",
            shown(payload),
            shown(next)
        );
        self.came += 1;
    }

    /// All that the peer said has come to us.
    fn said_all(&self) {
        assert_eq!(self.came, self.said.len(), "what came of what was said");
    }
}

/// The number of a payload.
fn shown(payload: &[u8]) -> String {
    let number = payload
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(number).into_owned()
}

/// Polls `future` as often as the script says, while the peer does things; then drops it. With it goes whether it
/// was polled to no avail at least once.
fn play<F: Future>(
    peer: &mut Peer,
    script: &mut Script<'_>,
    future: F,
) -> (Option<F::Output>, bool) {
    let mut future = pin!(future);
    let task = Task::new();
    let mut waited = false;
    for _ in 0..script.below(8) {
        if let Poll::Ready(output) = task.poll(future.as_mut()) {
            return (Some(output), waited);
        }
        waited = true;
        peer.step(script);
    }
    (None, waited)
}

/// Polls `future`, over a transport that lets everything through, until it is ready. It has to ask for that.
fn complete<F: Future>(peer: &mut Peer, future: F) -> F::Output {
    let mut future = pin!(future);
    let task = Task::new();
    for _ in 0..ENOUGH {
        if let Poll::Ready(output) = task.poll(future.as_mut()) {
            return output;
        }
        peer.wire.let_through(usize::MAX, usize::MAX);
        peer.exchange();
    }
    panic!("nobody was woken, or for ever");
}

/// A connection in one task.
fn whole(mut ws: WebSocket<Wire>, peer: &mut Peer, script: &mut Script<'_>) {
    let mut has_ended = false;
    while !script.is_over() {
        let what = script.byte();
        match what & 0x0f {
            0..=2 => {
                let payload = peer.payload(script);
                let message = outgoing(what, &payload);
                // It is queued with the call, if there is room: whoever drops it then cannot know.
                peer.expect(&payload, 0, false);
                let fed = {
                    let feed = ws.feed(message);
                    play(peer, script, feed)
                };
                settle_feed(peer, fed);
            }
            3..=5 => {
                let payload = peer.payload(script);
                let message = outgoing(what, &payload);
                peer.expect(&payload, 0, false);
                let sent = play(peer, script, ws.send(message)).0;
                settle_send(peer, sent);
            }
            6 => drop(play(peer, script, ws.flush())),
            7 => drop(play(peer, script, ws.ping())),
            8..=10 => {
                let received = play(peer, script, ws.recv()).0;
                has_ended |= receive(peer, received);
            }
            11 | 12 => run(&mut ws, peer, script),
            13 if what >= 0xc0 => {
                peer.closing = true;
                // Who waits for the end discards what still comes.
                play(peer, script, ws.close(CloseCode::NORMAL));
                return;
            }
            _ => peer.step(script),
        }
    }
    if has_ended {
        return peer.said_all();
    }
    // All that was queued goes out, and all that was said comes in.
    let flushed = complete(peer, ws.flush());
    assert!(flushed.is_ok() || peer.closing, "{flushed:?}");
    peer.end.connection.close(CloseCode::GOING_AWAY.into());
    peer.exchange();
    loop {
        let received = complete(peer, ws.recv());
        if receive(peer, Some(received)) {
            break;
        }
    }
    assert_ne!(ws.state(), State::Open);
    peer.said_all();
}

fn outgoing(what: u8, payload: &[u8]) -> Outgoing {
    match what & 0x40 {
        0 => Message::binary(payload.to_vec()).into(),
        _ => Prepared::new(Message::binary(payload.to_vec())).into(),
    }
}

/// The last that was to come was fed: what became of it.
fn settle_feed(peer: &mut Peer, (fed, waited): (Option<Result<(), Error>>, bool)) {
    match fed {
        Some(Ok(())) => sure(peer),
        // Who waited and gave up has queued nothing.
        None if !waited => {}
        None => drop(peer.to_come.pop()),
        Some(Err(Error::Closed)) => {
            assert!(peer.closing);
            peer.to_come.pop();
        }
        Some(Err(error)) => panic!("{error}"),
    }
}

/// The same for a send, of which nobody knows where it was dropped.
fn settle_send(peer: &mut Peer, sent: Option<Result<(), Error>>) {
    match sent {
        Some(Ok(())) => sure(peer),
        None => {}
        // It may have been queued before the peer's Close came, and even have gone out.
        Some(Err(Error::Closed)) => assert!(peer.closing),
        Some(Err(error)) => panic!("{error}"),
    }
}

fn sure(peer: &mut Peer) {
    if let Some(sent) = peer.to_come.last_mut() {
        sent.is_sure = true;
    }
}

/// What `recv` came to; whether that is the end.
fn receive(peer: &mut Peer, received: Option<Result<Option<Message>, Error>>) -> bool {
    match received {
        None => false,
        Some(Ok(Some(message))) => {
            peer.receives(message.as_bytes());
            false
        }
        Some(Ok(None)) => {
            assert!(peer.closing);
            true
        }
        Some(Err(error)) => panic!("{error}"),
    }
}

/// Echoes for a while.
fn run(ws: &mut WebSocket<Wire>, peer: &mut Peer, script: &mut Script<'_>) {
    let handled = std::cell::RefCell::new(Vec::new());
    {
        let running = ws.run(|message, replies| {
            handled.borrow_mut().push(message.as_bytes().to_vec());
            replies.echo(message);
        });
        let mut running = pin!(running);
        let task = Task::new();
        for _ in 0..script.below(8) {
            let polled = task.poll(running.as_mut());
            for payload in handled.borrow_mut().drain(..) {
                peer.receives(&payload);
                // A reply is dropped if the connection closes already.
                let is_sure = !peer.closing;
                peer.expect(&payload, 0, is_sure);
            }
            if let Poll::Ready(ran) = polled {
                assert!(ran.is_ok() && peer.closing, "{ran:?}");
                break;
            }
            peer.step(script);
        }
    }
}

/// A task that sends.
struct Sending {
    task: Task,
    future: Pin<Box<dyn Future<Output = Result<(), Error>>>>,
    /// What it sends, among what is to come.
    place: usize,
}

/// The lane of what is sent by who never waits: behind those of the tasks.
const TRYING: usize = 3;

/// Halves in tasks of their own: one that receives and up to three that send.
fn halves(ws: WebSocket<Wire>, peer: &mut Peer, script: &mut Script<'_>) {
    let (mut receiver, sender) = ws.split();
    let mut tasks: [Option<Sending>; TRYING] = [const { None }; 3];
    let mut receiving = Task::new();
    let mut has_ended = false;
    while !script.is_over() && !has_ended {
        let what = script.byte();
        let at = usize::from(what >> 4) % tasks.len();
        match what & 0x0f {
            0..=3 if tasks[at].is_none() => {
                tasks[at] = Some(Sending::new(at, what, &sender, peer, script));
            }
            0..=5 => poll_sending(&mut tasks[at], peer),
            6 => tasks[at] = None,
            7 | 8 => try_something(what, &sender, peer, script),
            9 | 10 => has_ended = poll_receiving(&mut receiver, &receiving, peer),
            // Another task receives from now on.
            11 => receiving = Task::new(),
            12 if what >= 0xe0 => {
                sender.close(CloseCode::NORMAL);
                peer.closing = true;
            }
            _ => peer.step(script),
        }
    }
    let mut has_flushed = false;
    // Everything is let through: nobody may wait any more, and each learns that by being woken.
    for _ in 0..ENOUGH {
        peer.wire.let_through(usize::MAX, usize::MAX);
        peer.exchange();
        tasks.iter_mut().for_each(|task| poll_sending(task, peer));
        let is_all = tasks.iter().all(Option::is_none);
        // Who only fed has to say that this was all.
        if is_all && !std::mem::replace(&mut has_flushed, true) {
            sender.try_flush();
        }
        has_ended = has_ended || poll_receiving(&mut receiver, &receiving, peer);
        // Not before all is there: a Close would wake who should have been woken for that.
        if is_all && !peer.closing && peer.lost().is_none() {
            peer.end.connection.close(CloseCode::GOING_AWAY.into());
        }
        if is_all && has_ended {
            return peer.said_all();
        }
    }
    peer.got_all();
    let waiting = tasks.iter().flatten().count();
    panic!(
        "{waiting} that send wait for ever, the receiver: {}",
        !has_ended
    );
}

impl Sending {
    fn new(
        lane: usize,
        what: u8,
        sender: &Sender<Wire>,
        peer: &mut Peer,
        script: &mut Script<'_>,
    ) -> Self {
        let payload = peer.payload(script);
        let place = peer.expect(&payload, lane, false);
        let message = outgoing(what, &payload);
        let sender = sender.clone();
        Self {
            task: Task::new(),
            future: match what & 1 {
                0 => Box::pin(async move { sender.send(message).await }),
                _ => Box::pin(async move { sender.feed(message).await }),
            },
            place,
        }
    }
}

fn poll_sending(sending: &mut Option<Sending>, peer: &mut Peer) {
    if let Some(Sending {
        task,
        future,
        place,
    }) = sending
        && let Poll::Ready(sent) = task.poll(future.as_mut())
    {
        match sent {
            Ok(()) => peer.to_come[*place].is_sure = true,
            Err(Error::Closed) => assert!(peer.closing),
            Err(error) => panic!("{error}"),
        }
        *sending = None;
    }
}

/// What never waits: a few messages at once, or one that is fed or sent, or what is queued.
fn try_something(what: u8, sender: &Sender<Wire>, peer: &mut Peer, script: &mut Script<'_>) {
    let how = match what & 0x0f {
        7 => 0,
        _ => what >> 4 & 0x03,
    };
    let count = match how {
        0 | 1 => 1,
        2 => script.below(5),
        _ => return sender.try_flush(),
    };
    let payloads: Vec<_> = (0..count).map(|_| peer.payload(script)).collect();
    let tried = match (how, &payloads[..]) {
        (0, [payload]) => sender.try_send(outgoing(what, payload)),
        (1, [payload]) => sender.try_feed(outgoing(what, payload)),
        _ => {
            let messages = payloads.iter();
            let messages = messages.map(|payload| Prepared::new(Message::binary(payload.clone())));
            sender.try_send_all(&Batch::new(messages.collect()))
        }
    };
    // What comes back was not queued, nor was what is behind it.
    let queued = match tried {
        Ok(()) => count,
        Err(TrySendError::Full(message)) => {
            assert!(sender.backlog() > 0);
            place(&message, &payloads)
        }
        Err(TrySendError::Closed(message)) => {
            assert!(peer.closing);
            place(&message, &payloads)
        }
        Err(error) => panic!("{error}"),
    };
    for payload in &payloads[..queued] {
        peer.expect(payload, TRYING, true);
    }
}

/// Which of the payloads this is.
fn place(message: &Outgoing, payloads: &[Vec<u8>]) -> usize {
    let message = match message {
        Outgoing::Message(message) => message,
        Outgoing::Prepared(prepared) => prepared.message(),
    };
    let mut payloads = payloads.iter();
    let place = payloads.position(|payload| payload == message.as_bytes());
    place.expect("what was tried")
}

fn poll_receiving(receiver: &mut Receiver<Wire>, task: &Task, peer: &mut Peer) -> bool {
    let received = match task.poll(pin!(receiver.recv())) {
        Poll::Ready(received) => {
            // Who got something asks again at once.
            task.flag.0.store(true, Ordering::SeqCst);
            Some(received)
        }
        Poll::Pending => None,
    };
    receive(peer, received)
}
