//! Echoes under TLS are checked as others are.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use load::{Cell, Error, Kind, Measured, SERVER_NAME, Script, Target, Tls, Waiting, Work, echo};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use common::ACCEPTED;

type Session = StreamOwned<ServerConnection, TcpStream>;

/// More than fits into a record.
const SIZE: usize = 20_000;

/// More than the kernel takes at once.
const IN_FLIGHT: usize = 300;

/// A server and what its clients trust. Each payload passes through `change` on its way back.
fn server(name: &str, change: fn(&mut Vec<u8>)) -> (SocketAddr, Tls) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let trust = Tls::trusting(made.cert.der()).expect("trust");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let tls = ServerConnection::new(config.clone()).expect("a session");
            let session = StreamOwned::new(tls, stream.expect("a connection"));
            thread::spawn(move || serve(session, change));
        }
    });
    (address, trust)
}

fn serve(mut session: Session, change: fn(&mut Vec<u8>)) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        // The load has left: it does not trust us.
        let Ok(()) = session.read_exact(&mut byte) else {
            return;
        };
        head.extend(byte);
    }
    session.write_all(ACCEPTED).expect("an answer");
    let mut frame = vec![0; 8 + SIZE];
    while session.read_exact(&mut frame).is_ok() {
        let (header, payload) = frame.split_at(8);
        let mut echo = vec![0x81, 126];
        echo.extend((SIZE as u16).to_be_bytes());
        echo.extend(
            payload
                .iter()
                .zip(header[4..].iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        change(&mut echo);
        if session
            .write_all(&echo)
            .and_then(|()| session.flush())
            .is_err()
        {
            return;
        }
    }
}

fn measure(address: SocketAddr, trust: Tls) -> Result<Measured, Error> {
    let cell = Cell::of(Work::Tls, SIZE, 2, IN_FLIGHT);
    let script = Script::new(Kind::Text, cell);
    let moment = Duration::from_millis(20);
    let target = Target {
        address,
        tls: Some(trust),
    };
    let pid = std::process::id();
    echo(&target, pid, cell, &script, moment, moment, Waiting::Asleep)
}

#[test]
fn the_right_echo_counts() {
    let (address, trust) = server(SERVER_NAME, |_| {});
    let measured = measure(address, trust).expect("measured");
    assert!(measured.messages >= 2 * IN_FLIGHT as u64);
    assert_eq!(measured.bytes, measured.messages * (SIZE as u64 + 4));
}

#[test]
fn a_wrong_byte() {
    let (address, trust) = server(SERVER_NAME, |echo| echo[1000] ^= 1);
    let error = measure(address, trust).expect_err("an error");
    assert!(
        matches!(
            error,
            Error::WrongEcho {
                message: 0,
                byte: 1000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_server_that_is_not_trusted() {
    let (address, _) = server(SERVER_NAME, |_| {});
    let (_, other) = server(SERVER_NAME, |_| {});
    let error = measure(address, other).expect_err("an error");
    assert!(
        matches!(
            error,
            Error::Io {
                doing: "the TLS handshake",
                ..
            }
        ),
        "{error}"
    );
    let (address, trust) = server("another.example", |_| {});
    let error = measure(address, trust).expect_err("an error");
    assert!(matches!(error, Error::Io { .. }), "{error}");
}
