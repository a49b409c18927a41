//! Connections that join rooms.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::speech::{self, Said, said};
use crate::connect::open_paths;
use crate::frame::{self, TEXT};
use crate::poll::Poll;
use crate::{Error, Target, Waiting};

const READ_BUFFER: usize = 256 * 1024;

/// Joins under way at once.
const BATCH: usize = 100;

/// No server of ours or of others sends more in a frame.
const MOST: usize = 128 * 1024;

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Connections to a server, each in a room.
pub struct Crowd {
    target: Target,
    poll: Poll,
    seats: Vec<Seat>,
    buffer: Vec<u8>,
}

/// One connection.
struct Seat {
    stream: TcpStream,
    /// The start of a frame.
    partial: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(target: &Target, waiting: Waiting) -> Result<Self, Error> {
        Ok(Self {
            target: target.clone(),
            poll: Poll::new(waiting)?,
            seats: Vec::new(),
            buffer: vec![0; READ_BUFFER],
        })
    }

    /// Lets in who is missing up to `count`, each into the room that belongs to its number, and waits until the server has
    /// said that they are in.
    pub fn grow(&mut self, count: usize, room: impl Fn(usize) -> String) -> Result<(), Error> {
        while self.seats.len() < count {
            let first = self.seats.len();
            let places = first..count.min(first + BATCH);
            let paths: Vec<String> = places.clone().map(speech::path).collect();
            for stream in open_paths(self.target.address, &paths)? {
                self.poll.add(&stream, self.seats.len())?;
                self.seats.push(Seat {
                    stream,
                    partial: Vec::new(),
                    unsent: Vec::new(),
                });
            }
            let mut missing = places.len();
            for place in places {
                self.say(place, &speech::join(&room(place)))?;
            }
            while missing > 0 {
                // What those who are in already hear of those who come is read too, and left alone.
                self.listen(missing as u64, |connection, _, payload| {
                    match said(payload) {
                        Said::Done(_) => missing -= 1,
                        Said::Wrong => return Err(refused(connection, payload)),
                        Said::Chat(_) | Said::Other => {}
                    }
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Sends one text.
    pub(crate) fn say(&mut self, connection: usize, text: &str) -> Result<(), Error> {
        let mut frame = Vec::with_capacity(text.len() + 8);
        written(&mut frame, text);
        self.send(connection, &frame)
    }

    /// Sends frames, in one `send` if the kernel takes them.
    pub(crate) fn send(&mut self, connection: usize, frames: &[u8]) -> Result<(), Error> {
        let seat = &mut self.seats[connection];
        let waits = !seat.unsent.is_empty();
        if waits {
            seat.unsent.extend(frames);
            return Ok(());
        }
        let sent = seat.write(connection, frames)?;
        if sent < frames.len() {
            seat.unsent.extend(&frames[sent..]);
            self.poll.also_for_writing(&seat.stream, connection, true)?;
        }
        Ok(())
    }

    /// Waits for something to come, while `missing` messages are due, and hands out all texts of what one `recv` takes from
    /// each connection that has something: connection, frame, payload.
    pub(crate) fn listen(
        &mut self,
        missing: u64,
        mut heard: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.poll.wait(missing)?;
        for event in 0..self.poll.events() {
            let connection = self.poll.event(event);
            self.flush(connection)?;
            self.receive(connection, &mut heard)?;
        }
        Ok(())
    }

    /// Hands out what has come already.
    pub(crate) fn listen_now(
        &mut self,
        mut heard: impl FnMut(usize, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        (0..self.seats.len()).try_for_each(|connection| self.receive(connection, &mut heard))
    }

    fn flush(&mut self, connection: usize) -> Result<(), Error> {
        let seat = &mut self.seats[connection];
        if seat.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut seat.unsent);
        let sent = seat.write(connection, &unsent)?;
        seat.unsent.extend(&unsent[sent..]);
        if seat.unsent.is_empty() {
            self.poll
                .also_for_writing(&seat.stream, connection, false)?;
        }
        Ok(())
    }

    fn receive(
        &mut self,
        connection: usize,
        heard: &mut impl FnMut(usize, &[u8], &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let seat = &mut self.seats[connection];
        let kept = seat.partial.len();
        self.buffer[..kept].copy_from_slice(&seat.partial);
        let read = match seat.stream.read(&mut self.buffer[kept..]) {
            Ok(0) => return Err(lost(connection, None)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(lost(connection, Some(error))),
        };
        let mut rest = &self.buffer[..kept + read];
        let mut pongs = Vec::new();
        while let Some(frame) =
            frame::parse(rest, MOST).map_err(|_| Error::WrongFrame { connection })?
        {
            match frame.opcode {
                TEXT => heard(connection, &rest[..frame.length], frame.payload)?,
                PING => frame::client(&mut pongs, PONG, frame.payload, key()),
                PONG => {}
                CLOSE => {
                    return Err(refused(
                        connection,
                        frame.payload.get(2..).unwrap_or_default(),
                    ));
                }
                _ => return Err(Error::WrongFrame { connection }),
            }
            rest = &rest[frame.length..];
        }
        seat.partial.clear();
        seat.partial.extend(rest);
        match pongs.is_empty() {
            true => Ok(()),
            false => self.send(connection, &pongs),
        }
    }
}

impl Seat {
    fn write(&mut self, connection: usize, bytes: &[u8]) -> Result<usize, Error> {
        match self.stream.write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(lost(connection, Some(error))),
        }
    }
}

/// Appends a text as a frame.
pub(crate) fn written(frames: &mut Vec<u8>, text: &str) {
    frame::client(frames, TEXT, text.as_bytes(), key());
}

pub(crate) fn refused(connection: usize, reason: &[u8]) -> Error {
    Error::Refused {
        connection,
        reason: String::from_utf8_lossy(reason).into_owned(),
    }
}

fn lost(connection: usize, error: Option<io::Error>) -> Error {
    Error::Lost { connection, error }
}

fn key() -> [u8; 4] {
    fastrand::u32(..).to_ne_bytes()
}
