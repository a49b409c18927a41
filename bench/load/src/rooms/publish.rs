//! The load of stored messages: many publishers, each in a room of its own that one other connection listens to.

use std::time::{Duration, Instant};

use super::crowd::{Crowd, refused};
use super::ledger::Ledger;
use super::quantile;
use super::speech::{Said, publication};
use crate::process::timed;
use crate::{Error, Target, Waiting};

/// What one measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Published {
    /// Messages that were acknowledged and reached the subscriber.
    pub messages: u64,
    /// From the first message sent to the last one acknowledged and delivered.
    pub elapsed: Duration,
    /// Processor time of the server in that time.
    pub cpu: Duration,
    /// From sending a message to its acknowledgement: the median, 99 % of all, and the longest.
    pub latency: [Duration; 3],
}

/// Lets `publishers` publish messages of `size` bytes for `duration`, after a warm-up that is not counted. Each has one
/// message under way and waits for its acknowledgement before it sends the next.
///
/// Whatever was acknowledged must reach the subscriber, and the publisher, once and in order: until it has, the measurement
/// does not end.
pub fn publish(
    target: &Target,
    pid: u32,
    publishers: usize,
    size: usize,
    warm_up: Duration,
    duration: Duration,
    waiting: Waiting,
) -> Result<Published, Error> {
    let mut crowd = Crowd::new(target, waiting)?;
    crowd.grow(2 * publishers, |connection| room(connection / 2))?;
    let publisher = |number: usize| Publisher {
        ledger: Ledger::new(size, 2 * number, 2),
        waits: None,
    };
    let mut load = Load {
        crowd,
        publishers: (0..publishers).map(publisher).collect(),
    };
    load.run(warm_up)?;
    let (mut latencies, elapsed, cpu) = timed(pid, || load.run(duration))?;
    load.nothing_more()?;
    Ok(Published {
        messages: latencies.len() as u64,
        elapsed,
        cpu,
        latency: [0.5, 0.99, 1.0].map(|share| quantile(&mut latencies, share)),
    })
}

struct Load {
    crowd: Crowd,
    publishers: Vec<Publisher>,
}

/// A connection that publishes, the next one listens.
struct Publisher {
    ledger: Ledger,
    /// The message that is not acknowledged yet, and when it was sent.
    waits: Option<(u64, Instant)>,
}

impl Load {
    /// Returns how long each acknowledgement took.
    fn run(&mut self, duration: Duration) -> Result<Vec<Duration>, Error> {
        let start = Instant::now();
        let mut latencies = Vec::new();
        for number in 0..self.publishers.len() {
            self.publish(number)?;
        }
        let mut unfinished = self.publishers.len();
        let mut ready = Vec::new();
        while unfinished > 0 {
            let publishers = &mut self.publishers;
            self.crowd
                .listen(unfinished as u64, |connection, frame, payload| {
                    let number = connection / 2;
                    let publisher = &mut publishers[number];
                    if let Some(took) = publisher.take(connection, frame, payload)? {
                        latencies.push(took);
                        ready.push(number);
                    }
                    Ok(())
                })?;
            let go_on = start.elapsed() < duration;
            for number in ready.drain(..) {
                if go_on {
                    self.publish(number)?;
                }
            }
            if !go_on {
                let is_unfinished = |publisher: &&Publisher| publisher.is_unfinished();
                unfinished = self.publishers.iter().filter(is_unfinished).count();
            }
        }
        Ok(latencies)
    }

    fn publish(&mut self, number: usize) -> Result<(), Error> {
        let publisher = &mut self.publishers[number];
        let id = publisher.ledger.published();
        let text = publication(&room(number), publisher.ledger.publish(), Some(id));
        publisher.waits = Some((id, Instant::now()));
        self.crowd.say(2 * number, &text)
    }

    fn nothing_more(&mut self) -> Result<(), Error> {
        let publishers = &mut self.publishers;
        self.crowd.listen_now(|connection, frame, payload| {
            publishers[connection / 2]
                .take(connection, frame, payload)
                .map(|_| ())
        })
    }
}

impl Publisher {
    /// Returns how long the acknowledgement took, if that is what came.
    fn take(
        &mut self,
        connection: usize,
        frame: &[u8],
        payload: &[u8],
    ) -> Result<Option<Duration>, Error> {
        match self.ledger.take(connection, frame, payload, |_| {})? {
            Some(Said::Done(id)) => match self.waits.take() {
                Some((waits, since)) if id == Some(waits) && is_publisher(connection) => {
                    Ok(Some(since.elapsed()))
                }
                _ => Err(Error::WrongReceipt { connection }),
            },
            Some(Said::Wrong) => Err(refused(connection, payload)),
            _ => Ok(None),
        }
    }

    fn is_unfinished(&self) -> bool {
        self.waits.is_some() || self.ledger.delivered < self.ledger.published()
    }
}

fn room(publisher: usize) -> String {
    format!("r{publisher}")
}

fn is_publisher(connection: usize) -> bool {
    connection.is_multiple_of(2)
}
