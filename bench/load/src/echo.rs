//! The echo load: a closed loop of messages on many connections.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use crate::poll::Poll;
use crate::process::timed;
use crate::receipt::Receipts;
use crate::{Cell, Error, Script, Target, Waiting, Wire, connect};

const READ_BUFFER: usize = 256 * 1024;

/// Of what is skimmed, one read of so many is compared and the others are only counted.
const COMPARED: u32 = 8;

/// In longer measurements all is compared: servers send pings that nobody would see.
const NO_PINGS_YET: Duration = Duration::from_secs(5);

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Messages that were echoed, or connections that were opened, all of them as they should be.
    pub messages: u64,
    /// From the first message sent to the last one echoed.
    pub elapsed: Duration,
    /// Processor time of the server in that time.
    pub cpu: Duration,
    /// Bytes of the echoes, with the headers of their frames.
    pub bytes: u64,
    /// Messages that the server sent as they are although it had agreed on compression.
    pub uncompressed: u64,
}

/// Puts `cell` on the server for `duration`, after a warm-up that is not counted.
///
/// The clock and the server's processor time are read while the server is at rest: before the first message and after
/// the last echo. So no message is half counted, and the scheduler's own books are complete.
pub fn echo(
    target: &Target,
    pid: u32,
    cell: Cell,
    script: &Script,
    warm_up: Duration,
    duration: Duration,
    waiting: Waiting,
) -> Result<Measured, Error> {
    let wires = connect::open(target, script.offer(), cell.connections)?;
    let mut load = Load::new(wires, script, waiting)?;
    load.run(warm_up)?;
    let (bytes, uncompressed) = (load.receipts.bytes, load.receipts.uncompressed);
    load.skims = script.is_skimmed() && warm_up + duration < NO_PINGS_YET;
    let (messages, elapsed, cpu) = timed(pid, || load.run(duration))?;
    Ok(Measured {
        messages,
        elapsed,
        cpu,
        bytes: load.receipts.bytes - bytes,
        uncompressed: load.receipts.uncompressed - uncompressed,
    })
}

/// Sends one message on each connection and waits for its echo.
pub fn echo_once(connections: &mut [Wire], script: &Script) -> Result<(), Error> {
    let mut buffer = vec![0; READ_BUFFER];
    let mut receipts = Receipts::new(script, connections.len());
    for (index, wire) in connections.iter_mut().enumerate() {
        let lost = |error| Error::Lost {
            connection: index,
            error: Some(error),
        };
        let message = script.outgoing(index, 0, script.sent_length(index, 1));
        wire.write_all(message)
            .and_then(|()| wire.flush())
            .map_err(lost)?;
        let mut echoed = 0;
        while echoed < 1 {
            let read = wire.read(&mut buffer).map_err(lost)?;
            if read == 0 {
                return Err(Error::Lost {
                    connection: index,
                    error: None,
                });
            }
            echoed += receipts.take(index, 1, &mut buffer[..read])?;
        }
    }
    Ok(())
}

/// All connections of a measurement and the loop that drives them.
struct Load<'a> {
    poll: Poll,
    lanes: Vec<Lane>,
    script: &'a Script,
    receipts: Receipts<'a>,
    buffer: Vec<u8>,
    /// Whether most reads are only counted.
    skims: bool,
}

/// One connection.
struct Lane {
    wire: Wire,
    /// Messages that may have been sent by now.
    due: u64,
    /// Bytes that were; see [`Script`].
    sent: u64,
    /// The kernel took not all: wait until it does.
    blocked: bool,
    reads: u32,
}

impl<'a> Load<'a> {
    fn new(wires: Vec<Wire>, script: &'a Script, waiting: Waiting) -> Result<Self, Error> {
        let poll = Poll::new(waiting)?;
        let mut lanes = Vec::with_capacity(wires.len());
        for wire in wires {
            poll.add(wire.socket(), lanes.len())?;
            lanes.push(Lane {
                wire,
                due: 0,
                sent: 0,
                blocked: false,
                reads: 0,
            });
        }
        Ok(Self {
            poll,
            script,
            receipts: Receipts::new(script, lanes.len()),
            lanes,
            buffer: vec![0; READ_BUFFER],
            skims: false,
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
            self.poll.wait(missing)?;
            let go_on = start.elapsed() < duration;
            for event in 0..self.poll.events() {
                let index = self.poll.event(event);
                let back = self.receive(index)?;
                echoed += back;
                if go_on {
                    self.lanes[index].due += back;
                } else {
                    missing -= back;
                }
                self.send(index)?;
            }
        }
        Ok(echoed)
    }

    /// One `recv`. Returns how many messages it completed.
    fn receive(&mut self, index: usize) -> Result<u64, Error> {
        let lane = &mut self.lanes[index];
        lane.reads = lane.reads.wrapping_add(1);
        let discarded = match self.skims && !lane.reads.is_multiple_of(COMPARED) {
            true => lane.wire.discard(&mut self.buffer),
            false => None,
        };
        let is_counted = discarded.is_some();
        let read = match discarded.unwrap_or_else(|| lane.wire.read(&mut self.buffer)) {
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
        match is_counted {
            true => self.receipts.count(index, lane.due, read as u64),
            false => self
                .receipts
                .take(index, lane.due, &mut self.buffer[..read]),
        }
    }

    /// Sends what is due, in one `send` if the kernel takes it.
    fn send(&mut self, index: usize) -> Result<(), Error> {
        let lane = &mut self.lanes[index];
        let end = self.script.sent_length(index, lane.due);
        let mut blocked = false;
        while !blocked && (lane.sent < end || lane.wire.is_behind()) {
            let bytes = self.script.outgoing(index, lane.sent, end);
            let written = if bytes.is_empty() {
                lane.wire.flush().map(|()| 0)
            } else {
                lane.wire.write(bytes)
            };
            match written {
                Ok(written) => {
                    lane.sent += written as u64;
                    blocked = written < bytes.len() && !lane.wire.is_buffered();
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
            self.poll
                .also_for_writing(lane.wire.socket(), index, blocked)?;
        }
        Ok(())
    }
}
