//! What a peer can make us hold before a connection is open. Each bound is a formula of
//! the limits; they stand in `docs/limits.md`.

mod common;

use std::io::Write;
use std::time::Duration;

use common::attack::{Attacker, End, STATE, Then, opening_cost};
use common::heap;
use common::raw::request;
use telsiz::Options;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// The most bytes of a head.
const HEAD: usize = 8 * 1024;

/// What is kept of the body of a refusal.
const BODY: isize = 64 * 1024;

/// What a head takes: its bytes in memory that doubles, and a hundred fields.
const HALF_OPEN: isize = 4 * HEAD as isize + STATE;

/// What looking at a list of extensions takes; nothing is waited for meanwhile.
const EXTENSIONS: isize = 32 * HEAD as isize;

/// The default.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

fn opening(end: End, attack: impl FnOnce(&mut Attacker) + Send + 'static, then: Then) -> isize {
    let cost = opening_cost(end, Options::default(), attack, then);
    println!("{end:?}: {cost:?}");
    cost.peak
}

/// A head that begins with `start` and is filled up with what `field` makes of a number,
/// to one byte less than is too much.
fn endless(start: &str, field: impl Fn(usize) -> String) -> Vec<u8> {
    let mut head = start.to_owned();
    for number in 0.. {
        let field = field(number);
        if head.len() + field.len() >= HEAD {
            break;
        }
        head.push_str(&field);
    }
    head.into_bytes()
}

/// Heads without end, of both ends.
fn heads(start: &str) -> Vec<Vec<u8>> {
    vec![
        endless(start, |_| "a:\r\n".to_owned()),
        endless(start, |number| format!("{number:x}:\r\n")),
        // A hundred fields, and as many bytes as there may be.
        endless(start, |number| format!("{number:02}: {:74}\r\n", "x")),
        endless(&format!("{start}a: "), |_| "a".to_owned()),
        endless(&format!("{start}Sec-WebSocket-Extensions: a"), |_| {
            ",a".to_owned()
        }),
    ]
}

#[test]
fn a_request_that_never_ends() {
    for head in heads("GET / HTTP/1.1\r\n") {
        let attack = move |peer: &mut Attacker| peer.write(&head);
        let peak = opening(End::Server, attack, Then::Wait(OPEN_TIMEOUT));
        assert!(peak <= HALF_OPEN, "{peak}");
    }
}

#[test]
fn a_request_that_drips_in() {
    let attack = |peer: &mut Attacker| {
        for byte in endless("GET / HTTP/1.1\r\nX: ", |_| "x".to_owned()) {
            peer.write(&[byte]);
        }
    };
    let peak = opening(End::Server, attack, Then::Wait(OPEN_TIMEOUT));
    assert!(peak <= HALF_OPEN, "{peak}");
}

#[test]
fn a_request_full_of_extensions() {
    for offer in ["a,", "permessage-deflate,", "a;b;c;d;e=\"f\","] {
        let most = HEAD - request("/", "Sec-WebSocket-Extensions: \r\n").len() - 20;
        let offers = offer.repeat(most / offer.len());
        let attack = move |peer: &mut Attacker| {
            let offers = format!("Sec-WebSocket-Extensions: {offers}a\r\n");
            peer.write(request("/", &offers).as_bytes());
            let head = peer.head();
            assert!(head.starts_with(b"HTTP/1.1 101"), "{}", head.len());
        };
        let peak = opening(End::Server, attack, Then::HangUp);
        assert!(peak <= EXTENSIONS, "{peak}");
    }
}

#[test]
fn an_answer_that_never_ends() {
    let mut heads = heads("HTTP/1.1 101 \r\n");
    // Of 1xx only 101 is final: any number of others may come before.
    heads.push("HTTP/1.1 103 \r\nx: y\r\n\r\n".repeat(100_000).into_bytes());
    for head in heads {
        let attack = move |peer: &mut Attacker| {
            peer.head();
            peer.write(&head);
        };
        let peak = opening(End::Client, attack, Then::Wait(OPEN_TIMEOUT));
        assert!(peak <= HALF_OPEN, "{peak}");
    }
}

#[test]
fn a_refusal_whose_body_never_ends() {
    for framing in [
        "",
        "Content-Length: 99999999999\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let attack = move |peer: &mut Attacker| {
            peer.head();
            peer.write(format!("HTTP/1.1 403 \r\n{framing}\r\n").as_bytes());
            // In chunks of one byte, if in chunks.
            let body = match framing.starts_with("Transfer") {
                true => b"1\r\nx\r\n".repeat(20_000),
                false => vec![b'x'; 70_000],
            };
            // The client has ended the transport when it has enough.
            let _ = peer.tcp.write_all(&body);
        };
        let peak = opening(End::Client, attack, Then::Wait(OPEN_TIMEOUT));
        assert!(peak <= 2 * BODY + HALF_OPEN, "{peak}");
    }
}
