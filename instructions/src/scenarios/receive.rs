//! Bytes to messages: parsing, unmasking, checking text.

use bytes::{BufMut, BytesMut};
use telsiz_proto::{Connection, Event, Input, Role};

use crate::counter::count;
use crate::wire::{
    BINARY, CLIENT, CONTINUATION, FIN, TEXT, ascii, connection, masked, turkish, unmasked,
};

/// How many small messages one read brings.
const BATCH: usize = 64;

fn small() -> Vec<u8> {
    masked(FIN | TEXT, ascii(128).as_bytes()).repeat(BATCH)
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
    let read = small();
    let mut connection = connection(Role::Server);
    count(
        BATCH,
        || read.clone(),
        |read| {
            let parts = read.chunks_mut(100);
            parts.map(|part| messages(&mut connection, part)).sum()
        },
    )
}

/// A message of 16 frames that come with one read.
pub(super) fn fragments() -> usize {
    let fragment = ascii(1024);
    let mut read = masked(TEXT, fragment.as_bytes());
    read.extend(masked(CONTINUATION, fragment.as_bytes()).repeat(14));
    read.extend(masked(FIN | CONTINUATION, fragment.as_bytes()));
    once(Role::Server, &read)
}

/// A large message that the transport writes straight into.
pub(super) fn space() -> usize {
    let frame = masked(FIN | BINARY, &[b'x'; 256 * 1024]);
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
    once(
        Role::Server,
        &masked(FIN | BINARY, ascii(16 * 1024).as_bytes()),
    )
}

// To see whether text is ASCII belongs to unmasking. What comes to a client is not masked.

pub(super) fn ascii_text() -> usize {
    once(CLIENT, &unmasked(FIN | TEXT, ascii(16 * 1024).as_bytes()))
}

pub(super) fn turkish_text() -> usize {
    once(CLIENT, &unmasked(FIN | TEXT, turkish(16 * 1024).as_bytes()))
}

pub(super) fn short_turkish_text() -> usize {
    once(CLIENT, &unmasked(FIN | TEXT, turkish(50).as_bytes()))
}

/// Fragments and reads end in the middle of letters.
pub(super) fn cut_turkish_text() -> usize {
    let text = turkish(16 * 1024);
    let mut parts = text.as_bytes().chunks(1001).peekable();
    let mut frames = Vec::new();
    let mut opcode = TEXT;
    while let Some(part) = parts.next() {
        let fin = if parts.peek().is_none() { FIN } else { 0 };
        frames.extend(masked(fin | opcode, part));
        opcode = CONTINUATION;
    }
    let mut connection = connection(Role::Server);
    count(
        1,
        || frames.clone(),
        |frames| {
            let parts = frames.chunks_mut(707);
            parts.map(|part| messages(&mut connection, part)).sum()
        },
    )
}

/// One message, with one read.
fn once(role: Role, read: &[u8]) -> usize {
    let mut connection = connection(role);
    count(1, || read.to_vec(), |read| messages(&mut connection, read))
}
