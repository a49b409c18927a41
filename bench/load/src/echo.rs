//! The echo load: a closed loop of messages on many connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use crate::frame::PING;
use crate::{Cell, Error, Script, connect, process};

const READ_BUFFER: usize = 256 * 1024;
const EVENTS: usize = 1024;

/// How long a server may be silent while messages are missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the load does while no echo is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Sleeps, as clients do. To wake it is the server's work, the same for every server.
    Asleep,
    /// Asks again and again: the server has only its own work.
    Spinning,
}

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Messages that were echoed, all of them as they should be.
    pub messages: u64,
    /// From the first message sent to the last one echoed.
    pub elapsed: Duration,
    /// Processor time of the server in that time.
    pub cpu: Duration,
}

/// Puts `cell` on the server for `duration`, after a warm-up that is not counted.
///
/// The clock and the server's processor time are read while the server is at rest: before the first message and after
/// the last echo. So no message is half counted, and the scheduler's own books are complete.
pub fn echo(
    address: SocketAddr,
    pid: u32,
    cell: Cell,
    script: &Script,
    warm_up: Duration,
    duration: Duration,
    waiting: Waiting,
) -> Result<Measured, Error> {
    let mut load = Load::new(connect::open(address, cell.connections)?, script, waiting)?;
    load.run(warm_up)?;
    let before = at_rest(pid)?;
    let start = Instant::now();
    let messages = load.run(duration)?;
    let elapsed = start.elapsed();
    let after = at_rest(pid)?;
    Ok(Measured {
        messages,
        elapsed,
        cpu: after.saturating_sub(before),
    })
}

/// Sends one message on each connection and waits for its echo.
pub fn echo_once(connections: &mut [TcpStream], script: &Script) -> Result<(), Error> {
    let mut buffer = vec![0; READ_BUFFER];
    for (index, stream) in connections.iter_mut().enumerate() {
        let lost = |error| Error::Lost {
            connection: index,
            error: Some(error),
        };
        let message = script.outgoing(index, 0, script.sent_length(1));
        stream.write_all(message).map_err(lost)?;
        let mut got = 0;
        while script.echoed_messages(got) < 1 {
            let read = stream.read(&mut buffer).map_err(lost)?;
            if read == 0 {
                return Err(Error::Lost {
                    connection: index,
                    error: None,
                });
            }
            got += verify(script, index, got, &mut buffer[..read])?;
        }
        if got > script.echoed_length(1) {
            return Err(Error::Surplus { connection: index });
        }
    }
    Ok(())
}

/// Checks what was read from position `from` on; how many bytes of echo it was. A server may send pings between
/// echoes: they are left out, and not answered, because a measurement is shorter than any time-out.
fn verify(script: &Script, connection: usize, from: u64, got: &mut [u8]) -> Result<u64, Error> {
    let mut len = got.len();
    while let Err(position) = script.check(connection, from, &got[..len]) {
        let (message, byte) = script.place(position);
        let at = (position - from) as usize;
        let is_ping = byte == 0 && got[at..len].starts_with(&PING);
        if !is_ping {
            return Err(Error::WrongEcho {
                connection,
                message,
                byte,
            });
        }
        got.copy_within(at + PING.len()..len, at);
        len -= PING.len();
    }
    Ok(len as u64)
}

/// The server's processor time once it no longer grows.
fn at_rest(pid: u32) -> Result<Duration, Error> {
    let read = || process::cpu_time(pid).map_err(Error::io("reading the server's processor time"));
    let mut last = read()?;
    // A server with timers may never be quite at rest; a few of its ticks do no harm.
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(1));
        let now = read()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

/// All connections of a measurement and the loop that drives them.
struct Load<'a> {
    poll: OwnedFd,
    lanes: Vec<Lane>,
    script: &'a Script,
    events: Vec<Event>,
    buffer: Vec<u8>,
    waiting: Waiting,
}

/// One connection. Positions count bytes from its beginning; see [`Script`].
struct Lane {
    stream: TcpStream,
    /// Messages that may have been sent by now.
    due: u64,
    sent: u64,
    received: u64,
    /// The kernel took not all: wait until it does.
    blocked: bool,
}

impl<'a> Load<'a> {
    fn new(streams: Vec<TcpStream>, script: &'a Script, waiting: Waiting) -> Result<Self, Error> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| Error::io("creating an epoll")(errno.into()))?;
        let mut lanes = Vec::with_capacity(streams.len());
        for stream in streams {
            stream
                .set_nonblocking(true)
                .map_err(Error::io("setting up a socket"))?;
            let data = EventData::new_u64(lanes.len() as u64);
            epoll::add(&poll, &stream, data, EventFlags::IN)
                .map_err(|errno| Error::io("adding to the epoll")(errno.into()))?;
            lanes.push(Lane {
                stream,
                due: 0,
                sent: 0,
                received: 0,
                blocked: false,
            });
        }
        Ok(Self {
            poll,
            lanes,
            script,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_BUFFER],
            waiting,
        })
    }

    /// Keeps all lanes busy for `duration`, then waits for what is still under way. Returns how many came back.
    fn run(&mut self, duration: Duration) -> Result<u64, Error> {
        let start = Instant::now();
        let mut missing = 0;
        let mut echoed = 0;
        for index in 0..self.lanes.len() {
            self.lanes[index].due += self.script.in_flight();
            missing += self.script.in_flight();
            self.send(index)?;
        }
        while missing > 0 {
            self.wait(missing)?;
            let go_on = start.elapsed() < duration;
            let events = std::mem::take(&mut self.events);
            for event in &events {
                let index = event.data.u64() as usize;
                let back = self.receive(index)?;
                echoed += back;
                if go_on {
                    self.lanes[index].due += back;
                } else {
                    missing -= back;
                }
                self.send(index)?;
            }
            self.events = events;
        }
        Ok(echoed)
    }

    /// Waits for an event.
    fn wait(&mut self, missing: u64) -> Result<(), Error> {
        let at_most = Timespec {
            tv_sec: if self.waiting == Waiting::Asleep {
                1
            } else {
                0
            },
            tv_nsec: 0,
        };
        self.events.clear();
        let mut start = None;
        loop {
            for _ in 0..100 {
                match epoll::wait(&self.poll, spare_capacity(&mut self.events), Some(&at_most)) {
                    Ok(0) if self.waiting == Waiting::Asleep => break,
                    Ok(0) | Err(rustix::io::Errno::INTR) => {}
                    Ok(_) => return Ok(()),
                    Err(errno) => return Err(Error::io("waiting on the epoll")(errno.into())),
                }
            }
            if start.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(Error::Stalled { missing });
            }
        }
    }

    /// One `recv`. Returns how many messages it completed.
    fn receive(&mut self, index: usize) -> Result<u64, Error> {
        let lane = &mut self.lanes[index];
        let read = match lane.stream.read(&mut self.buffer) {
            Ok(0) => {
                return Err(Error::Lost {
                    connection: index,
                    error: None,
                });
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => {
                return Err(Error::Lost {
                    connection: index,
                    error: Some(error),
                });
            }
        };
        let echoed = verify(self.script, index, lane.received, &mut self.buffer[..read])?;
        let before = self.script.echoed_messages(lane.received);
        lane.received += echoed;
        if lane.received > self.script.echoed_length(lane.due) {
            return Err(Error::Surplus { connection: index });
        }
        let after = self.script.echoed_messages(lane.received);
        Ok(after - before)
    }

    /// Sends what is due, in one `send` if the kernel takes it.
    fn send(&mut self, index: usize) -> Result<(), Error> {
        let lane = &mut self.lanes[index];
        let end = self.script.sent_length(lane.due);
        let mut blocked = false;
        while lane.sent < end && !blocked {
            let bytes = self.script.outgoing(index, lane.sent, end);
            match lane.stream.write(bytes) {
                Ok(written) => {
                    lane.sent += written as u64;
                    blocked = written < bytes.len();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => blocked = true,
                Err(error) => {
                    return Err(Error::Lost {
                        connection: index,
                        error: Some(error),
                    });
                }
            }
        }
        if blocked != lane.blocked {
            lane.blocked = blocked;
            let interest = if blocked {
                EventFlags::IN | EventFlags::OUT
            } else {
                EventFlags::IN
            };
            let data = EventData::new_u64(index as u64);
            epoll::modify(&self.poll, &lane.stream, data, interest)
                .map_err(|errno| Error::io("changing the epoll")(errno.into()))?;
        }
        Ok(())
    }
}
