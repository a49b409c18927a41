//! The event loop.

use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, Event, EventData, EventFlags};

use crate::connection::{Connection, Next};

/// What all connections read into.
const READ_BUFFER: usize = 256 * 1024;

/// How many events one call of `epoll_wait` may report.
const EVENTS: usize = 1024;

/// Marks the listener among the events; connections are known by their index in the table.
const LISTENER: u64 = u64::MAX;

/// Accepts and echoes until an error of the listener or of epoll itself.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    // The standard library's backlog of 128 is short of what a load generator opens at once.
    rustix::net::listen(listener, 4096)?;
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(
        &poll,
        listener,
        EventData::new_u64(LISTENER),
        EventFlags::IN,
    )?;
    let mut table = Table::default();
    let mut buffer = vec![0; READ_BUFFER];
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    loop {
        events.clear();
        match epoll::wait(&poll, spare_capacity(&mut events), None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let token = event.data.u64();
            if token == LISTENER {
                accept(listener, &poll, &mut table)?;
            } else {
                turn(&poll, &mut table, token, &mut buffer)?;
            }
        }
    }
}

/// The connections by token. A token is free again at once: an event loop that takes one event per connection and
/// call cannot meet a stale one.
#[derive(Default)]
struct Table {
    connections: Vec<Option<Connection>>,
    free: Vec<u32>,
}

impl Table {
    fn insert(&mut self, connection: Connection) -> u64 {
        if let Some(index) = self.free.pop() {
            self.connections[index as usize] = Some(connection);
            u64::from(index)
        } else {
            self.connections.push(Some(connection));
            self.connections.len() as u64 - 1
        }
    }

    fn get(&mut self, token: u64) -> Option<&mut Connection> {
        self.connections.get_mut(token as usize)?.as_mut()
    }

    /// Dropping the connection closes its socket, which takes it out of epoll as well.
    fn remove(&mut self, token: u64) {
        self.connections[token as usize] = None;
        self.free.push(token as u32);
    }
}

fn accept(listener: &TcpListener, poll: &OwnedFd, table: &mut Table) -> io::Result<()> {
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let token = table.insert(Connection::new(stream));
        if let Some(connection) = table.get(token) {
            let data = EventData::new_u64(token);
            epoll::add(poll, connection.stream(), data, EventFlags::IN)?;
        }
    }
}

fn turn(poll: &OwnedFd, table: &mut Table, token: u64, buffer: &mut [u8]) -> io::Result<()> {
    let Some(connection) = table.get(token) else {
        return Ok(());
    };
    let interest = match connection.ready(buffer) {
        Next::Same => return Ok(()),
        Next::WhenWritable => EventFlags::OUT,
        Next::WhenReadable => EventFlags::IN,
        Next::Close => {
            table.remove(token);
            return Ok(());
        }
    };
    let data = EventData::new_u64(token);
    epoll::modify(poll, connection.stream(), data, interest)?;
    Ok(())
}
