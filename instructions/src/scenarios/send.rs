//! Messages to bytes: encoding, masking, one message to many connections.

use telsiz_proto::{Connection, Deflate, Input, Message, Outbox, Prepared, Role};

use crate::counter::count;
use crate::frame::Frame;
use crate::wire::{CLIENT, ascii, compressing, connection, json, write};

/// How many small messages go out with one write.
const BATCH: usize = 64;

/// How many connections hear a message that is prepared.
const AUDIENCE: usize = 1000;

/// What `run` does for an echo: received where it lies, copied out.
pub(super) fn echo() -> usize {
    let read = Frame::text(&ascii(128)).bytes(true).repeat(BATCH);
    let mut connection = connection(Role::Server);
    let mut out = Outbox::default();
    count(
        BATCH,
        || read.clone(),
        |read| {
            let mut input = Input::new(read);
            while let Ok(Some(message)) = connection.poll_whole(&mut input) {
                let _ = connection.forward(&message, &mut out);
            }
            write(&mut out) / (4 + 128)
        },
    )
}

/// Text that the caller keeps.
pub(super) fn copied() -> usize {
    borrowed(Role::Server, 4 + 128)
}

pub(super) fn masked_copied() -> usize {
    borrowed(CLIENT, 8 + 128)
}

/// A message that the caller gives away, and whose bytes somebody else holds too.
pub(super) fn owned() -> usize {
    shared(Role::Server, 4 + 128)
}

pub(super) fn masked_owned() -> usize {
    shared(CLIENT, 8 + 128)
}

fn shared(role: Role, frame: usize) -> usize {
    let message = Message::text(ascii(128));
    let mut connection = connection(role);
    let mut out = Outbox::default();
    count(
        BATCH,
        || vec![message.clone(); BATCH],
        |messages| {
            for message in messages.drain(..) {
                let _ = connection.send(message, &mut out);
            }
            write(&mut out) / frame
        },
    )
}

fn borrowed(role: Role, frame: usize) -> usize {
    let text = ascii(128);
    let mut connection = connection(role);
    let mut out = Outbox::default();
    count(
        BATCH,
        || (),
        |()| {
            for _ in 0..BATCH {
                let _ = connection.send_text(&text, &mut out);
            }
            write(&mut out) / frame
        },
    )
}

pub(super) fn referenced() -> usize {
    large(Role::Server)
}

/// Nobody else holds the payload: it is masked where it lies.
pub(super) fn masked_in_place() -> usize {
    large(CLIENT)
}

fn large(role: Role) -> usize {
    let payload = ascii(16 * 1024);
    let mut connection = connection(role);
    let mut out = Outbox::default();
    count(
        1,
        || Some(Message::text(payload.clone())),
        |message| {
            if let Some(message) = message.take() {
                let _ = connection.send(message, &mut out);
            }
            write(&mut out) / payload.len()
        },
    )
}

pub(super) fn prepared() -> usize {
    to_all(&json(500), connections(|| connection(Role::Server)), 500)
}

pub(super) fn prepared_large() -> usize {
    let text = json(16 * 1024);
    to_all(&text, connections(|| connection(Role::Server)), text.len())
}

/// Compressed once, for all.
pub(super) fn prepared_deflate() -> usize {
    let deflate = Deflate::default();
    let all = connections(|| compressing(Role::Server, &deflate));
    to_all(&json(16 * 1024), all, 1000)
}

fn connections(open: impl FnMut() -> Connection) -> Vec<Connection> {
    std::iter::repeat_with(open).take(AUDIENCE).collect()
}

/// Prepares `text` and sends it to all; each gets `at_least` bytes.
fn to_all(text: &str, mut all: Vec<Connection>, at_least: usize) -> usize {
    let mut out = Outbox::default();
    count(
        1,
        || (),
        |()| {
            let prepared = Prepared::new(text);
            let mut heard = 0;
            for connection in &mut all {
                let _ = connection.send(&prepared, &mut out);
                heard += usize::from(write(&mut out) >= at_least);
            }
            heard / AUDIENCE
        },
    )
}
