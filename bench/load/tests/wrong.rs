//! What a bad server does is found out.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use load::{Cell, Error, Kind, Offer, Script, Waiting, echo, echo_once, open};

use common::{ACCEPTED, server};

fn measure(then: fn(TcpStream)) -> Error {
    let cell = Cell::new(100, 1, 1);
    let script = Script::new(Kind::Text, cell);
    let moment = Duration::from_millis(10);
    let pid = std::process::id();
    let target = server(ACCEPTED, then).into();
    echo(&target, pid, cell, &script, moment, moment, Waiting::Asleep).expect_err("an error")
}

/// The payload of the first message: its frame is 100 bytes and a header of 6.
fn payload(stream: &mut TcpStream) -> Vec<u8> {
    let mut frame = [0; 106];
    stream.read_exact(&mut frame).expect("a frame");
    let (header, payload) = frame.split_at(6);
    let key = header[2..].iter().cycle();
    payload
        .iter()
        .zip(key)
        .map(|(byte, key)| byte ^ key)
        .collect()
}

#[test]
fn a_wrong_byte() {
    let error = measure(|mut stream| {
        let mut echo = vec![0x81, 100];
        echo.extend(payload(&mut stream));
        echo[60] ^= 1;
        stream.write_all(&echo).expect("written");
        let _ = stream.read(&mut [0]);
    });
    assert!(
        matches!(
            error,
            Error::WrongEcho {
                connection: 0,
                message: 0,
                byte: 60
            }
        ),
        "{error}"
    );
}

#[test]
fn a_wrong_opcode() {
    let error = measure(|mut stream| {
        let mut echo = vec![0x82, 100];
        echo.extend(payload(&mut stream));
        stream.write_all(&echo).expect("written");
        let _ = stream.read(&mut [0]);
    });
    assert!(matches!(error, Error::WrongEcho { byte: 0, .. }), "{error}");
}

/// Measures with a load that skims; `spoil` changes the echoes of all messages but the first three.
fn skim(spoil: fn(&mut Vec<u8>)) -> Error {
    let cell = Cell::new(100, 1, 1);
    let script = Script::new(Kind::Text, cell).skimmed(true);
    let target = server(ACCEPTED, move |mut stream| {
        let mut number = 0;
        while stream.peek(&mut [0]).is_ok_and(|read| read > 0) {
            let mut echo = vec![0x81, 100];
            echo.extend(payload(&mut stream));
            if number >= 3 {
                spoil(&mut echo);
            }
            number += 1;
            let _ = stream.write_all(&echo);
        }
    });
    let (none, moment) = (Duration::ZERO, Duration::from_secs(1));
    let pid = std::process::id();
    echo(
        &target.into(),
        pid,
        cell,
        &script,
        none,
        moment,
        Waiting::Asleep,
    )
    .expect_err("an error")
}

#[test]
fn a_wrong_byte_is_found_with_one_read_of_eight_if_the_load_skims() {
    let error = skim(|echo| echo[60] ^= 1);
    assert!(
        matches!(
            error,
            Error::WrongEcho {
                message: 7,
                byte: 60,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn too_much_is_found_at_once_if_the_load_skims() {
    let error = skim(|echo| echo.push(0x81));
    assert!(matches!(error, Error::Surplus { connection: 0 }), "{error}");
}

#[test]
fn a_lost_connection() {
    let error = measure(|mut stream| {
        payload(&mut stream);
    });
    assert!(
        matches!(error, Error::Lost { connection: 0, .. }),
        "{error}"
    );
}

#[test]
fn too_much() {
    let target = server(ACCEPTED, |mut stream| {
        let mut echo = vec![0x81, 100];
        echo.extend(payload(&mut stream));
        echo.push(0x81);
        stream.write_all(&echo).expect("written");
        let _ = stream.read(&mut [0]);
    });
    let mut connections = open(&target.into(), Offer::Nothing, 1).expect("a connection");
    let script = Script::new(Kind::Text, Cell::new(100, 1, 1));
    let error = echo_once(&mut connections, &script).expect_err("an error");
    assert!(matches!(error, Error::Surplus { connection: 0 }), "{error}");
}

#[test]
fn a_refused_handshake() {
    let address = server(b"HTTP/1.1 404 Not Found\r\n\r\n", |_| {});
    let error = open(&address.into(), Offer::Nothing, 1).expect_err("an error");
    assert!(matches!(error, Error::Handshake(_)), "{error}");
}
