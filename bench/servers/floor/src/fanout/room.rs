//! The event loop, and the one room it has.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use chat::{JOINED, Wish};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use crate::connection::{Connection, Ended, encode};

/// What all connections read into.
const READ_BUFFER: usize = 256 * 1024;

/// How many events one call of `epoll_wait` may report.
const EVENTS: usize = 1024;

/// Marks the listener among the events; connections are known by their index in the table.
const LISTENER: u64 = u64::MAX;

/// When a message goes out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sending {
    /// At once: one `send` for each message and member.
    Each,
    /// At the end of the turn, with all others of that turn.
    Coalesced,
}

/// Everyone who is connected.
pub(crate) struct Room<'a> {
    listener: &'a TcpListener,
    poll: OwnedFd,
    size: usize,
    sending: Sending,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// The connections that have joined, in no order.
    members: Vec<usize>,
    /// The frames of this turn that are still to be sent.
    frames: Vec<u8>,
}

impl<'a> Room<'a> {
    pub(crate) fn new(
        listener: &'a TcpListener,
        size: usize,
        sending: Sending,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // The standard library's backlog of 128 is short of what a load generator opens at once.
        rustix::net::listen(listener, 4096)?;
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(LISTENER);
        epoll::add(&poll, listener, data, EventFlags::IN)?;
        Ok(Self {
            listener,
            poll,
            size,
            sending,
            connections: Vec::new(),
            free: Vec::new(),
            members: Vec::new(),
            frames: Vec::new(),
        })
    }

    /// Serves until an error of the listener or of epoll itself.
    pub(crate) fn serve(mut self) -> io::Result<()> {
        let mut buffer = vec![0; READ_BUFFER];
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            events.clear();
            match epoll::wait(&self.poll, spare_capacity(&mut events), None) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    token => self.turn(token as usize, &mut buffer)?,
                }
            }
            self.deliver()?;
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let token = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let data = EventData::new_u64(token as u64);
            epoll::add(&self.poll, &stream, data, EventFlags::IN)?;
            self.connections[token] = Some(Connection::new(stream));
        }
    }

    /// A connection is ready for what was waited for.
    fn turn(&mut self, token: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = &mut self.connections[token] else {
            return Ok(());
        };
        if connection.is_behind() {
            return self.with(token, Connection::flush);
        }
        let Ok(wishes) = connection.receive(buffer, self.size) else {
            self.remove(token);
            return Ok(());
        };
        for wish in wishes {
            match wish {
                Wish::Join => {
                    let mut frame = Vec::new();
                    encode(&mut frame, JOINED);
                    self.with(token, |connection| connection.send(&frame))?;
                    if self.connections[token].is_some() {
                        self.members.push(token);
                    }
                }
                Wish::Publish(text) => {
                    encode(&mut self.frames, &text);
                    if self.sending == Sending::Each {
                        self.deliver()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends what there is to all members.
    fn deliver(&mut self) -> io::Result<()> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let mut frames = std::mem::take(&mut self.frames);
        // Backwards, because who has ended changes places with the last.
        for place in (0..self.members.len()).rev() {
            self.with(self.members[place], |connection| connection.send(&frames))?;
        }
        frames.clear();
        self.frames = frames;
        Ok(())
    }

    /// Lets a connection send, and waits for room if there was too little.
    fn with(
        &mut self,
        token: usize,
        send: impl FnOnce(&mut Connection) -> Result<(), Ended>,
    ) -> io::Result<()> {
        let Some(connection) = &mut self.connections[token] else {
            return Ok(());
        };
        let was_behind = connection.is_behind();
        let sent = send(connection);
        let is_behind = connection.is_behind();
        if sent.is_err() {
            self.remove(token);
        } else if is_behind != was_behind {
            let interest = match is_behind {
                true => EventFlags::OUT,
                false => EventFlags::IN,
            };
            let data = EventData::new_u64(token as u64);
            epoll::modify(&self.poll, connection.stream(), data, interest)?;
        }
        Ok(())
    }

    /// Dropping the connection closes its socket, which takes it out of epoll as well.
    fn remove(&mut self, token: usize) {
        self.connections[token] = None;
        self.free.push(token);
        if let Some(place) = self.members.iter().position(|member| *member == token) {
            self.members.swap_remove(place);
        }
    }
}
