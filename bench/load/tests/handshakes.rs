//! What a bad server does with handshakes is found out, and what a good one does is counted.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use load::{Cell, Error, Measured, Waiting, Work, handshakes};

use common::{ACCEPTED, read_request};

/// Answers every connection and counts those whose client then left in order.
fn server(answer: &'static [u8], left: Arc<AtomicU64>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let left = left.clone();
            thread::spawn(move || {
                read_request(&stream);
                let _ = stream.write_all(answer);
                if let Ok(0) = stream.read(&mut [0]) {
                    left.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    address
}

fn measure(address: SocketAddr) -> Result<Measured, Error> {
    let cell = Cell::of(Work::Open, 0, 4, 1);
    let moment = Duration::from_millis(20);
    let pid = std::process::id();
    handshakes(&address.into(), pid, cell, moment, moment, Waiting::Asleep)
}

#[test]
fn every_connection_is_accepted_and_ends() {
    let left = Arc::new(AtomicU64::new(0));
    let measured = measure(server(ACCEPTED, left.clone())).expect("measured");
    assert!(measured.messages >= 4);
    assert_eq!(measured.bytes, measured.messages * ACCEPTED.len() as u64);
    // The warm-up is not counted.
    assert!(left.load(Ordering::SeqCst) > measured.messages);
}

#[test]
fn a_wrong_answer() {
    let wrong = b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\r\n";
    let error = measure(server(wrong, Arc::default())).expect_err("an error");
    assert!(matches!(error, Error::Handshake(_)), "{error}");
    let refused = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
    let error = measure(server(refused, Arc::default())).expect_err("an error");
    assert!(matches!(error, Error::Handshake(_)), "{error}");
}

#[test]
fn a_server_that_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            read_request(stream.expect("a connection"));
        }
    });
    let error = measure(address).expect_err("an error");
    assert!(matches!(error, Error::Lost { .. }), "{error}");
}
