//! A client without a library, for what no library would send.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::PATIENCE;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a Close frame that had this code.
    Closed(u16),
    /// Without one.
    Lost,
}

/// A request to upgrade `path`.
pub(super) fn upgrade(address: SocketAddr, path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Sends `request` and returns the status of the answer; `None` if there was no answer.
pub(super) async fn ask(stream: &mut TcpStream, request: &[u8]) -> io::Result<Option<u16>> {
    let asking = async {
        stream.write_all(request).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let head = String::from_utf8_lossy(&head);
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok(Some(status.unwrap_or(0)))
    };
    let answer = timeout(PATIENCE, asking).await;
    answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A masked frame, whose key changes nothing.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Reads until the connection has ended.
pub(super) async fn end(stream: &mut TcpStream) -> io::Result<End> {
    let reading = async {
        loop {
            let Ok(first) = stream.read_u8().await else {
                return Ok(End::Lost);
            };
            let length = match stream.read_u8().await? & 0x7f {
                126 => u64::from(stream.read_u16().await?),
                127 => stream.read_u64().await?,
                length => u64::from(length),
            };
            let mut payload = Vec::new();
            (&mut *stream)
                .take(length)
                .read_to_end(&mut payload)
                .await?;
            if first & 0x0f == 8 {
                let code = payload
                    .first_chunk()
                    .copied()
                    .map_or(1005, u16::from_be_bytes);
                return Ok(End::Closed(code));
            }
        }
    };
    let ended = timeout(PATIENCE, reading).await;
    ended.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
