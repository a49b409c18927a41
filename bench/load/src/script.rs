//! What is sent and what must come back, prepared once.

use crate::connect::Offer;
use crate::frame::{self, RSV1};
use crate::{Cell, Work, deflate, json};

/// Text or binary messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// ASCII that looks like JSON.
    #[default]
    Text,
    /// Random bytes.
    Binary,
}

impl Kind {
    fn opcode(self) -> u8 {
        match self {
            Self::Text => 1,
            Self::Binary => 2,
        }
    }
}

/// How many bytes of distinct messages to prepare: they should stay in the processor's cache. Compressed they are
/// smaller.
const AIM: usize = 64 * 1024;
const AIM_JSON: usize = 256 * 1024;

/// Frames up to this size are compared in full, and of the larger ones every [`SAMPLE`]th.
const SMALL: usize = 4096;
const SAMPLE: u64 = 16;

/// Of the other frames this many bytes at both ends are compared: header, and the numbers each message begins and
/// ends with.
const ENDS: usize = 64;

/// A ring of messages of one size, as a client sends them and as they must come back.
///
/// The messages are all different. Frames that are not compressed are all equally long, so a position in the endless
/// stream of echoes is just a count of bytes. Rings repeat their first frames at the end, so that `in_flight` frames
/// from anywhere lie in one piece.
#[derive(Debug)]
pub struct Script {
    sent: Ring,
    echoes: Echoes,
    messages: u64,
    in_flight: usize,
    skimmed: bool,
}

/// What must come back.
#[derive(Debug)]
enum Echoes {
    /// These bytes, frames of this length.
    Frames(Ring, usize),
    /// These texts, compressed in any way.
    Texts(Vec<Vec<u8>>),
}

#[derive(Debug, Default)]
struct Ring {
    /// One turn of the ring, then its first frames again.
    bytes: Vec<u8>,
    /// Where each frame of one turn begins.
    starts: Vec<u64>,
    turn: u64,
}

impl Script {
    /// The messages of a cell: JSON compresses them, and has its own kind.
    #[must_use]
    pub fn new(kind: Kind, cell: Cell) -> Self {
        let Cell {
            size, in_flight, ..
        } = cell;
        // The same for every run: the masking keys and payloads are random, not different.
        let mut random = fastrand::Rng::with_seed(size as u64);
        let compressed = cell.work == Work::Json;
        let messages = if compressed {
            (AIM_JSON / size.max(1)).clamp(16, 256)
        } else {
            (AIM / size.max(1)).clamp(4, 256)
        };
        let texts: Vec<Vec<u8>> = (0..messages)
            .map(|number| match kind {
                _ if compressed => json::text(&mut random, number, size),
                Kind::Text => text(number, size),
                Kind::Binary => std::iter::repeat_with(|| random.u8(..))
                    .take(size)
                    .collect(),
            })
            .collect();
        let mut sent = Ring::default();
        let mut echoed = Ring::default();
        for text in &texts {
            let key = random.u32(..).to_ne_bytes();
            if compressed {
                let payload = deflate::compress(text);
                sent.push(|out| frame::client(out, RSV1 | Kind::Text.opcode(), &payload, key));
            } else {
                sent.push(|out| frame::client(out, kind.opcode(), text, key));
                echoed.push(|out| frame::server(out, kind.opcode(), text));
            }
        }
        sent.close(in_flight);
        let echoes = if compressed {
            Echoes::Texts(texts)
        } else {
            echoed.close(in_flight);
            let frame = (echoed.turn / messages as u64) as usize;
            Echoes::Frames(echoed, frame)
        };
        Self {
            sent,
            echoes,
            messages: messages as u64,
            in_flight,
            skimmed: false,
        }
    }

    /// The same, with a load that looks only at a part of what comes back while it is measured. So it is faster than
    /// every server and none waits for it; but compressed and encrypted echoes are all looked at.
    #[must_use]
    pub fn skimmed(self, skimmed: bool) -> Self {
        Self { skimmed, ..self }
    }

    /// Whether most of what comes back while it is measured may be counted without a look at it.
    pub(crate) fn is_skimmed(&self) -> bool {
        self.skimmed && self.frame().is_some()
    }

    /// How many messages may be under way at once.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight as u64
    }

    /// What a handshake has to agree on.
    #[must_use]
    pub fn offer(&self) -> Offer {
        match self.echoes {
            Echoes::Frames(..) => Offer::Nothing,
            Echoes::Texts(_) => Offer::NoTakeover,
        }
    }

    /// How many bytes the first `messages` of a connection take on their way to the server.
    pub(crate) fn sent_length(&self, connection: usize, messages: u64) -> u64 {
        let first = self.offset(connection);
        self.sent.position(first + messages) - self.sent.position(first)
    }

    /// The text that must come back compressed as a message of a connection, and its number in the ring.
    pub(crate) fn text(&self, connection: usize, message: u64) -> Option<(usize, &[u8])> {
        let Echoes::Texts(texts) = &self.echoes else {
            return None;
        };
        let number = ((self.offset(connection) + message) % self.messages) as usize;
        Some((number, &texts[number]))
    }

    /// How many messages the ring has.
    pub(crate) fn messages(&self) -> usize {
        self.messages as usize
    }

    /// How many bytes a frame of an echo has that is not compressed.
    pub(crate) fn frame(&self) -> Option<u64> {
        match self.echoes {
            Echoes::Frames(_, frame) => Some(frame as u64),
            Echoes::Texts(_) => None,
        }
    }

    /// The bytes from position `from` up to position `to` of what is sent, or the first part of them. Each connection
    /// begins at another message, so that an echo on the wrong one does not pass.
    pub(crate) fn outgoing(&self, connection: usize, from: u64, to: u64) -> &[u8] {
        let start = self.sent.position(self.offset(connection));
        self.sent.at(start + from, to - from)
    }

    /// Compares bytes from the server with what must stand at position `from`, if they are not compressed. The error is
    /// the position of the first byte that is wrong.
    pub(crate) fn check(
        &self,
        connection: usize,
        mut from: u64,
        mut got: &[u8],
    ) -> Result<(), u64> {
        let Echoes::Frames(echoed, frame) = &self.echoes else {
            return Err(from);
        };
        let frame = *frame as u64;
        let start = self.offset(connection) * frame;
        while !got.is_empty() {
            let in_frame = from % frame;
            let whole = frame as usize <= SMALL || (from / frame).is_multiple_of(SAMPLE);
            // Small frames in one go; larger ones each for itself.
            let limit = if frame as usize <= SMALL {
                u64::MAX
            } else {
                frame - in_frame
            };
            let want = echoed.at(start + from, limit.min(got.len() as u64));
            let (part, rest) = got.split_at(want.len());
            let fine = if whole {
                part == want
            } else {
                ends(in_frame as usize, frame as usize, part.len())
                    .into_iter()
                    .all(|range| part[range.clone()] == want[range])
            };
            if !fine {
                let wrong = part.iter().zip(want).take_while(|(a, b)| a == b).count();
                return Err(from + wrong as u64);
            }
            from += part.len() as u64;
            got = rest;
        }
        Ok(())
    }

    fn offset(&self, connection: usize) -> u64 {
        (connection as u64 * 7) % self.messages
    }
}

impl Ring {
    /// Appends a frame.
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.starts.push(self.bytes.len() as u64);
        write(&mut self.bytes);
        self.turn = self.bytes.len() as u64;
    }

    /// Repeats the first frames behind the last one.
    fn close(&mut self, in_flight: usize) {
        let end = self.position(self.starts.len() as u64 + in_flight as u64) as usize;
        let turn = self.bytes.len();
        while self.bytes.len() < end {
            self.bytes
                .extend_from_within(..(end - self.bytes.len()).min(turn));
        }
    }

    /// Where a frame of the endless stream begins.
    fn position(&self, frame: u64) -> u64 {
        let turns = frame / self.starts.len() as u64;
        let rest = (frame % self.starts.len() as u64) as usize;
        turns * self.turn + self.starts[rest]
    }

    /// From a position of the endless stream on: `length` bytes, or as many as lie in one piece.
    fn at(&self, position: u64, length: u64) -> &[u8] {
        let start = (position % self.turn) as usize;
        let there = self.bytes.len() - start;
        let length = usize::try_from(length).map_or(there, |length| length.min(there));
        &self.bytes[start..start + length]
    }
}

/// The parts of `length` bytes at `start` of a frame that belong to its ends.
fn ends(start: usize, frame: usize, length: usize) -> [std::ops::Range<usize>; 2] {
    let end = start + length;
    let within = |from: usize, to: usize| {
        let from = from.clamp(start, end);
        let to = to.clamp(from, end);
        from - start..to - start
    };
    [within(0, ENDS), within(frame - ENDS, frame)]
}

/// A message that looks like JSON, begins and ends with its number, and is exactly `size` bytes long.
fn text(number: usize, size: usize) -> Vec<u8> {
    const WORDS: &str = "the quick brown fox jumps over the lazy dog 0123456789 ";
    let head = format!("{{\"n\":\"{number:08x}\",\"text\":\"");
    let tail = format!("\",\"n\":\"{number:08x}\"}}");
    let body = WORDS.bytes().cycle().skip(number % WORDS.len());
    let Some(room) = size.checked_sub(head.len() + tail.len()) else {
        return body.take(size).collect();
    };
    let mut text = head.into_bytes();
    text.extend(body.take(room));
    text.extend(tail.bytes());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server answers to everything up to `messages`, and where the script says it should begin.
    fn echo(script: &Script, connection: usize, messages: u64) -> Vec<u8> {
        let Echoes::Frames(echoed, frame) = &script.echoes else {
            panic!("compressed");
        };
        let frame = *frame as u64;
        let mut at = script.offset(connection) * frame;
        let end = at + messages * frame;
        let mut bytes = Vec::new();
        while at < end {
            let part = echoed.at(at, end - at);
            bytes.extend(part);
            at += part.len() as u64;
        }
        bytes
    }

    fn check(script: &Script, connection: usize, bytes: &[u8], piece: usize) -> Result<(), u64> {
        let mut from = 0;
        for piece in bytes.chunks(piece) {
            script.check(connection, from, piece)?;
            from += piece.len() as u64;
        }
        Ok(())
    }

    #[test]
    fn texts_have_the_size_asked_for_and_differ() {
        for size in [0, 1, 20, 42, 128, 1000] {
            assert_eq!(text(3, size).len(), size);
        }
        assert_ne!(text(3, 20), text(4, 20));
        assert!(text(3, 128).starts_with(b"{\"n\":\"00000003\""));
        assert!(text(3, 128).ends_with(b"\"n\":\"00000003\"}"));
    }

    #[test]
    fn accepts_the_right_echo_in_pieces_of_any_size() {
        for (size, messages) in [(20, 1000), (128, 600), (1024, 150), (16_384, 40)] {
            let script = Script::new(Kind::Text, Cell::new(size, 1, 16));
            for connection in [0, 1, 99] {
                let bytes = echo(&script, connection, messages);
                for piece in [7, 1000, 5000, bytes.len()] {
                    assert_eq!(check(&script, connection, &bytes, piece), Ok(()));
                }
            }
        }
    }

    #[test]
    fn finds_every_wrong_byte_of_a_small_echo() {
        let script = Script::new(Kind::Binary, Cell::new(50, 1, 1));
        let bytes = echo(&script, 5, 4);
        for wrong in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[wrong] ^= 0x20;
            assert_eq!(check(&script, 5, &bytes, 33), Err(wrong as u64));
        }
    }

    #[test]
    fn finds_wrong_ends_and_samples_of_a_large_echo() {
        let script = Script::new(Kind::Text, Cell::new(100_000, 1, 1));
        let bytes = echo(&script, 0, 3);
        let frame = script.frame().expect("not compressed") as usize;
        let found = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            check(&script, 0, &bytes, 60_000) == Err(at as u64)
        };
        // The first is compared in full.
        assert!(found(0) && found(50_000) && found(frame - 1));
        // The others at their ends.
        assert!(found(frame) && found(frame + 63) && found(2 * frame - 1));
        assert!(!found(frame + 50_000));
    }

    #[test]
    fn compressed_messages_are_sent_in_one_piece_from_anywhere() {
        let script = Script::new(Kind::Text, Cell::of(Work::Json, 1024, 1, 16));
        for connection in [0, 1, 99] {
            for first in [0, 1, 255, 256, 1000] {
                let [from, to] =
                    [first, first + 16].map(|count| script.sent_length(connection, count));
                let frames = script.outgoing(connection, from, to);
                assert_eq!(frames.len() as u64, to - from);
                assert_eq!(frames[0], 0xc1);
            }
        }
    }

    #[test]
    fn notices_an_echo_on_the_wrong_connection() {
        let script = Script::new(Kind::Text, Cell::new(128, 1, 1));
        let bytes = echo(&script, 0, 1);
        assert!(script.check(1, 0, &bytes).is_err());
    }
}
