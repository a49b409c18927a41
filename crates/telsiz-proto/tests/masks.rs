//! Clients mask every frame with a new key, servers none (RFC 6455, sections
//! 5.1 and 5.3).

mod common;

use telsiz_proto::{CloseCode, Message, Prepared, Violation};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::{End, Seen, Side, noise, taken_keys};

const OPCODES: [u8; 6] = [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG];

#[test]
fn a_server_refuses_a_frame_without_a_mask() {
    for opcode in OPCODES {
        for len in [0, 1, 125] {
            let mut end = End::of(Side::Server);
            end.get(&Frame::new(opcode, vec![3; len]).bytes());
            assert_eq!(end.seen, [Seen::Fault(Violation::Unmasked.into())]);
            assert_eq!(end.frames()[0].close_body().0, 1002);
        }
    }
}

#[test]
fn a_client_refuses_a_frame_with_a_mask_even_one_of_zeros() {
    for opcode in OPCODES {
        for key in [[0; 4], [1, 2, 3, 4]] {
            let mut end = End::of(Side::Client);
            end.get(&Frame::new(opcode, "").masked(key).bytes());
            assert_eq!(end.seen, [Seen::Fault(Violation::Masked.into())]);
            assert_eq!(end.frames()[0].close_body().0, 1002);
        }
    }
}

#[test]
fn a_mask_is_refused_amid_a_message_too() {
    let mut end = End::of(Side::Server);
    end.get(&Frame::text("a").more().to(Side::Server));
    end.get(&Frame::new(CONTINUATION, "b").bytes());
    assert_eq!(end.seen, [Seen::Fault(Violation::Unmasked.into())]);
    let mut end = End::of(Side::Client);
    end.get(&Frame::text("a").more().to(Side::Client));
    end.get(&Frame::new(PING, "b").masked([1; 4]).bytes());
    assert_eq!(end.seen, [Seen::Fault(Violation::Masked.into())]);
}

/// Sends a frame in every way there is, and says what they should be.
fn send_everything(end: &mut End, side: Side) -> Vec<Frame> {
    let large = noise(100_000, 3);
    let (connection, out) = (&mut end.connection, &mut end.out);
    let ok = |result| assert_eq!(result, Ok(()));
    ok(connection.send(Message::text("owned"), out));
    ok(connection.send(Message::binary(large.clone()), out));
    ok(connection.send_text("borrowed", out));
    ok(connection.send_binary(b"", out));
    ok(connection.send(Prepared::new("prepared"), out));
    ok(connection.send_fragment("frag".into(), false, out));
    ok(connection.send_fragment("ment".into(), true, out));
    end.get(&Frame::new(PING, "theirs").to(side));
    assert_eq!(end.connection.ping(b"ours"), Ok(()));
    end.connection.close(CloseCode::NORMAL.into());
    vec![
        Frame::text("owned"),
        Frame::new(BINARY, large),
        Frame::text("borrowed"),
        Frame::new(BINARY, ""),
        Frame::text("prepared"),
        Frame::text("frag").more(),
        Frame::new(CONTINUATION, "ment"),
        Frame::new(PONG, "theirs"),
        Frame::new(PING, "ours"),
        Frame::close(1000, ""),
    ]
}

#[test]
fn a_client_masks_every_frame_with_the_next_key_of_its_source() {
    let mut end = End::of(Side::Client);
    taken_keys();
    let expected = send_everything(&mut end, Side::Client);
    let frames = end.frames();
    let keys: Vec<_> = frames.iter().filter_map(|frame| frame.key).collect();
    assert_eq!(keys.len(), expected.len());
    assert_eq!(keys, taken_keys());
    let plain: Vec<_> = frames.into_iter().map(Frame::plain).collect();
    assert_eq!(plain, expected);
}

#[test]
fn a_server_masks_nothing_and_asks_for_no_key() {
    let mut end = End::of(Side::Server);
    taken_keys();
    let expected = send_everything(&mut end, Side::Server);
    assert_eq!(end.frames(), expected);
    assert!(taken_keys().is_empty());
}

#[test]
fn a_masked_payload_is_read_alike_at_every_length_and_cut() {
    for len in 0..80 {
        let payload = noise(len, len as u64);
        let key = [0x01, 0x80, 0xff, 0x5a];
        let bytes = Frame::new(BINARY, &payload).masked(key).bytes();
        for cut in 0..bytes.len() {
            let mut end = End::of(Side::Server);
            end.get(&bytes[..cut]);
            end.get(&bytes[cut..]);
            assert_eq!(end.seen, [Seen::binary(&payload)], "{len} {cut}");
        }
    }
}

#[test]
fn each_fragment_has_its_own_key() {
    let payload = noise(50, 9);
    for cut in 0..payload.len() {
        let (a, b) = payload.split_at(cut);
        let mut end = End::of(Side::Server);
        end.get(&Frame::new(BINARY, a).more().masked([1, 2, 3, 4]).bytes());
        end.get(&Frame::new(PING, "p").masked([9; 4]).bytes());
        end.get(&Frame::new(CONTINUATION, b).masked([250; 4]).bytes());
        assert_eq!(end.seen[1], Seen::binary(&payload));
    }
}

#[test]
fn a_payload_that_others_hold_is_not_masked_under_their_hands() {
    let mut end = End::of(Side::Client);
    let bytes = bytes::Bytes::from(noise(10_000, 4));
    let before = bytes.to_vec();
    let prepared = Prepared::new(bytes.clone());
    for _ in 0..2 {
        let sent = end.connection.send(bytes.clone(), &mut end.out);
        assert_eq!(sent, Ok(()));
        let sent = end.connection.send(&prepared, &mut end.out);
        assert_eq!(sent, Ok(()));
    }
    let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
    assert_eq!(frames, vec![Frame::new(BINARY, &before); 4]);
    assert_eq!(bytes, before);
    assert_eq!(prepared.message().as_bytes(), before);
}
