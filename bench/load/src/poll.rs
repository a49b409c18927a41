//! Waiting for sockets.

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use crate::Error;

const EVENTS: usize = 1024;

/// How long a server may be silent while something is missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the load does while nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Sleeps, as clients do. To wake it is the server's work, the same for every server.
    Asleep,
    /// Asks again and again: the server has only its own work.
    Spinning,
}

/// An epoll that knows each socket by a number.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
    waiting: Waiting,
}

impl Poll {
    pub(crate) fn new(waiting: Waiting) -> Result<Self, Error> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| Error::io("creating an epoll")(errno.into()))?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(EVENTS),
            waiting,
        })
    }

    /// Watches a socket for reading. From now on it does not block. It is forgotten when it is closed.
    pub(crate) fn add(&self, socket: &TcpStream, index: usize) -> Result<(), Error> {
        socket
            .set_nonblocking(true)
            .map_err(Error::io("setting up a socket"))?;
        let data = EventData::new_u64(index as u64);
        epoll::add(&self.epoll, socket, data, EventFlags::IN)
            .map_err(|errno| Error::io("adding to the epoll")(errno.into()))
    }

    /// Whether to watch a socket for writing too.
    pub(crate) fn also_for_writing(
        &self,
        socket: &TcpStream,
        index: usize,
        yes: bool,
    ) -> Result<(), Error> {
        let interest = if yes {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        };
        let data = EventData::new_u64(index as u64);
        epoll::modify(&self.epoll, socket, data, interest)
            .map_err(|errno| Error::io("changing the epoll")(errno.into()))
    }

    /// Waits for events; `missing` messages are due.
    pub(crate) fn wait(&mut self, missing: u64) -> Result<(), Error> {
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
                match epoll::wait(
                    &self.epoll,
                    spare_capacity(&mut self.events),
                    Some(&at_most),
                ) {
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

    /// How many events the last wait found.
    pub(crate) fn events(&self) -> usize {
        self.events.len()
    }

    /// The socket of one of them.
    pub(crate) fn event(&self, number: usize) -> usize {
        self.events[number].data.u64() as usize
    }
}
