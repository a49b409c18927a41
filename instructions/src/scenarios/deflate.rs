//! Compressing and decompressing messages.

use std::io::IoSlice;

use telsiz_proto::{Connection, Deflate, Event, Input, Message, Outbox, Role};

use crate::counter::count;
use crate::wire::{CLIENT, compressing, json_from, write};

fn with_takeover() -> Deflate {
    let mut deflate = Deflate::default();
    deflate.server_takeover = true;
    deflate.client_takeover = true;
    deflate
}

pub(super) fn small() -> usize {
    deflate(1024, &Deflate::default())
}

pub(super) fn large() -> usize {
    deflate(16 * 1024, &Deflate::default())
}

pub(super) fn takeover() -> usize {
    deflate(1024, &with_takeover())
}

pub(super) fn inflate_small() -> usize {
    inflate(1024, &Deflate::default())
}

pub(super) fn inflate_large() -> usize {
    inflate(16 * 1024, &Deflate::default())
}

pub(super) fn inflate_takeover() -> usize {
    inflate(1024, &with_takeover())
}

fn deflate(len: usize, settings: &Deflate) -> usize {
    let mut texts = texts(len);
    let mut connection = compressing(Role::Server, settings);
    let mut out = Outbox::default();
    count(
        1,
        || texts.next().unwrap_or_default(),
        |text| {
            let _ = connection.send_text(text, &mut out);
            usize::from((1..len / 2).contains(&write(&mut out)))
        },
    )
}

fn inflate(len: usize, settings: &Deflate) -> usize {
    let mut texts = texts(len);
    let mut client = compressing(CLIENT, settings);
    let mut server = compressing(Role::Server, settings);
    count(
        1,
        || sent(&mut client, texts.next().unwrap_or_default()),
        |frame| match server.poll(&mut Input::new(frame)) {
            Ok(Some(Event::Message(message))) => message.as_bytes().len() / len,
            _ => 0,
        },
    )
}

/// Texts that are alike but not the same: with takeover, the second of the same would be next to nothing.
fn texts(len: usize) -> impl Iterator<Item = String> {
    (1..).map(move |seed| json_from(seed, len))
}

/// The frame in which `text` goes out.
fn sent(connection: &mut Connection, text: String) -> Vec<u8> {
    let len = text.len();
    let mut out = Outbox::default();
    let _ = connection.send(Message::text(text), &mut out);
    let mut frame = Vec::new();
    let mut slices = [IoSlice::new(&[]); 4];
    for slice in out.slices(&[], &mut slices) {
        frame.extend_from_slice(slice);
    }
    assert!(frame.len() < len / 2, "it is compressed");
    frame
}
