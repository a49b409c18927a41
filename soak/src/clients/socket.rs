//! A TCP connection that can vanish under a WebSocket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// The bytes that the kernel keeps for a client that will stop reading.
const SMALL: u32 = 64 * 1024;

/// A connection that [`Cut`] ends.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    cut: Cut,
}

/// Ends a connection without a Close frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicU8>);

const FIN: u8 = 1;
const RESET: u8 = 2;

impl Cut {
    /// Nothing more is written or read; when the connection is dropped, the peer sees its end, or a reset.
    pub(crate) fn now(&self, reset: bool) {
        self.0
            .store(if reset { RESET } else { FIN }, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

impl Socket {
    pub(crate) async fn connect(
        address: SocketAddr,
        reads_slowly: bool,
    ) -> io::Result<(Self, Cut)> {
        let socket = TcpSocket::new_v4()?;
        if reads_slowly {
            socket.set_recv_buffer_size(SMALL)?;
        }
        let tcp = socket.connect(address).await?;
        tcp.set_nodelay(true)?;
        let cut = Cut::default();
        let socket = Self {
            tcp,
            cut: cut.clone(),
        };
        Ok((socket, cut))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.cut.0.load(Ordering::Relaxed) == RESET {
            // Otherwise it ends as the others do.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
