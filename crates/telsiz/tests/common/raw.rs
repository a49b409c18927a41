//! A peer made by hand, on any byte stream and for either role.

use bytes::Bytes;
use telsiz_proto::handshake::{RequestReader, encode_response, verify};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::frame::{CLOSE, Frame, PING, PONG};
use super::server::Running;

/// The request of RFC 6455, section 1.3, for `path` and with more header lines.
pub(crate) fn request(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// A header line with its name in lower case.
fn lower_name(line: &str) -> String {
    match line.split_once(':') {
        Some((name, value)) => format!("{}:{value}", name.to_ascii_lowercase()),
        None => line.to_owned(),
    }
}

/// One end of a WebSocket that does nothing by itself.
pub(crate) struct Raw<S> {
    pub(crate) io: S,
    /// Whether this end is the client, whose frames are masked.
    is_client: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Accepts our client.
    pub(crate) async fn accept(io: S) -> Self {
        Self::accept_with(io, b"").await
    }

    /// Accepts our client, with more bytes in the same write as the answer.
    pub(crate) async fn accept_with(mut io: S, behind: &[u8]) -> Self {
        let mut reader = RequestReader::default();
        let mut head = Vec::new();
        let request = loop {
            head.push(io.read_u8().await.expect("a request"));
            if let Some((request, _)) = reader.handle_input(&head).expect("an HTTP request") {
                break request;
            }
        };
        let opening = verify(&request).expect("a correct upgrade");
        let (response, _) = opening.accept(None, None);
        let response = response.map(|()| Bytes::new());
        let answer = [&encode_response(&response)[..], behind].concat();
        io.write_all(&answer).await.expect("the client reads");
        Self {
            io,
            is_client: false,
        }
    }

    /// Opens a connection to our server, with more bytes in the same write as
    /// the request.
    pub(crate) async fn open_with(mut io: S, path: &str, behind: &[u8]) -> Self {
        let request = [request(path, "").as_bytes(), behind].concat();
        io.write_all(&request).await.expect("the server reads");
        let head = super::http::read_head(&mut io).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let accept = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
        let found = head.lines().any(|line| lower_name(line) == accept);
        assert!(found, "{head}");
        Self {
            io,
            is_client: true,
        }
    }

    /// The bytes of `frame` as this end sends it.
    pub(crate) fn encode(&self, frame: &Frame) -> Vec<u8> {
        frame.bytes(self.is_client)
    }

    pub(crate) async fn send(&mut self, frame: Frame) {
        let bytes = self.encode(&frame);
        self.io.write_all(&bytes).await.expect("the peer reads");
    }

    /// Sends a Close frame and, as a server does, ends its direction behind it.
    pub(crate) async fn say_goodbye(&mut self, code: u16, reason: &str) {
        self.send(Frame::close(code, reason)).await;
        self.end().await;
    }

    /// Ends this direction of the transport.
    pub(crate) async fn end(&mut self) {
        self.io.shutdown().await.expect("an open transport");
    }

    /// The next frame, whatever it is; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        Frame::read(&mut self.io, !self.is_client).await
    }

    /// The next frame; there has to be one.
    #[track_caller]
    pub(crate) fn frame(&mut self) -> impl Future<Output = Frame> {
        let caller = std::panic::Location::caller();
        async move {
            match self.next().await {
                Some(frame) => frame,
                None => panic!("the end came instead of a frame: {caller}"),
            }
        }
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            frames.push(frame);
        }
        frames
    }

    /// Answers pings and a Close as a good peer does; everything else that came.
    pub(crate) async fn behave(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next().await {
            match frame.opcode {
                PING => self.send(Frame::new(PONG, frame.payload)).await,
                CLOSE => {
                    self.send(frame.clone()).await;
                    frames.push(frame);
                    if !self.is_client {
                        self.end().await;
                    }
                }
                _ => frames.push(frame),
            }
        }
        frames
    }
}

impl Raw<TcpStream> {
    /// Opens a connection to our server.
    pub(crate) async fn open(server: &Running, path: &str) -> Self {
        Self::open_with(server.tcp().await, path, b"").await
    }
}
