//! One connection: a socket, and what the last wake-up could not finish.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use echo_floor::upgrade;

use crate::relay::Relay;

/// What the event loop does with the connection after a wake-up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Wait for the same as before.
    Same,
    /// The kernel did not take everything: read no more until it has.
    WhenWritable,
    /// Everything is written: read again.
    WhenReadable,
    /// Done, or broken.
    Close,
}

/// An idle one owns no heap memory: both vectors are given back when they are empty.
pub(crate) struct Connection {
    stream: TcpStream,
    phase: Phase,
    /// The start of a frame, or of the request, whose rest has not come yet.
    kept: Vec<u8>,
    /// What the kernel would not take.
    unsent: Vec<u8>,
}

enum Phase {
    Request,
    Open(Relay),
    /// Nothing more is read; what is unsent still goes out.
    Closing,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            phase: Phase::Request,
            kept: Vec::new(),
            unsent: Vec::new(),
        }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// The socket is ready for what was waited for.
    pub(crate) fn ready(&mut self, buffer: &mut [u8]) -> Next {
        if self.unsent.is_empty() {
            self.readable(buffer)
        } else {
            self.writable()
        }
    }

    /// One `recv` into `buffer`, which all connections share, and one `send` of what it led to.
    fn readable(&mut self, buffer: &mut [u8]) -> Next {
        let kept = self.kept.len();
        let read = match self.stream.read(&mut buffer[kept..]) {
            Ok(0) => return Next::Close,
            Ok(read) => read,
            Err(error) if is_transient(&error) => return Next::Same,
            Err(_) => return Next::Close,
        };
        let input = &mut buffer[..kept + read];
        if kept > 0 {
            input[..kept].copy_from_slice(&self.kept);
            self.kept = Vec::new();
        }
        match &mut self.phase {
            Phase::Request => self.request(input),
            Phase::Open(_) => self.frames(input),
            Phase::Closing => Next::Close,
        }
    }

    fn writable(&mut self) -> Next {
        match self.stream.write(&self.unsent) {
            Ok(written) => {
                self.unsent.drain(..written);
            }
            Err(error) if is_transient(&error) => {}
            Err(_) => return Next::Close,
        }
        if !self.unsent.is_empty() {
            Next::Same
        } else if matches!(self.phase, Phase::Closing) {
            Next::Close
        } else {
            self.unsent = Vec::new();
            Next::WhenReadable
        }
    }

    fn request(&mut self, input: &mut [u8]) -> Next {
        match upgrade::answer(input) {
            Ok(Some((length, answer))) => {
                self.phase = Phase::Open(Relay::default());
                match self.send(&answer) {
                    // Frames that came with the request: rare, and then this wake-up has two sends.
                    Next::Same if length < input.len() => self.frames(&mut input[length..]),
                    next => {
                        self.kept = input[length..].to_vec();
                        next
                    }
                }
            }
            Ok(None) => {
                self.kept = input.to_vec();
                Next::Same
            }
            Err(upgrade::Refused) => Next::Close,
        }
    }

    fn frames(&mut self, input: &mut [u8]) -> Next {
        let Phase::Open(relay) = &mut self.phase else {
            return Next::Close;
        };
        let Ok(step) = relay.step(input) else {
            return Next::Close;
        };
        if step.closed {
            self.phase = Phase::Closing;
        } else if step.used < input.len() {
            self.kept = input[step.used..].to_vec();
        }
        if step.output.is_empty() {
            return Next::Same;
        }
        match self.send(&input[step.output]) {
            Next::Same if step.closed => Next::Close,
            next => next,
        }
    }

    fn send(&mut self, output: &[u8]) -> Next {
        let written = match self.stream.write(output) {
            Ok(written) => written,
            Err(error) if is_transient(&error) => 0,
            Err(_) => return Next::Close,
        };
        if written == output.len() {
            return Next::Same;
        }
        self.unsent = output[written..].to_vec();
        Next::WhenWritable
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
