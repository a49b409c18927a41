//! A transport of which something was read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A transport that gives back what was read from it before, and does not wait for ever for a peer that
/// takes nothing.
#[derive(Debug)]
pub(crate) struct Prefixed<S> {
    pub(crate) prefix: BytesMut,
    pub(crate) io: S,
    /// How long the peer may take nothing of what is to be written.
    limit: Option<Duration>,
    /// Until when it may, if it takes nothing now.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Prefixed<S> {
    pub(crate) fn new(prefix: BytesMut, io: S, limit: Option<Duration>) -> Self {
        Self {
            prefix,
            io,
            limit,
            stalled: None,
        }
    }

    /// Keeps the time while nothing of what is to be written is taken.
    fn in_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let (Poll::Pending, Some(limit)) = (&written, self.limit) else {
            self.stalled = None;
            return written;
        };
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        stalled
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let n = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix[..n]);
        self.prefix.advance(n);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.io).poll_flush(cx);
        self.in_time(cx, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.io).poll_shutdown(cx);
        self.in_time(cx, written)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_waited_for_so_long() {
        let (io, _peer) = duplex(4);
        let mut io = Prefixed::new(BytesMut::new(), io, Some(LIMIT));
        let start = Instant::now();
        let error = io.write_all(b"12345").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_waited_for() {
        let (io, mut peer) = duplex(4);
        let mut io = Prefixed::new(BytesMut::new(), io, Some(LIMIT));
        let reading = tokio::spawn(async move {
            let mut byte = [0];
            for _ in 0..8 {
                sleep(LIMIT - Duration::from_millis(1)).await;
                peer.read_exact(&mut byte).await.unwrap();
            }
            peer
        });
        io.write_all(b"123456789012").await.unwrap();
        let _peer = reading.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_is_waited_for_as_long_as_it_takes() {
        let (io, _peer) = duplex(4);
        let mut io = Prefixed::new(BytesMut::new(), io, None);
        let writing = timeout(1000 * LIMIT, io.write_all(b"12345"));
        assert!(writing.await.is_err());
    }
}
