//! What is sent in the scenarios, and the connections that send it.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Uri};
use telsiz_proto::handshake::{ClientHandshake, Reply, RequestReader, encode_response, verify};
use telsiz_proto::{Agreement, Config, Connection, Deflate, Outbox, Role};

pub(crate) const CLIENT: Role = Role::Client {
    masking_key: || [0x37, 0xfa, 0x21, 0x3d],
};

/// `len` bytes of English.
pub(crate) fn ascii(len: usize) -> String {
    repeated("The quick brown fox jumps over the lazy dog. ", len)
}

/// At most `len` bytes of Turkish, of which every sixth letter or so takes two.
pub(crate) fn turkish(len: usize) -> String {
    repeated("Pijamalı hasta yağız şoföre çabucak güvendi. ", len)
}

fn repeated(sentence: &str, len: usize) -> String {
    let mut text = String::new();
    for letter in sentence.chars().cycle() {
        if text.len() + letter.len_utf8() > len {
            break;
        }
        text.push(letter);
    }
    text
}

/// At least `len` bytes of JSON, as an application might send it.
pub(crate) fn json(len: usize) -> String {
    json_from(1, len)
}

/// The same in form, with other values for each `seed`.
pub(crate) fn json_from(seed: u32, len: usize) -> String {
    let mut records = Vec::new();
    let mut size = 2;
    let mut number = seed;
    while size < len {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, state) = (
            number >> 8,
            ["open", "paid", "sent"][(number >> 16) as usize % 3],
        );
        let record = format!(
            r#"{{"id":{id},"state":"{state}","amount":{}.{:02},"city":"İzmir"}}"#,
            number >> 20,
            number >> 25,
        );
        size += record.len() + 1;
        records.push(record);
    }
    format!("[{}]", records.join(","))
}

/// A connection with the default settings.
pub(crate) fn connection(role: Role) -> Connection {
    Connection::new(role, Arc::new(Config::default()), Instant::now())
}

/// A connection that agreed on `deflate` with its peer.
pub(crate) fn compressing(role: Role, deflate: &Deflate) -> Connection {
    let mut config = Config::default();
    config.deflate = Some(deflate.clone());
    let mut connection = Connection::new(role, Arc::new(config), Instant::now());
    connection.set_deflate(agree(deflate));
    connection
}

/// What two peers with the same settings agree on.
fn agree(deflate: &Deflate) -> Agreement {
    let mut client = client_handshake(Some(deflate));
    let answer = answer(client.transmit(), Some(deflate));
    match client.handle_input(&mut BytesMut::from(&answer[..])) {
        Ok(Some(Reply::Accepted { deflate, .. })) => deflate.expect("both compress"),
        reply => panic!("{reply:?}"),
    }
}

/// The handshake of a client before its request has gone out.
pub(crate) fn client_handshake(deflate: Option<&Deflate>) -> ClientHandshake {
    let uri = Uri::from_static("ws://example.com/echo");
    ClientHandshake::new(&uri, &HeaderMap::new(), vec![], deflate.cloned(), [7; 16])
        .expect("a correct request")
}

/// What a server answers to the upgrade request in `bytes`.
pub(crate) fn answer(bytes: &[u8], deflate: Option<&Deflate>) -> Bytes {
    let request = RequestReader::default().handle_input(bytes);
    let (request, _) = request.expect("a correct head").expect("a whole head");
    let opening = verify(&request).expect("a correct upgrade");
    let (response, _) = opening.accept(None, deflate);
    encode_response(&response.map(|()| Bytes::new()))
}

/// Says that all of `out` was written; how much that was.
pub(crate) fn write(out: &mut Outbox) -> usize {
    let len = out.len();
    out.advance(len);
    len
}
