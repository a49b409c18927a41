//! A transport that takes and gives as many bytes as it is told to, and remembers whom to wake.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Our end of the transport.
pub(crate) struct Wire(Shared);

/// The other end, which also says what the transport does.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<State>>);

/// What is on the way, and what the transport lets through.
#[derive(Default)]
pub(crate) struct State {
    /// What we may read, and how much of it just now.
    pub(crate) incoming: VecDeque<u8>,
    pub(crate) readable: usize,
    /// What we wrote, and how much more just now.
    pub(crate) outgoing: Vec<u8>,
    pub(crate) writable: usize,
    /// Whether nothing comes after `incoming`.
    pub(crate) ended: bool,
    /// Whether we ended our direction.
    pub(crate) shut_down: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Wire {
    pub(crate) fn new() -> (Self, Shared) {
        let shared = Shared(Arc::default());
        (Self(shared.clone()), shared)
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panicked before")
    }

    /// Whether our end is gone.
    pub(crate) fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Lets so many more bytes through each way, and wakes who waits for that.
    pub(crate) fn let_through(&self, read: usize, write: usize) {
        let mut state = self.lock();
        state.readable = state.readable.saturating_add(read);
        state.writable = state.writable.saturating_add(write);
        let can_read = !state.incoming.is_empty() && state.readable > 0 || state.ended;
        let reader = state.reader.take_if(|_| can_read);
        let can_write = state.writable > 0;
        let writer = state.writer.take_if(|_| can_write);
        drop(state);
        reader.into_iter().chain(writer).for_each(Waker::wake);
    }
}

impl State {
    /// Takes from several slices, as `writev` does.
    fn write(&mut self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        assert!(!self.shut_down, "a write behind the end");
        if self.writable == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let mut taken = 0;
        for slice in slices {
            let n = slice.len().min(self.writable);
            self.outgoing.extend_from_slice(&slice[..n]);
            self.writable -= n;
            taken += n;
        }
        Poll::Ready(Ok(taken))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock();
        let n = state
            .incoming
            .len()
            .min(state.readable)
            .min(buffer.remaining());
        if n == 0 && !(state.incoming.is_empty() && state.ended) {
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.readable -= n;
        let bytes: Vec<_> = state.incoming.drain(..n).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().shut_down = true;
        Poll::Ready(Ok(()))
    }
}
