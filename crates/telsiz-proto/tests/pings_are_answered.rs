//! Pings and pongs (RFC 6455, sections 5.5.2 and 5.5.3).

mod common;

use telsiz_proto::{CloseCode, SendError};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::{End, Seen, Side, heap, noise};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn plain(end: &mut End) -> Vec<Frame> {
    end.frames().into_iter().map(Frame::plain).collect()
}

#[test]
fn with_their_payload_whatever_it_is() {
    for side in Side::BOTH {
        for len in 0..=125 {
            let payload = noise(len, len as u64);
            let ping = Frame::new(PING, &payload).to(side);
            for cut in [0, 1, 2, ping.len() / 2, ping.len() - 1] {
                let mut end = End::of(side);
                end.get(&ping[..cut]);
                end.get(&ping[cut..]);
                assert_eq!(end.seen, [Seen::Ping(payload.clone())]);
                assert_eq!(plain(&mut end), [Frame::new(PONG, &payload)]);
                assert_eq!(plain(&mut end), [], "once");
            }
        }
    }
}

#[test]
fn only_the_newest_while_nothing_is_transmitted() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        for text in ["first, and the longest", "second", ""] {
            end.get(&Frame::new(PING, text).to(side));
        }
        assert_eq!(end.seen.len(), 3);
        assert_eq!(plain(&mut end), [Frame::new(PONG, "")]);
        end.get(&Frame::new(PING, "next").to(side));
        assert_eq!(plain(&mut end), [Frame::new(PONG, "next")]);
    }
}

#[test]
fn a_flood_of_them_costs_the_memory_of_one() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let mut flood = |payload: &[u8]| {
            end.get(&Frame::new(PING, payload).to(side));
            end.seen = Vec::new();
        };
        flood(&[0; 125]);
        let before = heap::live();
        for i in 0..10_000u32 {
            flood(&i.to_be_bytes());
            flood(&[1; 125]);
        }
        flood(b"last");
        assert_eq!(heap::live(), before);
        assert_eq!(plain(&mut end), [Frame::new(PONG, "last")]);
    }
}

#[test]
fn between_the_fragments_of_a_message_both_ways() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let sent = end
            .connection
            .send_fragment("a".into(), false, &mut end.out);
        assert_eq!(sent, Ok(()));
        end.get(&Frame::text("x").more().to(side));
        end.get(&Frame::new(PING, "p").to(side));
        end.connection.transmit(&mut end.out);
        let sent = end.connection.send_fragment("b".into(), true, &mut end.out);
        assert_eq!(sent, Ok(()));
        end.get(&Frame::new(CONTINUATION, "y").to(side));
        assert_eq!(end.seen, [Seen::Ping(b"p".to_vec()), Seen::text("xy")]);
        let expected = [
            Frame::new(TEXT, "a").more(),
            Frame::new(PONG, "p"),
            Frame::new(CONTINUATION, "b"),
        ];
        assert_eq!(plain(&mut end), expected);
    }
}

#[test]
fn before_the_close_that_came_behind_them() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let bytes = [
            Frame::new(PING, "p").to(side),
            Frame::close(1000, "").to(side),
            Frame::new(PING, "late").to(side),
        ];
        end.get(&bytes.concat());
        let expected = [Frame::new(PONG, "p"), Frame::close(1000, "")];
        assert_eq!(plain(&mut end), expected);
    }
}

#[test]
fn also_after_our_close() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(plain(&mut end)[0].opcode, CLOSE);
        end.get(&Frame::new(PING, "p").to(side));
        assert_eq!(plain(&mut end), [Frame::new(PONG, "p")]);
    }
}

#[test]
fn not_when_the_transport_is_lost() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.connection.handle_eof();
        end.get(&Frame::new(PING, "p").to(side));
        assert_eq!(plain(&mut end), []);
    }
}

#[test]
fn a_pong_that_nobody_asked_for_is_told_and_not_answered() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::new(PONG, "unasked").to(side));
        end.get(&Frame::new(BINARY, "next").to(side));
        let expected = [Seen::Pong(b"unasked".to_vec()), Seen::binary(b"next")];
        assert_eq!(end.seen, expected);
        assert_eq!(plain(&mut end), []);
    }
}

#[test]
fn ours_carry_up_to_125_bytes() {
    for side in Side::BOTH {
        for len in [0, 124, 125] {
            let mut end = End::of(side);
            let payload = noise(len, 7);
            assert_eq!(end.connection.ping(&payload), Ok(()));
            assert_eq!(plain(&mut end), [Frame::new(PING, payload)]);
            assert_eq!(plain(&mut end), []);
        }
        let mut end = End::of(side);
        let refused = Err(SendError::ControlTooLong);
        assert_eq!(end.connection.ping(&[0; 126]), refused);
        assert_eq!(plain(&mut end), []);
    }
}

#[test]
fn ours_are_answered_by_the_peer() {
    for side in Side::BOTH {
        let peer = match side {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        };
        let (mut end, mut other) = (End::of(side), End::of(peer));
        assert_eq!(end.connection.ping(b"are you there"), Ok(()));
        other.get(&end.transmit());
        end.get(&other.transmit());
        assert_eq!(end.seen, [Seen::Pong(b"are you there".to_vec())]);
    }
}
