//! What comes back, checked as it comes.

use crate::deflate::Inflater;
use crate::frame::{self, PING, RSV1, TEXT};
use crate::{Error, Script};

/// What else than data a server may send at any time: pings and pongs. They are not answered, because a measurement is
/// shorter than any time-out.
const CONTROL: [u8; 2] = [9, 10];

/// How far the echoes of all connections have come.
pub(crate) struct Receipts<'a> {
    script: &'a Script,
    lanes: Vec<Lane>,
    inflater: Inflater,
    /// The payload that each compressed message last came in and was found right. A compressor that remembers nothing
    /// makes the same of the same, so most need not be inflated again.
    known: Vec<Vec<u8>>,
    /// Bytes of all echoes up to now.
    pub(crate) bytes: u64,
    /// Messages that came as they are although compression was agreed on: that is allowed (RFC 7692, section 6).
    pub(crate) uncompressed: u64,
}

#[derive(Clone, Default)]
struct Lane {
    /// Bytes of echoes that are not compressed.
    position: u64,
    /// Messages that came.
    messages: u64,
    /// The start of a frame that may be compressed.
    partial: Vec<u8>,
}

impl<'a> Receipts<'a> {
    pub(crate) fn new(script: &'a Script, connections: usize) -> Self {
        Self {
            script,
            lanes: vec![Lane::default(); connections],
            inflater: Inflater::default(),
            known: vec![Vec::new(); script.messages()],
            bytes: 0,
            uncompressed: 0,
        }
    }

    /// Checks what a connection received, on which `due` messages have been sent up to now. Returns how many it
    /// completed.
    pub(crate) fn take(
        &mut self,
        connection: usize,
        due: u64,
        got: &mut [u8],
    ) -> Result<u64, Error> {
        match self.script.frame() {
            Some(frame) => self.plain(connection, due, frame, got),
            None => self.compressed(connection, due, got),
        }
    }

    /// Counts bytes that a connection received and nobody looked at. Should one be missing or too many, all that is
    /// compared from then on is wrong.
    pub(crate) fn count(&mut self, connection: usize, due: u64, bytes: u64) -> Result<u64, Error> {
        let frame = self.script.frame().unwrap_or(u64::MAX);
        let lane = &mut self.lanes[connection];
        let from = lane.position;
        lane.position += bytes;
        if lane.position > due.saturating_mul(frame) {
            return Err(Error::Surplus { connection });
        }
        self.bytes += bytes;
        Ok(lane.position / frame - from / frame)
    }

    fn plain(
        &mut self,
        connection: usize,
        due: u64,
        frame: u64,
        got: &mut [u8],
    ) -> Result<u64, Error> {
        let from = self.lanes[connection].position;
        let mut len = got.len();
        while let Err(position) = self.script.check(connection, from, &got[..len]) {
            let (message, byte) = (position / frame, (position % frame) as usize);
            let at = (position - from) as usize;
            // A ping that was written in one piece arrives in one.
            let is_ping = byte == 0 && got[at..len].starts_with(&PING);
            if !is_ping {
                return Err(Error::WrongEcho {
                    connection,
                    message,
                    byte,
                });
            }
            got.copy_within(at + PING.len()..len, at);
            len -= PING.len();
        }
        let lane = &mut self.lanes[connection];
        lane.position += len as u64;
        if lane.position > due * frame {
            return Err(Error::Surplus { connection });
        }
        self.bytes += len as u64;
        Ok(lane.position / frame - from / frame)
    }

    fn compressed(&mut self, connection: usize, due: u64, got: &[u8]) -> Result<u64, Error> {
        let mut gathered = std::mem::take(&mut self.lanes[connection].partial);
        let mut rest = if gathered.is_empty() {
            got
        } else {
            gathered.extend(got);
            &gathered
        };
        let before = self.lanes[connection].messages;
        let mut message = before;
        while !rest.is_empty() {
            let is_control = CONTROL.contains(&(rest[0] & 0xf));
            let (number, text) = match self.script.text(connection, message) {
                _ if message == due && !is_control => return Err(Error::Surplus { connection }),
                Some(text) => text,
                None => break,
            };
            let wrong = |byte| Error::WrongEcho {
                connection,
                message,
                byte,
            };
            // Stored blocks, the worst that DEFLATE may do, need less.
            let most = text.len() + text.len() / 8 + 64;
            let Some(frame) = frame::parse(rest, most).map_err(wrong)? else {
                break;
            };
            rest = &rest[frame.length..];
            if is_control {
                continue;
            }
            self.bytes += frame.length as u64;
            match frame.opcode {
                TEXT => {
                    self.uncompressed += 1;
                    same(frame.payload, text)
                }
                opcode if opcode == RSV1 | TEXT => {
                    if self.known[number] == frame.payload {
                        Ok(())
                    } else {
                        let inflated = self.inflater.inflate(frame.payload, text.len());
                        inflated
                            .ok_or(None)
                            .and_then(|inflated| same(inflated, text))
                            .map(|()| self.known[number] = frame.payload.to_vec())
                    }
                }
                _ => return Err(wrong(0)),
            }
            .map_err(|byte| Error::WrongText {
                connection,
                message,
                byte,
            })?;
            message += 1;
        }
        let rest = rest.to_vec();
        let lane = &mut self.lanes[connection];
        lane.partial = rest;
        lane.messages = message;
        Ok(message - before)
    }
}

/// The error is the first byte that is not the same.
fn same(got: &[u8], want: &[u8]) -> Result<(), Option<usize>> {
    match got == want {
        true => Ok(()),
        false => Err(Some(
            got.iter().zip(want).take_while(|(a, b)| a == b).count(),
        )),
    }
}
