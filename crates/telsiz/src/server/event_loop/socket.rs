//! A TCP connection whose readiness an event loop knows.

use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use mio::unix::SourceFd;
use mio::{Interest, Token};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use super::handle::{Shared, over};
use super::place::{Place, READ, WRITE};

/// So many pieces every system takes in one write; what is behind them, it may have left.
const SLICES: usize = 16;

/// A TCP connection of an event loop. It may be used anywhere, but only the task of
/// its place is polled without detours.
pub(crate) struct Socket {
    tcp: TcpStream,
    /// The directions in which it is ready, as far as is known.
    ready: u32,
    place: Arc<Place>,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, place: &Arc<Place>) -> Self {
        Self {
            tcp,
            ready: READ | WRITE,
            place: place.clone(),
        }
    }

    fn poll_ready(&mut self, direction: u32, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.ready & direction == 0 {
            self.place.note_socket(self);
            ready!(self.place.poll_ready(direction, cx));
            if self.place.is_over() {
                return Poll::Ready(Err(over()));
            }
            self.ready |= direction;
        }
        Poll::Ready(Ok(()))
    }

    /// What was not taken has to wait until it is reported that more will be.
    fn note_written(&mut self, written: usize, len: usize) {
        if 0 < written && written < len {
            self.ready &= !WRITE;
        }
    }

    /// Does what may have to wait.
    fn poll_io<T>(
        &mut self,
        direction: u32,
        cx: &mut Context<'_>,
        mut act: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        // A task that never has to wait must let others have their turn.
        let coop = ready!(coop::poll_proceed(cx));
        loop {
            ready!(self.poll_ready(direction, cx))?;
            match act(self) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready &= !direction;
                    self.place.forget_end(direction);
                }
                done => {
                    coop.made_progress();
                    return Poll::Ready(done);
                }
            }
        }
    }
}

impl Deref for Socket {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.tcp
    }
}

impl Shared {
    pub(super) fn register(&self, socket: &Socket, index: u32) -> io::Result<()> {
        self.registry.register(
            &mut SourceFd(&socket.tcp.as_raw_fd()),
            Token(index as usize),
            Interest::READABLE | Interest::WRITABLE,
        )
    }
}

/// Closing takes it out of what the kernel reports.
impl Drop for Socket {
    fn drop(&mut self) {
        self.place.leave();
    }
}

impl AsyncRead for Socket {
    #[inline]
    #[expect(unsafe_code, reason = "memory that need not be zeroed for every read")]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        let read = ready!(self.poll_io(READ, cx, |socket| {
            // SAFETY: `recv` only writes to it.
            let unfilled = unsafe { buffer.unfilled_mut() };
            SockRef::from(&socket.tcp).recv(unfilled)
        }))?;
        // SAFETY: so many bytes were written by `recv`.
        unsafe { buffer.assume_init(read) };
        buffer.advance(read);
        // There was no more: what comes next is reported. The end of it was, or will be.
        if 0 < read && read < room && self.place.is_drained() {
            self.ready &= !READ;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(self.poll_io(WRITE, cx, |socket| socket.tcp.write(bytes)))?;
        self.note_written(written, bytes.len());
        Poll::Ready(Ok(written))
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = slices.iter().take(SLICES);
        let len = offered.map(|slice| slice.len()).sum();
        let act = |socket: &mut Self| socket.tcp.write_vectored(slices);
        let written = ready!(self.poll_io(WRITE, cx, act))?;
        self.note_written(written, len);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self.tcp.shutdown(Shutdown::Write) {
            // It is gone: as ended as it can be.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            done => done,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::super::tests::{pair, soon, start, task};
    use super::*;

    #[tokio::test]
    async fn more_pieces_than_one_call_takes_are_written() {
        const PIECES: usize = 3000;
        let handle = start();
        let (server, mut client) = pair();
        let (tell, told) = oneshot::channel();
        let serving = handle.serve(server, |mut socket| {
            task(async move {
                let mut written = 0;
                while written < PIECES {
                    let left = vec![IoSlice::new(b"!"); PIECES - written];
                    written += socket.write_vectored(&left).await.unwrap();
                }
                tell.send(()).unwrap();
            })
        });
        serving.unwrap();
        soon(told).await.unwrap();
        client.read_exact(&mut [0; PIECES]).unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_can_be_shut_down() {
        let handle = start();
        let (server, client) = pair();
        SockRef::from(&client)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
        drop(client);
        let (tell, told) = oneshot::channel();
        let serving = handle.serve(server, |mut socket| {
            task(async move {
                assert!(socket.read_u8().await.is_err());
                tell.send(socket.shutdown().await).unwrap();
            })
        });
        serving.unwrap();
        soon(told).await.unwrap().unwrap();
    }
}
