//! Opening connections, many at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Error;
use crate::frame::PING;

/// The key of RFC 6455, section 1.3, and the answer it demands. No server can tell that it is always the same.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Handshakes under way at once: fewer than the backlog of any listener.
const BATCH: usize = 100;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens `count` WebSocket connections. They block, with a time-out for reading.
pub fn open(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Error> {
    let mut open = Vec::with_capacity(count);
    while open.len() < count {
        let batch = BATCH.min(count - open.len());
        let first = open.len();
        for _ in 0..batch {
            open.push(request(address)?);
        }
        for stream in &mut open[first..] {
            answer(stream)?;
        }
    }
    Ok(open)
}

fn request(address: SocketAddr) -> Result<TcpStream, Error> {
    let mut stream = TcpStream::connect(address).map_err(Error::io("connecting"))?;
    stream
        .set_nodelay(true)
        .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
        .map_err(Error::io("setting up a socket"))?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .map_err(Error::io("sending the handshake"))?;
    Ok(stream)
}

fn answer(stream: &mut TcpStream) -> Result<(), Error> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    // A server may send a ping right behind its answer.
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(&PING) {
        match stream.read(&mut piece) {
            Ok(0) => return Err(Error::Handshake("the server closed".into())),
            Ok(read) => head.extend(&piece[..read]),
            Err(error) => return Err(Error::io("reading the handshake")(error)),
        }
    }
    accepted(&String::from_utf8_lossy(&head)).map_err(Error::Handshake)
}

fn accepted(head: &str) -> Result<(), String> {
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(format!("the server answered {status:?}"));
    }
    let mut fields = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()));
    if fields
        .clone()
        .any(|(name, _)| name == "sec-websocket-extensions")
    {
        return Err("the server chose an extension that was not offered".into());
    }
    match fields.find(|(name, _)| name == "sec-websocket-accept") {
        Some((_, ACCEPT)) => Ok(()),
        Some((_, other)) => Err(format!("wrong Sec-WebSocket-Accept {other:?}")),
        None => Err("no Sec-WebSocket-Accept".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_a_right_answer() {
        let fine = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: \
                    s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(accepted(fine), Ok(()));
        assert!(accepted("HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(accepted("HTTP/1.1 101 Fine\r\n\r\n").is_err());
        assert!(accepted(&fine.replace("s3p", "S3P")).is_err());
        let deflate = "101 x\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        assert!(accepted(&fine.replace("101 Switching Protocols\r\n", deflate)).is_err());
    }
}
