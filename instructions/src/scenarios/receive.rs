//! Bytes to messages: parsing, unmasking, checking text.

use bytes::{BufMut, BytesMut};
use telsiz_proto::{Connection, Event, Input, Role};

use crate::counter::count;
use crate::frame::{CONTINUATION, Frame, TEXT};
use crate::wire::{CLIENT, ascii, connection, turkish};

/// How many small messages one read brings.
const BATCH: usize = 64;

fn small() -> Vec<u8> {
    Frame::text(&ascii(128)).bytes(true).repeat(BATCH)
}

/// Polls until nothing comes; how many messages there were.
fn messages(connection: &mut Connection, read: &mut [u8]) -> usize {
    let mut input = Input::new(read);
    let mut seen = 0;
    while let Ok(Some(event)) = connection.poll(&mut input) {
        seen += usize::from(matches!(event, Event::Message(_)));
    }
    seen
}

/// As `run` takes messages that came whole.
pub(super) fn lent() -> usize {
    let read = small();
    let mut connection = connection(Role::Server);
    count(
        BATCH,
        || read.clone(),
        |read| {
            let mut input = Input::new(read);
            let mut seen = 0;
            while let Ok(Some(message)) = connection.poll_whole(&mut input) {
                seen += message.as_bytes().len() / 128;
            }
            seen
        },
    )
}

/// As `recv` takes messages that came whole.
pub(super) fn owned() -> usize {
    let read = small();
    let mut connection = connection(Role::Server);
    count(
        BATCH,
        || BytesMut::from(&read[..]),
        |read| {
            let mut seen = 0;
            while let Ok(Some(message)) = connection.poll_whole(read) {
                seen += message.into_message().len() / 128;
            }
            seen
        },
    )
}

/// Every message spans two reads or three.
pub(super) fn gathered() -> usize {
    in_parts(BATCH, &small(), 100)
}

/// A message of 16 frames that come with one read.
pub(super) fn fragments() -> usize {
    let fragment = ascii(1024);
    let more = Frame::new(CONTINUATION, &fragment).more();
    let mut read = Frame::text(&fragment).more().bytes(true);
    read.extend(more.bytes(true).repeat(14));
    read.extend(Frame::new(CONTINUATION, &fragment).bytes(true));
    once(Role::Server, &read)
}

/// A large message that the transport writes straight into.
pub(super) fn space() -> usize {
    let frame = Frame::binary([b'x'; 256 * 1024]).bytes(true);
    let mut connection = connection(Role::Server);
    count(
        1,
        || frame.clone(),
        |frame| {
            let (first, mut rest) = frame.split_at_mut(16 * 1024);
            let mut seen = messages(&mut connection, first);
            while let Some(mut space) = connection.space(|| None) {
                let (part, after) = rest.split_at_mut(space.remaining_mut().min(rest.len()));
                space.put_slice(part);
                rest = after;
                seen += messages(&mut connection, &mut []);
            }
            seen + messages(&mut connection, rest)
        },
    )
}

pub(super) fn unmask() -> usize {
    let frame = Frame::binary(ascii(16 * 1024));
    once(Role::Server, &frame.bytes(true))
}

// To see whether text is ASCII belongs to unmasking. What comes to a client is not masked.

pub(super) fn ascii_text() -> usize {
    once(CLIENT, &Frame::text(&ascii(16 * 1024)).bytes(false))
}

pub(super) fn turkish_text() -> usize {
    once(CLIENT, &Frame::text(&turkish(16 * 1024)).bytes(false))
}

pub(super) fn short_turkish_text() -> usize {
    once(CLIENT, &Frame::text(&turkish(50)).bytes(false))
}

/// Fragments and reads end in the middle of letters.
pub(super) fn cut_turkish_text() -> usize {
    let text = turkish(16 * 1024);
    let mut parts = text.as_bytes().chunks(1001).peekable();
    let mut frames = Vec::new();
    let mut opcode = TEXT;
    while let Some(part) = parts.next() {
        let fin = parts.peek().is_none();
        let frame = Frame::new(opcode, part);
        frames.extend(Frame { fin, ..frame }.bytes(true));
        opcode = CONTINUATION;
    }
    in_parts(1, &frames, 707)
}

/// So many messages, with reads of at most `size` bytes.
fn in_parts(operations: usize, read: &[u8], size: usize) -> usize {
    let mut connection = connection(Role::Server);
    count(
        operations,
        || read.to_vec(),
        |read| {
            let parts = read.chunks_mut(size);
            parts.map(|part| messages(&mut connection, part)).sum()
        },
    )
}

/// One message, with one read.
fn once(role: Role, read: &[u8]) -> usize {
    let mut connection = connection(role);
    count(1, || read.to_vec(), |read| messages(&mut connection, read))
}
