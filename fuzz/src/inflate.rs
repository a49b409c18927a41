//! `inflate`: any compressed payloads, and messages there and back.

use std::time::Instant;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use telsiz_proto::{
    Agreement, Config, Deflate, Exceeded, Fault, Kind, Message, Prepared, Violation, WindowBits,
};

use crate::common::compressing::{agree, config};
use crate::common::frame::{BINARY, CONTINUATION, Frame, TEXT};
use crate::common::{Driver, End, Seen, Side};
use crate::extensions::settings;
use crate::script::Script;

/// Of what comes compressed no message is larger than the limit, to the byte; what we compress comes out the same
/// and keeps to the window that was agreed on.
pub fn inflate(data: &[u8]) {
    let mut script = Script::new(data);
    let side = script.pick(&Side::BOTH);
    match script.flag() {
        true => payloads(side, &mut script),
        false => there_and_back(side, &mut script),
    }
}

/// A connection whose peer may compress.
struct Receiver {
    side: Side,
    deflate: Deflate,
    agreement: Agreement,
}

impl Receiver {
    /// What it says about messages with these payloads.
    fn says(&self, limit: usize, messages: &[Vec<Frame>], sizes: &[usize]) -> Vec<Seen> {
        let mut config = config(&self.deflate);
        config.limits.message_size = limit;
        let mut end = End::new(self.side, &config, Instant::now());
        end.connection.set_deflate(self.agreement);
        for frame in messages.iter().flatten() {
            let bytes = frame.clone().to(self.side);
            end.get_split(Driver::SIMPLE, &bytes, sizes);
        }
        end.seen
    }
}

fn payloads(side: Side, script: &mut Script<'_>) {
    let deflate = settings(script);
    let agreement = agree(&deflate, &deflate);
    let receiver = Receiver {
        side,
        deflate,
        agreement,
    };
    let limit = script.size();
    let sizes = script.sizes(2);
    let mut messages = Vec::new();
    while !script.is_over() && messages.len() < 8 {
        let opcode = script.pick(&[BINARY, TEXT]);
        let len = script.size();
        let mut frames = vec![Frame::new(opcode, script.bytes(len))];
        frames[0].reserved = 4;
        if script.flag() {
            let len = script.size();
            frames[0].fin = false;
            frames.push(Frame::new(CONTINUATION, script.bytes(len)));
        }
        messages.push(frames);
    }

    let seen = receiver.says(limit, &messages, &[usize::MAX]);
    assert_eq!(seen, receiver.says(limit, &messages, &sizes));
    let mut most = 0;
    for seen in &seen {
        match seen {
            Seen::Message(kind, message) => {
                assert!(message.len() <= limit);
                assert!(*kind == Kind::Binary || std::str::from_utf8(message).is_ok());
                most = most.max(message.len());
            }
            Seen::Fault(fault) => assert!(
                matches!(
                    fault,
                    Fault::Violation(Violation::NotDeflate | Violation::NotUtf8)
                        | Fault::Exceeded(Exceeded::MessageSize { .. })
                ),
                "{fault}"
            ),
            other => panic!("{other:?}"),
        }
    }
    // The limit holds to the byte. What waits compressed may be a little larger, but no larger than that.
    let least = messages
        .iter()
        .map(|m| m.iter().map(|f| f.payload.len()).sum::<usize>());
    let least = least.max().unwrap_or(0);
    if !seen.iter().any(|seen| matches!(seen, Seen::Fault(_))) && least <= most + most / 8 {
        assert_eq!(seen, receiver.says(most, &messages, &[usize::MAX]));
        if most > 0 {
            let seen = receiver.says(most - 1, &messages, &[usize::MAX]);
            let exceeded = Exceeded::MessageSize { max: most - 1 };
            assert_eq!(seen.last(), Some(&Seen::Fault(exceeded.into())));
        }
    }
}

fn there_and_back(side: Side, script: &mut Script<'_>) {
    let (client, server) = (settings(script), settings(script));
    let agreement = agree(&client, &server);
    let end = |side, deflate: &Deflate| {
        let mut end = End::new(side, &with_room(deflate), Instant::now());
        end.connection.set_deflate(agreement);
        end
    };
    let (mut client_end, mut server_end) = (end(Side::Client, &client), end(Side::Server, &server));
    let (from, to) = match side {
        Side::Client => (&mut client_end, &mut server_end),
        Side::Server => (&mut server_end, &mut client_end),
    };
    let window = match side {
        Side::Client => client.client_window.min(server.client_window),
        Side::Server => client.server_window.min(server.server_window),
    };
    let takeover = match side {
        Side::Client => client.client_takeover && server.client_takeover,
        Side::Server => client.server_takeover && server.server_takeover,
    };
    let mut book = Book::new(window, takeover);
    let sizes = script.sizes(2);
    for _ in 0..8 {
        let how = script.below(4);
        let payload = script.payload(40_000);
        let message = Message::binary(payload.clone());
        let out = &mut from.out;
        let sent = match how {
            0 => from.connection.send_binary(&payload, out),
            1 => from.connection.send(Prepared::new(message), out),
            _ => from.connection.send(message, out),
        };
        assert_eq!(sent, Ok(()));
        let bytes = from.transmit();
        let frames = Frame::read_all(&bytes);
        let [frame] = &frames[..] else {
            panic!("{} frames", frames.len());
        };
        if frame.reserved == 4 {
            assert_eq!(book.inflate(&frame.payload).as_ref(), Ok(&payload));
        } else {
            assert_eq!(frame.payload, payload);
        }
        to.get_split(Driver::SIMPLE, &bytes, &sizes);
        assert_eq!(to.take_seen(), [Seen::binary(&payload)]);
        if script.is_over() {
            return;
        }
    }
}

fn with_room(deflate: &Deflate) -> Config {
    let mut config = config(deflate);
    config.limits.message_size = 1 << 20;
    config
}

/// A decompressor that remembers no more than the window that was agreed on. It is not that of the code under test,
/// which always has the largest window, whatever it is asked for.
struct Book {
    stream: DecompressorOxide,
    window: Vec<u8>,
    at: usize,
    takeover: bool,
}

impl Book {
    fn new(window: WindowBits, takeover: bool) -> Self {
        Self {
            stream: DecompressorOxide::new(),
            window: vec![0; 1 << window.get()],
            at: 0,
            takeover,
        }
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, TINFLStatus> {
        if !self.takeover {
            *self = Self {
                window: vec![0; self.window.len()],
                stream: DecompressorOxide::new(),
                ..*self
            };
        }
        let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
        let mut rest = &whole[..];
        let mut message = Vec::new();
        loop {
            let (stream, window) = (&mut self.stream, &mut self.window[..]);
            let flags = TINFL_FLAG_HAS_MORE_INPUT;
            let (status, took, made) = decompress(stream, rest, window, self.at, flags);
            message.extend_from_slice(&self.window[self.at..self.at + made]);
            self.at = (self.at + made) % self.window.len();
            rest = &rest[took..];
            match status {
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput => return Ok(message),
                wrong => return Err(wrong),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::{compressing, noise};

    #[test]
    fn the_book_knows_what_refers_too_far_back() {
        let largest = compressing::settings(false, 15);
        let mut from = compressing::end(Side::Server, &largest);
        for bits in 8..15 {
            let window = 1 << bits;
            for (period, fits) in [(window - 1, true), (window, true), (window + 1, false)] {
                let message = noise(period, 1).repeat(2);
                let sent = from.connection.send_binary(&message, &mut from.out);
                assert_eq!(sent, Ok(()));
                let frames = from.frames();
                assert_eq!(frames[0].reserved, 4);
                let mut book = Book::new(WindowBits::new(bits).expect("8 to 15"), false);
                let read = book.inflate(&frames[0].payload);
                assert_eq!(read == Ok(message), fits, "{bits} {period}");
            }
        }
    }
}
