//! One connection: a socket, and what the last wake-up could not finish.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use chat::{Wish, wish};
use echo_floor::frame::{FIN, Header, TEXT, unmask};
use echo_floor::upgrade;

/// The connection has ended, or is no use.
pub(crate) struct Ended;

/// An idle one owns no heap memory.
pub(crate) struct Connection {
    stream: TcpStream,
    is_open: bool,
    /// The start of a frame, or of the request, whose rest has not come yet.
    kept: Vec<u8>,
    /// What the kernel would not take.
    unsent: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            is_open: false,
            kept: Vec::new(),
            unsent: Vec::new(),
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// One `recv` into `buffer`, which all connections share. Returns what the client wants.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], size: usize) -> Result<Vec<Wish>, Ended> {
        let kept = self.kept.len();
        let read = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Err(Ended),
            Ok(read) => read,
            Err(error) if is_transient(&error) => return Ok(Vec::new()),
            Err(_) => return Err(Ended),
        };
        let mut input = &mut buffer[..kept + read];
        input[..kept].copy_from_slice(&self.kept);
        self.kept = Vec::new();
        if !self.is_open {
            match upgrade::answer(input).map_err(|_| Ended)? {
                Some((length, answer)) => {
                    self.is_open = true;
                    self.send(&answer)?;
                    input = &mut input[length..];
                }
                None => {
                    self.kept = input.to_vec();
                    return Ok(Vec::new());
                }
            }
        }
        let mut wishes = Vec::new();
        while let Some(header) = Header::parse(input).map_err(|_| Ended)? {
            let payload = usize::try_from(header.payload).map_err(|_| Ended)?;
            if input.len() - header.length < payload {
                break;
            }
            let (frame, rest) = input.split_at_mut(header.length + payload);
            input = rest;
            // A close frame ends it without an answer; a pong is nothing to us, nor does the load ping.
            let text = &mut frame[header.length..];
            match header.opcode {
                TEXT => {
                    unmask(text, header.key);
                    let text = std::str::from_utf8(text).map_err(|_| Ended)?;
                    wishes.extend(wish(text, size));
                }
                _ => return Err(Ended),
            }
        }
        self.kept = input.to_vec();
        Ok(wishes)
    }

    /// One `send`, if nothing waits already.
    pub(crate) fn send(&mut self, frames: &[u8]) -> Result<(), Ended> {
        let written = match self.is_behind() {
            true => 0,
            false => self.write(frames)?,
        };
        self.unsent.extend(&frames[written..]);
        Ok(())
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) -> Result<(), Ended> {
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.write(&unsent)?;
        self.unsent.extend(&unsent[written..]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize, Ended> {
        match self.stream.write(bytes) {
            Ok(written) => Ok(written),
            Err(error) if is_transient(&error) => Ok(0),
            Err(_) => Err(Ended),
        }
    }
}

/// Appends a text frame.
pub(crate) fn encode(frames: &mut Vec<u8>, text: &str) {
    frames.push(FIN | TEXT);
    match (u8::try_from(text.len()), u16::try_from(text.len())) {
        (Ok(short @ 0..=125), _) => frames.push(short),
        (_, Ok(medium)) => {
            frames.push(126);
            frames.extend(medium.to_be_bytes());
        }
        _ => {
            frames.push(127);
            frames.extend((text.len() as u64).to_be_bytes());
        }
    }
    frames.extend(text.as_bytes());
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
