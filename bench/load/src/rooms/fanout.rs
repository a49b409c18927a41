//! The fan-out load: one member of a room publishes, all members listen.

use std::time::{Duration, Instant};

use super::crowd::{Crowd, refused, written};
use super::ledger::Ledger;
use super::quantile;
use super::speech::{Said, publication};
use crate::process::{at_rest, timed};
use crate::{Cell, Error, Measured, Target, Waiting};

const ROOM: &str = "genel";

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Fanned {
    /// Counts deliveries: messages times members, the publisher being one of them.
    pub measured: Measured,
    /// How long it took from publishing until the last member had the message: the median, and 99 % of all.
    pub latency: [Duration; 2],
}

/// Lets the members of a cell join one room, then publishes to them for `duration`, after a warm-up that is not counted.
///
/// A message counts as delivered when every member has it; then the next is published, so that `in_flight` of them are
/// always under way. Clock and processor time are read while the server is at rest, so nothing is half counted.
pub fn fanout(
    target: &Target,
    pid: u32,
    cell: Cell,
    warm_up: Duration,
    duration: Duration,
    waiting: Waiting,
) -> Result<Fanned, Error> {
    let mut crowd = Crowd::new(target, waiting)?;
    crowd.grow(cell.connections, |_| ROOM.into())?;
    let mut load = Load {
        crowd,
        ledger: Ledger::new(cell.size, 0, cell.connections),
        in_flight: cell.in_flight as u64,
        members: cell.connections as u64,
        latencies: Vec::new(),
    };
    load.run(warm_up)?;
    load.latencies.clear();
    let (delivered, bytes) = (load.ledger.delivered, load.ledger.bytes);
    let ((), elapsed, cpu) = timed(pid, || load.run(duration))?;
    load.nothing_more()?;
    let measured = Measured {
        messages: (load.ledger.delivered - delivered) * load.members,
        elapsed,
        cpu,
        bytes: load.ledger.bytes - bytes,
        uncompressed: 0,
    };
    let latency = [0.5, 0.99].map(|share| quantile(&mut load.latencies, share));
    drop(load);
    // What it has to do about everyone leaving is over before the next is measured.
    at_rest(pid)?;
    Ok(Fanned { measured, latency })
}

struct Load {
    crowd: Crowd,
    ledger: Ledger,
    in_flight: u64,
    members: u64,
    latencies: Vec<Duration>,
}

impl Load {
    /// Keeps messages under way for `duration`, then waits until everyone has the last one.
    fn run(&mut self, duration: Duration) -> Result<(), Error> {
        let start = Instant::now();
        self.publish()?;
        while self.ledger.delivered < self.ledger.published() {
            let missing = self.ledger.published() - self.ledger.delivered;
            let (ledger, latencies) = (&mut self.ledger, &mut self.latencies);
            self.crowd.listen(missing, |connection, frame, payload| {
                take(ledger, latencies, connection, frame, payload)
            })?;
            if start.elapsed() < duration {
                self.publish()?;
            }
        }
        Ok(())
    }

    /// Publishes as many messages as may be under way besides those that are, in one `send`.
    fn publish(&mut self) -> Result<(), Error> {
        let mut frames = Vec::new();
        while self.ledger.published() - self.ledger.delivered < self.in_flight {
            written(&mut frames, &publication(ROOM, self.ledger.publish(), None));
        }
        match frames.is_empty() {
            true => Ok(()),
            false => self.crowd.send(0, &frames),
        }
    }

    /// Looks at what came after everything had come.
    fn nothing_more(&mut self) -> Result<(), Error> {
        let (ledger, latencies) = (&mut self.ledger, &mut self.latencies);
        self.crowd.listen_now(|connection, frame, payload| {
            take(ledger, latencies, connection, frame, payload)
        })
    }
}

fn take(
    ledger: &mut Ledger,
    latencies: &mut Vec<Duration>,
    connection: usize,
    frame: &[u8],
    payload: &[u8],
) -> Result<(), Error> {
    match ledger.take(connection, frame, payload, |took| latencies.push(took))? {
        Some(Said::Wrong) => Err(refused(connection, payload)),
        _ => Ok(()),
    }
}
