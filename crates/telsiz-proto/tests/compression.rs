//! Messages that travel compressed (RFC 7692).

mod common;

use std::time::Instant;

use common::compressing::{agree, config, end, settings};
use common::frame::{BINARY, CONTINUATION, Frame, PING, TEXT};
use common::{Driver, End, Seen, Side, noise};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use telsiz_proto::{Exceeded, Fault, Level, Message, Prepared, Violation};

fn compressed(frame: Frame) -> Frame {
    Frame {
        reserved: 4,
        ..frame
    }
}

/// What a server that knows compression sees of frames, with and without takeover.
fn seen_of(takeover: bool, frames: &[Frame]) -> Vec<Seen> {
    let mut end = end(Side::Server, &settings(takeover, 15));
    for frame in frames {
        end.get(&frame.clone().to(Side::Server));
    }
    end.seen
}

/// "Hello" as section 7.2.3.1 has it.
const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

#[test]
fn the_examples_of_section_7_2_3_are_read() {
    for payload in [
        &HELLO[..],
        // Without compression.
        &[
            0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ],
        // A block that says that it is the last one.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        // Two blocks.
        &[
            0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
        ],
    ] {
        let frame = compressed(Frame::new(TEXT, payload));
        for takeover in [false, true] {
            let frames = [frame.clone(), frame.clone()];
            let hello = Seen::text("Hello");
            assert_eq!(
                seen_of(takeover, &frames),
                [hello.clone(), hello],
                "{payload:x?}"
            );
        }
        // In two fragments, with a ping between them.
        for cut in 0..payload.len() {
            let frames = [
                compressed(Frame::new(TEXT, &payload[..cut])).more(),
                Frame::new(PING, "?"),
                Frame::new(CONTINUATION, &payload[cut..]),
            ];
            let expected = [Seen::Ping(b"?".to_vec()), Seen::text("Hello")];
            assert_eq!(seen_of(false, &frames), expected);
        }
    }
    // An empty message, and one that refers to the message before it.
    let empty = compressed(Frame::new(TEXT, [0]));
    assert_eq!(seen_of(false, &[empty]), [Seen::text("")]);
    let again = compressed(Frame::new(TEXT, [0xf2, 0x00, 0x11, 0x00, 0x00]));
    let hello = compressed(Frame::new(TEXT, HELLO));
    let frames = [hello, again];
    assert_eq!(
        seen_of(true, &frames),
        [Seen::text("Hello"), Seen::text("Hello")]
    );
    assert_eq!(
        seen_of(false, &frames)[1],
        Seen::Fault(Violation::NotDeflate.into())
    );
}

#[test]
fn rsv1_belongs_to_the_first_frame_of_a_message_alone() {
    let reserved = [Seen::Fault(Violation::ReservedBits.into())];
    let hello = Frame::new(CONTINUATION, HELLO);
    for (first, second) in [
        (
            compressed(Frame::new(TEXT, "")).more(),
            compressed(hello.clone()),
        ),
        (Frame::text("a").more(), compressed(hello)),
    ] {
        assert_eq!(seen_of(false, &[first, second]), reserved);
    }
    assert_eq!(
        seen_of(false, &[compressed(Frame::new(PING, ""))]),
        reserved
    );
    assert_eq!(
        seen_of(false, &[compressed(Frame::close(1000, ""))]),
        reserved
    );
    // Nor is it allowed if nothing was agreed on, whatever the settings say.
    let mut end = End::new(Side::Server, &config(&settings(false, 15)), Instant::now());
    end.get(&compressed(Frame::new(TEXT, HELLO)).to(Side::Server));
    assert_eq!(end.seen, reserved);
}

#[test]
fn plain_messages_may_stand_between_compressed_ones() {
    let hello = compressed(Frame::new(TEXT, HELLO));
    let frames = [
        hello.clone(),
        Frame::text("plain"),
        Frame::text("in ").more(),
        Frame::new(CONTINUATION, "pieces"),
        hello,
    ];
    let expected = ["Hello", "plain", "in pieces", "Hello"].map(Seen::text);
    for takeover in [false, true] {
        assert_eq!(seen_of(takeover, &frames), expected);
    }
}

#[test]
fn what_cannot_be_decompressed_closes_with_1007() {
    for payload in [
        &[0xff, 0xff, 0xff][..],
        // A block of a type that does not exist.
        &[0x06],
        // It breaks off: in the header of a block, in a stored block, in a code.
        &HELLO[..3],
        &[0x00, 0x50, 0x00, 0xaf, 0xff, 0x48],
        &[],
    ] {
        let mut end = end(Side::Server, &settings(false, 15));
        end.get(&compressed(Frame::new(BINARY, payload)).to(Side::Server));
        let fault = Seen::Fault(Violation::NotDeflate.into());
        assert_eq!(end.seen, [fault], "{payload:x?}");
        assert_eq!(end.frames()[0].close_body().0, 1007);
    }
}

#[test]
fn text_that_is_no_utf8_when_decompressed_closes_with_1007() {
    let frame = compressed(Frame::new(TEXT, [0, 1, 0, 0xfe, 0xff, 0xff, 0]));
    let fault = Fault::from(Violation::NotUtf8);
    assert_eq!(seen_of(false, &[frame]), [Seen::Fault(fault)]);
}

fn messages() -> Vec<Message> {
    let json = r#"{"type":"message","room":"genel","text":"merhaba dünya","seq":1}"#;
    let mut all = vec![
        Message::text("a"),
        Message::text(json),
        Message::text(json),
        Message::text(""),
        Message::binary(vec![0; 100_000]),
        Message::text(json.repeat(1000)),
    ];
    // Blocks that stand farther apart than small windows reach, and nothing to gain.
    for distance in [200, 300, 600, 3000, 20_000, 40_000] {
        let block = noise(150, 1);
        all.push([&block[..], &noise(distance, 2), &block].concat().into());
        all.push(block.into());
    }
    all
}

#[test]
fn every_agreement_carries_every_message_both_ways_however_it_is_cut() {
    for takeover in [false, true] {
        for bits in 8..=15 {
            let deflate = settings(takeover, bits);
            for side in Side::BOTH {
                let other = match side {
                    Side::Client => Side::Server,
                    Side::Server => Side::Client,
                };
                let mut from = end(side, &deflate);
                let mut to = Driver::all().map(|driver| (driver, end(other, &deflate)));
                let mut to: Vec<_> = to.by_ref().collect();
                for message in messages() {
                    let sent = from.connection.send(message.clone(), &mut from.out);
                    assert_eq!(sent, Ok(()));
                    let bytes = from.transmit();
                    for (driver, to) in &mut to {
                        to.get_split(*driver, &bytes, &[7, 1, 10_000, 300]);
                        let seen = Seen::Message(message.kind(), message.as_bytes().to_vec());
                        assert!(to.take_seen() == [seen], "{takeover} {bits} {driver:?}");
                    }
                }
            }
        }
    }
}

/// Decompresses with a window of exactly that size: what refers farther back fails. zlib-rs would not do, because it
/// has the largest window whatever it is asked for.
fn inflate_within(bits: u8, payload: &[u8]) -> Option<Vec<u8>> {
    let mut stream = DecompressorOxide::new();
    let mut window = vec![0; 1 << bits];
    let mut at = 0;
    let mut rest = &[payload, &[0, 0, 0xff, 0xff]].concat()[..];
    let mut all = Vec::new();
    loop {
        let flags = TINFL_FLAG_HAS_MORE_INPUT;
        let (status, took, made) = decompress(&mut stream, rest, &mut window, at, flags);
        all.extend_from_slice(&window[at..at + made]);
        at = (at + made) % window.len();
        rest = &rest[took..];
        match status {
            TINFLStatus::HasMoreOutput => {}
            TINFLStatus::NeedsMoreInput => return Some(all),
            _ => return None,
        }
    }
}

#[test]
fn nothing_refers_farther_back_than_was_agreed_on() {
    for bits in 8..=15 {
        let mut from = end(Side::Server, &settings(false, bits));
        for message in messages() {
            assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
            for frame in from.frames() {
                if frame.reserved == 4 {
                    let read = inflate_within(bits, &frame.payload);
                    assert!(
                        read.is_some_and(|read| read == message.as_bytes()),
                        "{bits}"
                    );
                }
            }
        }
    }
    // The check can fail.
    let mut from = end(Side::Server, &settings(false, 15));
    for bits in 8..15 {
        for (distance, fits) in [(1 << bits, true), ((1 << bits) + 1, false)] {
            let message = noise(distance, 1).repeat(2);
            assert_eq!(from.connection.send_binary(&message, &mut from.out), Ok(()));
            let frames = from.frames();
            assert_eq!(frames[0].reserved, 4, "it is compressed");
            let read = inflate_within(bits, &frames[0].payload);
            assert_eq!(read == Some(message), fits, "{bits} {distance}");
        }
    }
}

#[test]
fn takeover_makes_the_second_of_two_equal_messages_small() {
    let message = Message::binary(noise(1000, 3));
    let mut sizes = Vec::new();
    for takeover in [false, true] {
        let mut from = end(Side::Server, &settings(takeover, 15));
        for _ in 0..2 {
            assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
            sizes.push(from.transmit().len());
        }
    }
    assert!(
        sizes[0] > 1000 && sizes[1] > 1000 && sizes[2] > 1000,
        "{sizes:?}"
    );
    assert!(sizes[3] < 50, "{sizes:?}");
}

#[test]
fn small_messages_and_those_that_would_grow_go_out_plain() {
    let mut deflate = settings(false, 15);
    deflate.threshold = 100;
    let mut from = end(Side::Server, &deflate);
    for (message, reserved) in [
        (Message::text("x".repeat(99)), 0),
        (Message::text("x".repeat(100)), 4),
        (Message::binary(noise(500, 4)), 0),
    ] {
        assert_eq!(
            from.connection.compresses(message.len()),
            message.len() >= 100
        );
        assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
        assert_eq!(
            from.connection.send(Prepared::new(message), &mut from.out),
            Ok(())
        );
        for frame in from.frames() {
            assert_eq!(frame.reserved, reserved);
        }
    }
}

#[test]
fn a_prepared_message_is_compressed_once_for_each_window() {
    let prepared = Prepared::new("merhaba ".repeat(1000));
    let mut encodings = Vec::new();
    for bits in [8, 15] {
        for _ in 0..2 {
            let mut from = end(Side::Server, &settings(false, bits));
            assert_eq!(from.connection.send(&prepared, &mut from.out), Ok(()));
            let sent = from.transmit();
            assert_eq!(from.connection.lend(&prepared), Some(&sent[..]));
            encodings.push(sent.len());
            let mut to = end(Side::Client, &settings(false, bits));
            to.get(&sent);
            assert_eq!(to.seen, [Seen::text(&"merhaba ".repeat(1000))]);
        }
    }
    assert_eq!(encodings[0], encodings[1]);
    assert_eq!(encodings[2], encodings[3]);
    // With takeover each connection has its own, and goes on from it.
    let mut from = end(Side::Server, &settings(true, 15));
    let mut to = end(Side::Client, &settings(true, 15));
    for _ in 0..3 {
        assert_eq!(from.connection.lend(&prepared), None);
        assert_eq!(from.connection.send(&prepared, &mut from.out), Ok(()));
        to.get(&from.transmit());
    }
    assert_eq!(to.seen, vec![Seen::text(&"merhaba ".repeat(1000)); 3]);
}

#[test]
fn a_small_message_is_compressed_too() {
    let mut from = end(Side::Server, &settings(false, 15));
    let message = Message::text("merhaba ".repeat(100));
    assert!(from.connection.compresses(message.len()));
    assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
    assert!(from.out.len() < message.len() / 2);
}

#[test]
fn the_limit_of_a_message_holds_for_what_it_expands_to() {
    let max = 50_000;
    for takeover in [false, true] {
        for len in [max - 1, max, max + 1, 20 * max] {
            for pieces in [1, 3] {
                let deflate = settings(takeover, 15);
                let mut from = end(Side::Client, &deflate);
                let message = Message::binary(vec![b'x'; len]);
                assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
                let whole = from.frames().swap_remove(0);
                assert!(whole.payload.len() < max / 5);

                let mut config = config(&deflate);
                config.limits.message_size = max;
                let mut to = End::new(Side::Server, &config, Instant::now());
                to.connection.set_deflate(agree(&deflate, &deflate));
                let step = whole.payload.len().div_ceil(pieces);
                for (i, piece) in whole.payload.chunks(step).enumerate() {
                    let last = (i + 1) * step >= whole.payload.len();
                    let opcode = if i == 0 { BINARY } else { CONTINUATION };
                    let mut frame = Frame::new(opcode, piece);
                    frame.fin = last;
                    frame.reserved = if i == 0 { 4 } else { 0 };
                    to.get(&frame.to(Side::Server));
                }
                match len <= max {
                    true => assert!(to.seen == [Seen::binary(message.as_bytes())]),
                    false => {
                        let fault = Fault::from(Exceeded::MessageSize { max });
                        assert_eq!(to.seen, [Seen::Fault(fault)]);
                        assert_eq!(to.frames()[0].close_body().0, 1009);
                    }
                }
            }
        }
    }
}

#[test]
fn a_message_of_the_limit_that_cannot_be_compressed_gets_through() {
    for max in [1, 100, 10_000, 1 << 20] {
        let deflate = settings(true, 15);
        let mut from = end(Side::Client, &deflate);
        let message = Message::binary(noise(max, 5));
        assert_eq!(from.connection.send(message.clone(), &mut from.out), Ok(()));
        let mut config = config(&deflate);
        config.limits.message_size = max;
        let mut to = End::new(Side::Server, &config, Instant::now());
        to.connection.set_deflate(agree(&deflate, &deflate));
        let bytes = from.transmit();
        assert!(bytes.len() > max);
        to.get_split(Driver::SIMPLE, &bytes, &[60_000]);
        assert!(to.seen == [Seen::binary(message.as_bytes())], "{max}");
    }
}

#[test]
fn blocks_that_each_say_that_they_are_the_last_are_one_message() {
    let payload = [0x03, 0x00].repeat(50_000);
    let empty = [Seen::binary(b"")];
    assert_eq!(
        seen_of(false, &[compressed(Frame::new(BINARY, &payload))]),
        empty
    );
    // With text between them.
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00].repeat(1000);
    let seen = seen_of(true, &[compressed(Frame::new(TEXT, hello))]);
    assert!(seen == [Seen::text(&"Hello".repeat(1000))]);
}

#[test]
fn every_level_is_read() {
    for level in 1..=9 {
        let mut deflate = settings(false, 15);
        deflate.level = Level::new(level).expect("from 1 to 9");
        let mut from = end(Side::Client, &deflate);
        let mut to = end(Side::Server, &deflate);
        let message = "merhaba dünya ".repeat(200);
        assert_eq!(from.connection.send_text(&message, &mut from.out), Ok(()));
        to.get(&from.transmit());
        assert_eq!(to.seen, [Seen::text(&message)]);
    }
}
