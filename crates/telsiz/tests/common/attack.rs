//! A connection and its attacker, each on a thread of its own: what the heap of the
//! attacked thread takes, the connection takes.
//!
//! What all connections of a thread share (read buffer, outbox, decompressor) is there
//! before: a peer that means well comes first. The kernel's buffers are not counted.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bytes::Bytes;
use telsiz::{ConnectError, Deflate, Error, Options, Upgrade, WebSocket};
use telsiz_proto::handshake::{RequestReader, encode_response, verify};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};
use tokio::time::advance;

use super::frame::{CLOSE, Frame};
use super::frozen::frozen;
use super::heap::{self, Mark};
use super::raw::request;
use super::server::Running;

/// What a connection takes besides what its bound says: its state and its task.
pub(crate) const STATE: isize = 8 * 1024;

/// What may stay with the thread: an outbox for the next connection, and the traces of
/// tasks that have ended.
const LEFT: isize = 256 * 1024 + 1024;

/// What one read brings at most: a buffer of a thread.
pub(crate) const READ: isize = 64 * 1024;

/// How many times what it has to hold a buffer may be large: it grows by doubling.
pub(crate) const GROWN: isize = 2;

/// How many times what came may be kept of a message.
pub(crate) const GROWTH: isize = 4;

/// How long nothing at all may be taken before nothing will be any more.
const STALL: Duration = Duration::from_millis(200);

/// How long an attacker waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which end is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Client,
}

/// How the attacked connection is used: everything is echoed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Recv,
    Run,
    Halves,
}

/// Each end in each way.
pub(crate) fn all() -> impl Iterator<Item = (End, Way)> {
    let ways = [Way::Recv, Way::Run, Way::Halves];
    [End::Server, End::Client]
        .into_iter()
        .flat_map(move |end| ways.map(|way| (end, way)))
}

impl Way {
    pub(crate) async fn echo(self, mut ws: WebSocket) -> Result<(), Error> {
        match self {
            Self::Recv => {
                while let Some(message) = ws.recv().await? {
                    ws.feed(message).await?;
                }
            }
            Self::Run => ws.run(|message, replies| replies.echo(message)).await?,
            Self::Halves => {
                let (mut receiver, sender) = ws.split();
                while let Some(message) = receiver.recv().await? {
                    sender.feed(message).await?;
                }
            }
        }
        Ok(())
    }
}

/// The other end, which blocks.
pub(crate) struct Attacker {
    pub(crate) tcp: TcpStream,
    /// Whether it is a client, whose frames are masked.
    is_client: bool,
}

impl Attacker {
    fn new(tcp: TcpStream, is_client: bool) -> Self {
        tcp.set_nodelay(true).expect("an open socket");
        tcp.set_write_timeout(Some(PATIENCE)).expect("a time");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a time");
        Self { tcp, is_client }
    }

    /// The bytes of a frame as this end sends it.
    pub(crate) fn encode(&self, frame: &Frame) -> Vec<u8> {
        frame.bytes(self.is_client)
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        self.write(&self.encode(frame));
    }

    /// Writes what the victim has to read.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).expect("the victim reads");
    }

    /// Writes `bytes` over and over until nothing is taken any more.
    pub(crate) fn stuff(&mut self, bytes: &[u8]) {
        self.tcp.set_write_timeout(Some(STALL)).expect("a time");
        for _ in 0..400_000_000 / bytes.len() {
            match self.tcp.write_all(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                written => written.expect("an open connection"),
            }
        }
        panic!("the victim never stopped reading");
    }

    /// Sends a message and reads the answer.
    pub(crate) fn ask(&mut self, message: &[u8]) -> Vec<u8> {
        self.send(&Frame::binary(message));
        self.frame().1
    }

    /// Reads up to the peer's Close frame; its code.
    pub(crate) fn close_code(&mut self) -> u16 {
        loop {
            let (opcode, payload) = self.frame();
            if opcode == CLOSE {
                return Frame::new(opcode, payload).close_body().0;
            }
        }
    }

    /// The next frame: opcode and payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let first = self.take::<1>()[0];
        let second = self.take::<1>()[0];
        let len = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(self.take())),
            127 => u64::from_be_bytes(self.take()),
            len => u64::from(len),
        };
        let key = if self.is_client { [0; 4] } else { self.take() };
        let mut payload = vec![0; len as usize];
        self.tcp.read_exact(&mut payload).expect("a whole frame");
        for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        (first & 0x0f, payload)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.tcp.read_exact(&mut bytes).expect("a frame");
        bytes
    }

    /// The head of an HTTP message.
    pub(crate) fn head(&mut self) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take::<1>());
        }
        head
    }

    /// Reads until the transport ends, whatever comes.
    pub(crate) fn wait_for_end(&mut self) {
        let mut rest = vec![0; 100_000];
        loop {
            match self.tcp.read(&mut rest) {
                Ok(0) => return,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return,
                read => drop(read.expect("an end in time")),
            }
        }
    }

    /// Makes the opening handshake, with compression if our end wants it.
    fn shake_hands(&mut self) {
        if self.is_client {
            let offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            self.write(request("/", offer).as_bytes());
            assert!(self.head().starts_with(b"HTTP/1.1 101 "));
        } else {
            let head = self.head();
            let read = RequestReader::default().handle_input(&head);
            let (request, _) = read.expect("HTTP").expect("a whole head");
            let opening = verify(&request).expect("a correct upgrade");
            let (response, _) = opening.accept(None, Some(&Deflate::default()));
            let response = response.map(|()| Bytes::new());
            self.write(&encode_response(&response));
        }
    }
}

/// What an attack did to the heap of the attacked thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// The most bytes at any moment.
    pub(crate) peak: isize,
    /// The bytes when the attacker had done all it could.
    pub(crate) held: isize,
}

impl Cost {
    #[track_caller]
    pub(crate) fn is_at_most(self, bound: isize, what: impl std::fmt::Debug) {
        println!("{what:?}: {self:?} of {bound}");
        assert!(self.peak <= bound, "{what:?}: {self:?} of {bound}");
    }
}

/// What happens when the attacker has done all it could.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Then {
    /// It goes away.
    HangUp,
    /// It stays, and so much time passes: that is to be enough.
    Wait(Duration),
}

/// Runs `attack` on an open connection at `end` that `victim` uses. Nothing is left of
/// it afterwards.
pub(crate) fn cost<F: Future>(
    end: End,
    options: Options,
    victim: impl FnOnce(WebSocket) -> F + Send + 'static,
    attack: impl FnOnce(&mut Attacker) + Send + 'static,
    then: Then,
) -> Cost {
    measure(end, options, async move |arena| {
        let attacking = arena.begin(|attacker| {
            attacker.shake_hands();
            attack(attacker);
        });
        let using = async {
            victim(arena.open().await).await;
        };
        fight(attacking, using, then).await
    })
}

/// Runs `attack` in place of the peer's side of the opening handshake.
pub(crate) fn opening_cost(
    end: End,
    options: Options,
    attack: impl FnOnce(&mut Attacker) + Send + 'static,
    then: Then,
) -> Cost {
    measure(end, options, async move |arena| {
        let attacking = arena.begin(attack);
        match end {
            // It is the server's own task that waits.
            End::Server => fight(attacking, async {}, then).await,
            End::Client => fight(attacking, arena.connect(), then).await,
        }
    })
}

/// Lets one end attack the other; what is live when all is done that can be.
async fn fight(mut attacking: JoinHandle<Attacker>, victim: impl Future, then: Then) -> isize {
    let mut victim = pin!(victim);
    let (attacker, has_ended) = tokio::select! {
        attacker = &mut attacking => (attacker, false),
        _ = &mut victim => (attacking.await, true),
    };
    let mut attacker = attacker.unwrap_or_else(|error| resume_unwind(error.into_panic()));
    let held = heap::live();
    match then {
        Then::HangUp => {
            drop(attacker);
            if !has_ended {
                victim.await;
            }
        }
        Then::Wait(time) => {
            let waiting = spawn_blocking(move || attacker.wait_for_end());
            // Again and again: what was sent may not have been read yet.
            let passing = async {
                while !waiting.is_finished() {
                    advance(time).await;
                    yield_now().await;
                }
            };
            match has_ended {
                true => passing.await,
                false => drop(tokio::join!(victim, passing)),
            }
            waiting.await.expect("the transport ends");
        }
    }
    held
}

fn measure(
    end: End,
    options: Options,
    act: impl AsyncFnOnce(&mut Arena) -> isize + Send + 'static,
) -> Cost {
    let (tell, told) = mpsc::channel();
    frozen(move || async move {
        let mut arena = Arena::new(end, options).await;
        let befriending = arena.begin(|peer| {
            peer.shake_hands();
            peer.ask(&[0; 9000]);
        });
        tokio::spawn(Way::Run.echo(arena.open().await));
        let friend = befriending.await.expect("an echo");
        let mark = Mark::set();
        let held = act(&mut arena).await;
        // What goes on in the background ends when it sees the end, or is in time.
        while mark.used().kept > LEFT {
            yield_now().await;
        }
        let cost = Cost {
            peak: mark.used().peak,
            held: held - mark.live(),
        };
        tell.send(cost).expect("the test waits");
        drop(friend);
    });
    told.recv().expect("a cost")
}

/// A place where connections are opened and attacked.
struct Arena {
    address: SocketAddr,
    options: Options,
    way_in: WayIn,
}

enum WayIn {
    /// What our server accepts.
    Server(UnboundedReceiver<WebSocket>),
    /// Where our client connects to.
    Client(Arc<TcpListener>),
}

impl Arena {
    async fn new(end: End, options: Options) -> Self {
        let (address, way_in) = match end {
            End::Server => {
                let (give, accepted) = unbounded_channel();
                let accept = move |upgrade: Upgrade| {
                    let give = give.clone();
                    async move {
                        let _ = give.send(upgrade.accept().await?);
                        Ok::<_, Error>(())
                    }
                };
                let server = Running::start(|serve| {
                    let serve = serve.options(options.clone());
                    serve.fallback(accept)
                });
                (server.await.address, WayIn::Server(accepted))
            }
            End::Client => {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
                let address = listener.local_addr().expect("an address");
                (address, WayIn::Client(Arc::new(listener)))
            }
        };
        Self {
            address,
            options,
            way_in,
        }
    }

    /// Starts a peer.
    fn begin(&self, attack: impl FnOnce(&mut Attacker) + Send + 'static) -> JoinHandle<Attacker> {
        let address = self.address;
        let listener = match &self.way_in {
            WayIn::Server(_) => None,
            WayIn::Client(listener) => Some(listener.clone()),
        };
        spawn_blocking(move || {
            let tcp = match &listener {
                None => TcpStream::connect(address),
                Some(listener) => listener.accept().map(|(tcp, _)| tcp),
            };
            let mut attacker = Attacker::new(tcp.expect("a connection"), listener.is_none());
            attack(&mut attacker);
            attacker
        })
    }

    /// Our end of a connection that a peer has begun.
    async fn open(&mut self) -> WebSocket {
        match &mut self.way_in {
            WayIn::Server(accepted) => accepted.recv().await.expect("the server runs"),
            WayIn::Client(_) => self.connect().await.expect("the peer accepts"),
        }
    }

    async fn connect(&self) -> Result<WebSocket, ConnectError> {
        let connect = telsiz::connect(format!("ws://{}/", self.address));
        connect.options(self.options.clone()).await
    }
}
