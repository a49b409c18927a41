//! The load of those who come and go: connections that are opened and closed, some at a time.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::connect::{Offer, accepted, is_whole, open_from};
use crate::poll::Poll;
use crate::process::timed;
use crate::{Cell, Error, Measured, Target, Waiting};

/// Opens connections for `duration`, as many at a time as the cell says, after a warm-up that is not counted. Each asks
/// for what a browser asks for, and is closed without a word as soon as the server has accepted it: we close first, so
/// the port that stays taken for a while is one of ours.
///
/// Processor time is read while the server is at rest, so that the ends of all connections are in it.
pub fn handshakes(
    target: &Target,
    pid: u32,
    cell: Cell,
    warm_up: Duration,
    duration: Duration,
    waiting: Waiting,
) -> Result<Measured, Error> {
    let mut load = Load {
        target,
        poll: Poll::new(waiting)?,
        lanes: (0..cell.connections).map(|_| None).collect(),
        bytes: 0,
    };
    load.run(warm_up)?;
    let bytes = load.bytes;
    let (messages, elapsed, cpu) = timed(pid, || load.run(duration))?;
    Ok(Measured {
        messages,
        elapsed,
        cpu,
        bytes: load.bytes - bytes,
        uncompressed: 0,
    })
}

struct Load<'a> {
    target: &'a Target,
    poll: Poll,
    lanes: Vec<Option<Lane>>,
    /// Of all answers.
    bytes: u64,
}

/// A connection that waits for its answer.
struct Lane {
    stream: TcpStream,
    head: Vec<u8>,
}

impl Load<'_> {
    /// Returns how many connections were opened.
    fn run(&mut self, duration: Duration) -> Result<u64, Error> {
        let start = Instant::now();
        let mut missing = self.lanes.len() as u64;
        let mut opened = 0;
        for index in 0..self.lanes.len() {
            self.open(index)?;
        }
        while missing > 0 {
            self.poll.wait(missing)?;
            let go_on = start.elapsed() < duration;
            for event in 0..self.poll.events() {
                let index = self.poll.event(event);
                if !self.receive(index)? {
                    continue;
                }
                opened += 1;
                // This closes it.
                self.lanes[index] = None;
                if go_on {
                    self.open(index)?;
                } else {
                    missing -= 1;
                }
            }
        }
        Ok(opened)
    }

    fn open(&mut self, index: usize) -> Result<(), Error> {
        let stream = open_from(index, self.target.address, Offer::Browser)?;
        self.poll.add(&stream, index)?;
        self.lanes[index] = Some(Lane {
            stream,
            head: Vec::new(),
        });
        Ok(())
    }

    /// One `recv`. Whether the server has accepted.
    fn receive(&mut self, index: usize) -> Result<bool, Error> {
        let Some(lane) = &mut self.lanes[index] else {
            return Ok(false);
        };
        let mut piece = [0; 1024];
        let lost = |error| Error::Lost {
            connection: index,
            error,
        };
        match lane.stream.read(&mut piece) {
            Ok(0) => return Err(lost(None)),
            Ok(read) => lane.head.extend(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(lost(Some(error))),
        }
        if !is_whole(&lane.head) {
            return Ok(false);
        }
        self.bytes += lane.head.len() as u64;
        accepted(&lane.head, Offer::Browser).map(|()| true)
    }
}
