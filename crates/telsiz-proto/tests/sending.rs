//! Messages to frames: every way of sending says the same on the wire, and a
//! refused call says nothing.

mod common;

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use telsiz_proto::{
    CloseCode, Config, Connection, Event, Incoming, Input, Kind, Message, Outbox, Piece, Prepared,
    SendError,
};

use common::frame::{BINARY, CONTINUATION, Frame, TEXT};
use common::{End, Pair, Seen, Side, drain, noise};

/// Around every border of the length forms and of copying.
const LENS: [usize; 15] = [
    0, 1, 124, 125, 126, 127, 2047, 2048, 2049, 8192, 65_534, 65_535, 65_536, 65_537, 300_000,
];

fn plain(bytes: &[u8]) -> Vec<Frame> {
    let frames = Frame::read_all(bytes).into_iter();
    frames.map(Frame::plain).collect()
}

fn messages() -> impl Iterator<Item = Message> {
    LENS.into_iter().flat_map(|len| {
        [
            Message::binary(noise(len, len as u64)),
            Message::text("ş".repeat(len / 2) + &"x".repeat(len % 2)),
        ]
    })
}

#[test]
fn a_message_is_one_frame_with_the_shortest_length() {
    for side in Side::BOTH {
        for message in messages() {
            let opcode = match message.kind() {
                Kind::Text => TEXT,
                Kind::Binary => BINARY,
            };
            let expected = [Frame::new(opcode, message.as_bytes())];
            let mut end = End::of(side);
            let (connection, out) = (&mut end.connection, &mut end.out);
            let sent = match (&message, message.as_text()) {
                (_, Some(text)) => connection.send_text(text, out),
                (_, None) => connection.send_binary(message.as_bytes(), out),
            };
            assert_eq!(sent, Ok(()));
            assert_eq!(plain(&drain(out)), expected);
            assert_eq!(connection.send(message, out), Ok(()));
            assert_eq!(plain(&drain(out)), expected);
        }
    }
}

#[test]
fn messages_arrive_as_they_were_sent_however_they_are_cut() {
    for step in [7, 1000, usize::MAX] {
        let mut pair = Pair::new(&Config::default());
        pair.step = step;
        for message in messages() {
            for end in [&mut pair.client, &mut pair.server] {
                let sent = end.connection.send(message.clone(), &mut end.out);
                assert_eq!(sent, Ok(()));
            }
            pair.settle();
            for end in [&mut pair.client, &mut pair.server] {
                let seen = end.take_seen();
                let expected = Seen::Message(message.kind(), message.as_bytes().to_vec());
                assert_eq!(seen, [expected]);
            }
        }
    }
}

#[test]
fn a_server_sends_a_prepared_message_byte_by_byte_as_any_other() {
    let mut server = End::of(Side::Server);
    for message in messages() {
        let prepared = Prepared::new(message.clone());
        assert_eq!(prepared.message(), &message);
        let sent = server.connection.send(&prepared, &mut server.out);
        assert_eq!(sent, Ok(()));
        let bytes = drain(&mut server.out);
        assert_eq!(server.connection.send(message, &mut server.out), Ok(()));
        assert_eq!(bytes, drain(&mut server.out));
    }
}

#[test]
fn a_prepared_message_is_lent_as_it_would_be_sent_now_or_not_at_all() {
    let mut server = End::of(Side::Server);
    for prepared in messages().map(Prepared::new) {
        let lent = server.connection.lend(&prepared).map(<[u8]>::to_vec);
        let sent = server.connection.send(&prepared, &mut server.out);
        assert_eq!((sent, lent), (Ok(()), Some(drain(&mut server.out))));
        assert_eq!(End::of(Side::Client).connection.lend(&prepared), None);
    }
    let prepared = Prepared::new("prepared");
    let fragment = Message::from("fragment");
    for (last, is_lent) in [(false, false), (true, true)] {
        let connection = &mut server.connection;
        let sent = connection.send_fragment(fragment.clone(), last, &mut server.out);
        assert_eq!(sent, Ok(()));
        assert_eq!(connection.lend(&prepared).is_some(), is_lent);
    }
    server.connection.close(CloseCode::NORMAL.into());
    assert_eq!(server.connection.lend(&prepared), None);
}

#[test]
fn a_client_sends_a_prepared_message_as_any_other_but_for_its_key() {
    let mut client = End::of(Side::Client);
    for message in messages() {
        let prepared = Prepared::new(message.clone());
        for outgoing in [prepared.clone(), prepared] {
            let sent = client.connection.send(outgoing, &mut client.out);
            assert_eq!(sent, Ok(()));
        }
        assert_eq!(client.connection.send(message, &mut client.out), Ok(()));
        let frames = Frame::read_all(&drain(&mut client.out));
        assert_eq!(frames[0].payload, frames[2].payload);
        assert_eq!(frames[1].opcode, frames[2].opcode);
        assert_ne!(frames[0].key, frames[1].key, "each frame has its own");
    }
}

/// Gives `handle` the message in `frame` three times: whole in the input,
/// behind a header that was cut, and gathered (unless it is empty).
fn incoming(side: Side, frame: &Frame, handle: &mut dyn FnMut(Incoming<&mut [u8]>)) {
    let bytes = frame.clone().to(side);
    for cut in [0, 1, bytes.len() - 1] {
        let mut end = End::of(side);
        end.get(&bytes[..cut]);
        let mut rest = bytes[cut..].to_vec();
        match end.connection.poll(&mut Input::new(&mut rest)) {
            Ok(Some(Event::Message(message))) => handle(message),
            other => panic!("{other:?}"),
        }
    }
}

/// Forwards without a copy; what is then to be written.
fn lent<P: Piece>(connection: &mut Connection, mut message: Incoming<P>) -> Vec<u8> {
    let mut out = Outbox::default();
    let lent = connection.forward_lent(&mut message, &mut out);
    let lent = lent.expect("an open connection");
    let mut slices = [IoSlice::new(&[]); 4];
    let slices = out.slices(lent, &mut slices);
    slices
        .iter()
        .flat_map(|slice| slice.iter().copied())
        .collect()
}

#[test]
fn a_forwarded_message_is_the_message_that_came() {
    for from in Side::BOTH {
        for to in Side::BOTH {
            for len in LENS {
                let frame = match len % 2 {
                    0 => Frame::new(BINARY, noise(len, 5)),
                    _ => Frame::text(&"x".repeat(len)),
                };
                let expected = std::slice::from_ref(&frame);
                let mut end = End::of(to);
                let mut count = 0;
                incoming(from, &frame, &mut |message| {
                    let sent = end.connection.forward(&message, &mut end.out);
                    assert_eq!(sent, Ok(()));
                    assert_eq!(plain(&drain(&mut end.out)), expected);
                    let bytes = lent(&mut end.connection, message);
                    assert_eq!(plain(&bytes), expected);
                    count += 1;
                });
                assert_eq!(count, 3);
            }
        }
    }
}

#[test]
fn a_message_that_cannot_be_forwarded_stays_as_it_is() {
    for to in Side::BOTH {
        let mut end = End::of(to);
        end.connection.close(CloseCode::NORMAL.into());
        let frame = Frame::text("unchanged");
        incoming(Side::Server, &frame, &mut |mut message| {
            let refused = Some(SendError::Closed);
            let (connection, out) = (&mut end.connection, &mut end.out);
            assert_eq!(connection.forward(&message, out).err(), refused);
            assert_eq!(connection.forward_lent(&mut message, out).err(), refused);
            assert_eq!(connection.send("small", out).err(), refused);
            assert!(out.is_empty());
            assert_eq!(message.as_text(), Some("unchanged"));
        });
    }
}

#[test]
fn a_large_payload_goes_by_reference() {
    let bytes = Bytes::from(noise(100_000, 6));
    let is_there = |out: &Outbox| {
        let mut slices = [IoSlice::new(&[]); 4];
        let slices = out.slices(&[], &mut slices);
        slices.iter().any(|slice| slice.as_ptr() == bytes.as_ptr())
    };
    let mut server = End::of(Side::Server);
    let sent = server.connection.send(bytes.clone(), &mut server.out);
    assert_eq!(sent, Ok(()));
    assert!(is_there(&server.out));
    assert_eq!(server.out.contiguous(), None);

    let sent = server
        .connection
        .send_fragment(bytes.clone().into(), false, &mut server.out);
    assert_eq!(sent, Ok(()));
    let prepared = Prepared::new(bytes.clone());
    let payload = prepared.message().as_bytes().as_ptr();
    let mut other = End::of(Side::Server);
    assert_eq!(other.connection.send(&prepared, &mut other.out), Ok(()));
    let mut slices = [IoSlice::new(&[]); 4];
    let slices = other.out.slices(&[], &mut slices);
    let header = 10;
    assert_eq!(slices[0][header..].as_ptr(), payload, "encoded once");
}

#[test]
fn a_client_masks_what_it_alone_holds_where_it_lies() {
    let bytes = Bytes::from(noise(100_000, 6));
    let at = bytes.as_ptr();
    let mut client = End::of(Side::Client);
    assert_eq!(client.connection.send(bytes, &mut client.out), Ok(()));
    let mut slices = [IoSlice::new(&[]); 4];
    let slices = client.out.slices(&[], &mut slices);
    assert_eq!(slices[1].as_ptr(), at);
}

#[test]
fn fragments_are_continued_until_the_last() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let (connection, out) = (&mut end.connection, &mut end.out);
        for (text, last) in [("a", false), ("", false), ("b", true), ("whole", true)] {
            assert_eq!(connection.send_fragment(text.into(), last, out), Ok(()));
        }
        let large = noise(70_000, 8);
        let fragment = Message::binary(large.clone());
        assert_eq!(connection.send_fragment(fragment, false, out), Ok(()));
        let end = Message::binary(Bytes::new());
        assert_eq!(connection.send_fragment(end, true, out), Ok(()));
        let expected = [
            Frame::text("a").more(),
            Frame::new(CONTINUATION, "").more(),
            Frame::new(CONTINUATION, "b"),
            Frame::text("whole"),
            Frame::new(BINARY, large).more(),
            Frame::new(CONTINUATION, ""),
        ];
        assert_eq!(plain(&drain(out)), expected);
    }
}

#[test]
fn nothing_but_its_own_kind_comes_between_fragments() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let (connection, out) = (&mut end.connection, &mut end.out);
        assert_eq!(connection.send_fragment("a".into(), false, out), Ok(()));
        assert_eq!(drain(out).len(), if side == Side::Client { 7 } else { 3 });
        let refused = Err(SendError::FragmentOpen);
        assert_eq!(connection.check_send(), refused);
        assert_eq!(connection.send("whole", out), refused);
        assert_eq!(connection.send(Prepared::new("whole"), out), refused);
        assert_eq!(connection.send_text("whole", out), refused);
        assert_eq!(connection.send_binary(b"whole", out), refused);
        for last in [false, true] {
            let other = Message::binary(vec![1]);
            assert_eq!(connection.send_fragment(other, last, out), refused);
        }
        incoming(Side::Server, &Frame::text("x"), &mut |mut message| {
            assert_eq!(connection.forward(&message, out), refused);
            let lent = connection.forward_lent(&mut message, out);
            assert_eq!(lent, Err(SendError::FragmentOpen));
        });
        assert!(out.is_empty(), "a refused call encodes nothing");
        assert_eq!(connection.send_fragment("b".into(), true, out), Ok(()));
        assert_eq!(plain(&drain(out)), [Frame::new(CONTINUATION, "b")]);
        assert_eq!(connection.send("whole", out), Ok(()));
    }
}

#[test]
fn it_wants_to_transmit_exactly_when_something_waits() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let mut wants = |change: &dyn Fn(&mut End)| {
            let before = end.connection.wants_transmit();
            change(&mut end);
            let after = end.connection.wants_transmit();
            assert_eq!(end.transmit().is_empty(), !after);
            (before, after)
        };
        assert_eq!(wants(&|_| ()), (false, false));
        let ping = Frame::new(common::frame::PING, "").to(side);
        assert_eq!(wants(&|end| end.get(&ping)), (false, true));
        let ask = |end: &mut End| assert_eq!(end.connection.ping(b""), Ok(()));
        assert_eq!(wants(&ask), (false, true));
        let close = |end: &mut End| end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(wants(&close), (false, true));
        assert_eq!(wants(&close), (false, false));
        assert_eq!(wants(&|end| end.get(&ping)), (false, true));
    }
}

#[test]
fn what_came_becomes_an_owned_message_of_the_same_bytes() {
    for side in Side::BOTH {
        for (cut, owned) in [(0, false), (3, false), (0, true), (3, true)] {
            let bytes = Frame::text("günaydın").to(side);
            let mut end = End::of(side);
            end.get(&bytes[..cut]);
            let mut rest = bytes[cut..].to_vec();
            let message = match owned {
                true => {
                    let mut rest = BytesMut::from(&rest[..]);
                    into_message(end.connection.poll(&mut rest).ok().flatten())
                }
                false => into_message(
                    end.connection
                        .poll(&mut Input::new(&mut rest))
                        .ok()
                        .flatten(),
                ),
            };
            assert_eq!(message, Message::text("günaydın"));
        }
    }
}

fn into_message<P: Piece>(event: Option<Event<P>>) -> Message {
    match event {
        Some(Event::Message(message)) => message.into_message(),
        _ => panic!("a message was expected"),
    }
}
