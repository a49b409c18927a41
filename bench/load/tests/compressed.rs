//! What a bad server does with compressed messages is found out.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use load::{Cell, Error, Kind, Measured, Script, Waiting, Work, echo};
use miniz_oxide::deflate::compress_to_vec;

use common::server;

const AGREED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
    client_no_context_takeover\r\n\r\n";

const SIZE: usize = 1024;

fn measure(
    in_flight: usize,
    answer: &'static [u8],
    then: fn(TcpStream),
) -> Result<Measured, Error> {
    let cell = Cell::of(Work::Json, SIZE, 1, in_flight);
    let script = Script::new(Kind::Text, cell);
    let moment = Duration::from_millis(10);
    let pid = std::process::id();
    let target = server(answer, then).into();
    echo(&target, pid, cell, &script, moment, moment, Waiting::Asleep)
}

fn wrong(then: fn(TcpStream)) -> Error {
    measure(1, AGREED, then).expect_err("an error")
}

/// The payload of a frame from the load, compressed, and the text in it; nothing at the end.
fn received(stream: &mut TcpStream) -> Option<(Vec<u8>, String)> {
    let mut header = [0; 8];
    stream.read_exact(&mut header).ok()?;
    assert_eq!(
        header[..2],
        [0xc1, 0xfe],
        "a compressed text of medium size"
    );
    let mut payload = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]]))];
    stream.read_exact(&mut payload).expect("a payload");
    for (byte, key) in payload.iter_mut().zip(header[4..].iter().cycle()) {
        *byte ^= key;
    }
    let whole = [&payload[..], &[0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]].concat();
    let text = miniz_oxide::inflate::decompress_to_vec(&whole).expect("compressed");
    assert_eq!(text.len(), SIZE);
    Some((payload, String::from_utf8(text).expect("a text")))
}

fn send(stream: &mut TcpStream, first: u8, payload: &[u8]) {
    let mut frame = vec![first, 126];
    frame.extend((payload.len() as u16).to_be_bytes());
    frame.extend(payload);
    // The load may have seen enough.
    let _ = stream.write_all(&frame);
}

/// Answers the first message and waits for the load to leave.
fn answer(mut stream: TcpStream, frame: impl FnOnce(Vec<u8>, String) -> (u8, Vec<u8>)) {
    let (payload, text) = received(&mut stream).expect("a message");
    let (first, payload) = frame(payload, text);
    send(&mut stream, first, &payload);
    let _ = stream.read(&mut [0]);
}

/// A message in other words than the load's: at another level, its last block marked as that.
fn compressed(text: &str) -> Vec<u8> {
    let mut payload = compress_to_vec(text.as_bytes(), 1);
    payload.push(0);
    payload
}

#[test]
fn the_same_text_in_any_words_is_right() {
    let measured = measure(6, AGREED, |mut stream| {
        let mut count = 0;
        while let Some((payload, text)) = received(&mut stream) {
            let _ = stream.write_all(&[0x89, 3, b'h', b'e', b'y']);
            count += 1;
            match count % 3 {
                0 => send(&mut stream, 0xc1, &payload),
                1 => send(&mut stream, 0xc1, &compressed(&text)),
                _ => send(&mut stream, 0x81, text.as_bytes()),
            }
        }
    })
    .expect("measured");
    assert!(measured.messages >= 6);
    // One of three came as it is.
    assert!(
        measured.uncompressed.abs_diff(measured.messages / 3) <= 1,
        "{measured:?}"
    );
    assert!(measured.bytes < measured.messages * SIZE as u64);
}

#[test]
fn another_text_is_wrong() {
    let error = wrong(|stream| {
        answer(stream, |_, text| {
            (0xc1, compressed(&text.replace("\"id\"", "\"iD\"")))
        });
    });
    assert!(
        matches!(
            error,
            Error::WrongText {
                connection: 0,
                message: 0,
                byte: Some(20..SIZE)
            }
        ),
        "{error}"
    );
}

#[test]
fn a_longer_and_a_shorter_text_are_wrong() {
    let longer = wrong(|stream| answer(stream, |_, text| (0xc1, compressed(&(text + " ")))));
    assert!(
        matches!(
            longer,
            Error::WrongText {
                byte: Some(SIZE),
                ..
            }
        ),
        "{longer}"
    );
    let shorter = wrong(|stream| answer(stream, |_, text| (0xc1, compressed(&text[..500]))));
    assert!(
        matches!(
            shorter,
            Error::WrongText {
                byte: Some(500),
                ..
            }
        ),
        "{shorter}"
    );
}

#[test]
fn a_text_that_was_right_before_is_wrong_for_another_message() {
    let error = wrong(|mut stream| {
        let first = received(&mut stream).expect("a message").0;
        send(&mut stream, 0xc1, &first);
        while received(&mut stream).is_some() {
            send(&mut stream, 0xc1, &first);
        }
    });
    assert!(
        matches!(error, Error::WrongText { message: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_payload_that_is_not_compressed_but_says_so() {
    let error = wrong(|stream| answer(stream, |_, _| (0xc1, vec![0xff; 200])));
    assert!(
        matches!(error, Error::WrongText { byte: None, .. }),
        "{error}"
    );
}

#[test]
fn a_compressed_payload_that_does_not_say_so() {
    let error = wrong(|stream| answer(stream, |payload, _| (0x81, payload)));
    assert!(
        matches!(error, Error::WrongText { byte: Some(0), .. }),
        "{error}"
    );
}

#[test]
fn a_wrong_opcode_and_a_bit_that_nobody_agreed_on() {
    for first in [0xc2, 0xe1, 0x41, 0x88] {
        let error = match first {
            0xc2 => wrong(|stream| answer(stream, |payload, _| (0xc2, payload))),
            0xe1 => wrong(|stream| answer(stream, |payload, _| (0xe1, payload))),
            0x41 => wrong(|stream| answer(stream, |payload, _| (0x41, payload))),
            _ => wrong(|stream| answer(stream, |payload, _| (0x88, payload))),
        };
        assert!(matches!(error, Error::WrongEcho { byte: 0, .. }), "{error}");
    }
}

#[test]
fn a_message_that_nobody_sent() {
    let error = wrong(|mut stream| {
        let (payload, _) = received(&mut stream).expect("a message");
        let length = (payload.len() as u16).to_be_bytes();
        let frame = [&[0xc1, 126], &length[..], &payload].concat();
        stream.write_all(&frame.repeat(2)).expect("written");
        let _ = stream.read(&mut [0]);
    });
    assert!(matches!(error, Error::Surplus { connection: 0 }), "{error}");
}

#[test]
fn a_server_that_declines_is_no_failure_of_its_echoes() {
    let error = measure(1, common::ACCEPTED, |_| {}).expect_err("declined");
    assert!(matches!(error, Error::Declined(_)), "{error}");
    let other: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let error = measure(1, other, |_| {}).expect_err("declined");
    assert!(matches!(error, Error::Declined(_)), "{error}");
}
