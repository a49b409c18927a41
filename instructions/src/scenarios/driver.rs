//! The driver on tokio: an echo on a transport in memory, from its wake-up until it sleeps again.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use telsiz::{Error, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::counter::count;
use crate::frame::Frame;
use crate::wire::{answer, ascii};

/// How many messages one wake-up brings.
const BATCH: usize = 16;

/// The bytes in both directions of a transport.
#[derive(Default)]
struct Bytes {
    to_read: Vec<u8>,
    written: Vec<u8>,
}

/// A transport whose other end is this program.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Bytes>>);

impl Memory {
    fn with<T>(&self, look: impl FnOnce(&mut Bytes) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.with(|bytes| match bytes.to_read.is_empty() {
            true => Poll::Pending,
            false => {
                buffer.put_slice(&bytes.to_read);
                bytes.to_read.clear();
                Poll::Ready(Ok(()))
            }
        })
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        written: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|bytes| bytes.written.extend_from_slice(written));
        Poll::Ready(Ok(written.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

pub(super) fn run() -> usize {
    echoed(async |ws| ws.run(|message, replies| replies.echo(message)).await)
}

pub(super) fn recv() -> usize {
    echoed(async |ws| {
        while let Some(message) = ws.recv().await? {
            ws.feed(message).await?;
        }
        Ok(())
    })
}

fn echoed(echo: impl AsyncFnOnce(&mut WebSocket<Memory>) -> Result<(), Error>) -> usize {
    // For the timers; nothing is spawned while it counts.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let memory = Memory::default();
    let mut ws = open(&memory);
    let read = Frame::text(&ascii(128)).bytes(false).repeat(BATCH);
    let mut task = pin!(echo(&mut ws));
    let cx = &mut Context::from_waker(Waker::noop());
    count(
        BATCH,
        || memory.with(|bytes| bytes.to_read.extend_from_slice(&read)),
        |()| {
            let polled = task.as_mut().poll(cx);
            assert!(polled.is_pending(), "{polled:?}");
            memory.with(|bytes| {
                let len = bytes.written.len();
                bytes.written.clear();
                len / (8 + 128)
            })
        },
    )
}

/// A client whose request was answered. A server's driver is the same from there on, but for the masks.
fn open(memory: &Memory) -> WebSocket<Memory> {
    let cx = &mut Context::from_waker(Waker::noop());
    let mut opening = pin!(telsiz::connect("ws://example.com/").over(memory.clone()));
    assert!(opening.as_mut().poll(cx).is_pending());
    memory.with(|bytes| {
        bytes
            .to_read
            .extend_from_slice(&answer(&bytes.written, None));
        bytes.written.clear();
    });
    match opening.poll(cx) {
        Poll::Ready(Ok(ws)) => ws,
        _ => panic!("the connection is not open"),
    }
}
