//! What all connections of a thread share while they work: a buffer to read
//! into and an outbox to encode into. An idle connection holds neither.
//!
//! Both are taken out of their cell and put back within one poll, so that no
//! future holds on to them across an `.await`.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, mem};

use bytes::BytesMut;
use telsiz_proto::Outbox;
use tokio::io::AsyncRead;
use tokio_util::io::poll_read_buf;

/// How much is read at once.
const READ: usize = 64 * 1024;

/// While pieces of the read buffer are held by someone, the room behind them
/// is used as long as it has this many bytes.
const READ_AT_LEAST: usize = 16 * 1024;

/// What waits for a slow peer and is smaller than this is not left in the read buffer,
/// of which it would keep more than four times its size.
pub(crate) const PIECE: usize = READ / 4;

/// An outbox with more memory than this is not kept.
const OUTBOX: usize = 256 * 1024;

/// A large message leaves its memory to the next one if it is at least and at
/// most so large.
const MEMORY: (usize, usize) = (64 * 1024, 2 * 1024 * 1024);

thread_local! {
    static READ_BUFFER: Cell<Option<BytesMut>> = const { Cell::new(None) };
    static SPARE_OUTBOX: Cell<Option<Box<Outbox>>> = const { Cell::new(None) };
    static SPARE_MEMORY: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Reads what there is; empty at the end of the transport. What comes is in the
/// read buffer itself: [`share_buffer`], [`keep_rest`] or [`give_buffer`] follows.
pub(crate) fn poll_read<S>(io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<BytesMut>>
where
    S: AsyncRead + Unpin,
{
    let mut buffer = READ_BUFFER.take().unwrap_or_default();
    if !buffer.try_reclaim(READ) && buffer.capacity() < READ_AT_LEAST {
        buffer = BytesMut::with_capacity(READ);
    }
    match poll_read_buf(Pin::new(io), cx, &mut buffer) {
        Poll::Ready(Ok(_)) => Poll::Ready(Ok(buffer)),
        Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        Poll::Pending => {
            READ_BUFFER.set(Some(buffer));
            Poll::Pending
        }
    }
}

/// Leaves what was read in `batch`, to be kept for a while; what is behind it is
/// read into.
pub(crate) fn share_buffer(batch: &mut BytesMut) {
    // There is none if all of it went into a large message.
    if !batch.is_empty() {
        let read = batch.split();
        READ_BUFFER.set(Some(mem::replace(batch, read)));
    }
}

/// Leaves what is in `batch` there, to be kept until the transport takes bytes
/// again, in no more memory than it needs.
pub(crate) fn keep_rest(batch: &mut BytesMut) {
    if batch.capacity() > 2 * batch.len() {
        let rest = BytesMut::from(&batch[..]);
        give_buffer(&mut mem::replace(batch, rest));
    }
}

/// Gives a batch back that was used up, and with it the read buffer.
pub(crate) fn give_buffer(batch: &mut BytesMut) {
    let mut buffer = mem::take(batch);
    if buffer.capacity() >= READ_AT_LEAST {
        buffer.clear();
        READ_BUFFER.set(Some(buffer));
    }
}

/// An empty outbox.
pub(crate) fn take_outbox() -> Box<Outbox> {
    SPARE_OUTBOX.take().unwrap_or_default()
}

/// Memory that a large message left on this thread.
pub(crate) fn take_memory() -> Option<BytesMut> {
    SPARE_MEMORY.take()
}

/// Gives an empty outbox back.
pub(crate) fn give_outbox(mut outbox: Box<Outbox>) {
    if let Some(mut memory) = outbox.take_spare()
        && memory.try_reclaim(MEMORY.0)
        && memory.capacity() <= MEMORY.1
    {
        SPARE_MEMORY.set(Some(memory));
    }
    if outbox.is_empty() && outbox.capacity() <= OUTBOX {
        SPARE_OUTBOX.set(Some(outbox));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: &[u8]) -> BytesMut {
        let mut batch = BytesMut::with_capacity(READ);
        batch.extend_from_slice(bytes);
        batch
    }

    /// The room in the read buffer of this thread.
    fn room() -> usize {
        let buffer = READ_BUFFER.take();
        let room = buffer.as_ref().map_or(0, BytesMut::capacity);
        READ_BUFFER.set(buffer);
        room
    }

    #[test]
    fn a_read_that_brought_nothing_here_leaves_the_read_buffer_alone() {
        give_buffer(&mut batch(b"used up"));
        share_buffer(&mut BytesMut::new());
        give_buffer(&mut BytesMut::new());
        assert_eq!(room(), READ);
    }

    #[test]
    fn what_is_shared_leaves_the_room_behind_it() {
        let mut batch = batch(b"shared");
        share_buffer(&mut batch);
        assert_eq!(batch, "shared");
        assert_eq!(room(), READ - batch.len());
    }

    #[test]
    fn what_is_kept_leaves_the_read_buffer() {
        let mut batch = batch(b"kept");
        keep_rest(&mut batch);
        assert_eq!((&batch[..], batch.capacity() < 100), (&b"kept"[..], true));
        assert_eq!(room(), READ);
    }
}
