//! A TCP connection, whoever waits for it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

#[cfg(unix)]
use crate::server::Socket;

/// A TCP connection.
pub(crate) enum Tcp {
    /// The runtime waits for it.
    Tokio(TcpStream),
    /// The event loop of a worker does.
    #[cfg(unix)]
    EventLoop(Socket),
}

/// Does the same with either.
macro_rules! either {
    ($tcp:expr, $io:ident => $act:expr) => {
        match $tcp {
            Tcp::Tokio($io) => $act,
            #[cfg(unix)]
            Tcp::EventLoop($io) => $act,
        }
    };
}

impl Tcp {
    pub(crate) fn set_nodelay(&self, is_on: bool) -> io::Result<()> {
        either!(self, io => io.set_nodelay(is_on))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        either!(self, io => io.local_addr())
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        either!(self, io => io.peer_addr())
    }
}

impl AsyncRead for Tcp {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Tcp {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write(cx, bytes))
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), io => Pin::new(io).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), io => Pin::new(io).poll_shutdown(cx))
    }
}
