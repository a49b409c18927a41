//! Servers for one connection.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod room;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

pub(crate) const ACCEPTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Reads the request, gives the answer, then does as told.
pub(crate) fn server(
    answer: &'static [u8],
    then: impl FnOnce(TcpStream) + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        read_request(&stream);
        stream.write_all(answer).expect("an answer");
        then(stream);
    });
    address
}

/// Reads up to the end of the head.
pub(crate) fn read_request(stream: impl std::io::Read) {
    let mut request = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        request.read_line(&mut line).expect("a request");
    }
}
