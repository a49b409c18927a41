//! Decompressing.

use std::cell::Cell;

use bytes::{Bytes, BytesMut};
use zlib_rs::{Inflate, InflateFlush, Status};

use super::TAIL;
use crate::error::{Exceeded, Fault, Violation};

/// The least and the most room that is made for what comes out.
const ROOM: (usize, usize) = (512, 64 * 1024);

/// How much larger than what it came from an output is taken to be at first.
const RATIO: usize = 4;

/// After the tail: a last block, empty. Only what stands between two blocks goes
/// on with it.
const LAST: [u8; 5] = [1, 0, 0, 0xff, 0xff];

/// Decompresses one message after the other.
pub(super) struct Inflater(Inflate);

/// What comes out, and cleared room behind it.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    filled: usize,
}

impl Output {
    /// Room for what `input` bytes may expand to, for one byte more than `max` at
    /// most: that one shows that there is more.
    fn room(&mut self, input: usize, max: usize) -> &mut [u8] {
        let at = self.filled;
        if at == self.bytes.len() {
            let most = max.saturating_add(1);
            let room = (input * RATIO).clamp(ROOM.0, ROOM.1).min(most - at);
            if self.bytes.capacity() < at + room {
                let doubled = (2 * self.bytes.capacity()).clamp(at + room, most);
                self.bytes.reserve_exact(doubled - at);
            }
            self.bytes.resize(at + room, 0);
        }
        &mut self.bytes[at..]
    }
}

thread_local! {
    static POOLED: Cell<Option<Inflater>> = const { Cell::new(None) };
}

impl Inflater {
    pub(super) fn new() -> Self {
        // The largest window: it reads all smaller ones.
        Self(Inflate::new(false, 15))
    }

    /// The message that `payload` is compressed from, of at most `max` bytes.
    pub(super) fn inflate(&mut self, payload: &[u8], max: usize) -> Result<BytesMut, Fault> {
        let mut out = Output::default();
        let ended = self.feed(payload, max, &mut out)?;
        // Behind a block that was the last one the tail has nothing to end.
        if !ended {
            self.feed(&TAIL, max, &mut out)?;
        }
        out.bytes.truncate(out.filled);
        Ok(Bytes::from(out.bytes.into_boxed_slice()).into())
    }

    /// Appends what `bytes` expand to; whether they end with a last block.
    fn feed(&mut self, mut bytes: &[u8], max: usize, out: &mut Output) -> Result<bool, Fault> {
        loop {
            let room = out.room(bytes.len(), max);
            let (took, made) = (self.0.total_in(), self.0.total_out());
            let status = self.0.decompress(bytes, room, InflateFlush::SyncFlush);
            bytes = &bytes[(self.0.total_in() - took) as usize..];
            out.filled += (self.0.total_out() - made) as usize;
            if out.filled > max {
                return Err(Exceeded::MessageSize { max }.into());
            }
            match status {
                // Section 7.2.3.4: another block may follow the last one.
                Ok(Status::StreamEnd) => {
                    self.0.reset(false);
                    if bytes.is_empty() {
                        return Ok(true);
                    }
                }
                Ok(_) if out.filled == out.bytes.len() => {}
                Ok(_) if bytes.is_empty() => return Ok(false),
                Ok(_) | Err(_) => return Err(Violation::NotDeflate.into()),
            }
        }
    }

    /// Whether the message that was read ended between two blocks.
    fn is_complete(&mut self) -> bool {
        let status = self.0.decompress(&LAST, &mut [0], InflateFlush::SyncFlush);
        matches!(status, Ok(Status::StreamEnd))
    }
}

/// The message that `payload` is compressed from by itself.
pub(super) fn inflate_once(payload: &[u8], max: usize) -> Result<BytesMut, Fault> {
    let mut inflater = POOLED.take().unwrap_or_else(Inflater::new);
    let message = inflater.inflate(payload, max);
    let is_complete = message.is_err() || inflater.is_complete();
    inflater.0.reset(false);
    POOLED.set(Some(inflater));
    match is_complete {
        true => message,
        false => Err(Violation::NotDeflate.into()),
    }
}
