//! Who says Close, who answers, what still comes, and how it is told
//! afterwards (RFC 6455, section 7).

mod common;

use telsiz_proto::{Cause, CloseCode, CloseFrame, Config, Prepared, SendError, State};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG};
use common::{End, Pair, Seen, Side};

fn frame(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame::new(code, reason).expect("a short reason")
}

fn opcodes(end: &mut End) -> Vec<u8> {
    end.frames().iter().map(|frame| frame.opcode).collect()
}

#[test]
fn an_open_connection_has_no_outcome() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::text("a").to(side));
        assert_eq!(end.connection.state(), State::Open);
        assert_eq!(end.connection.outcome(), None);
        assert!(!end.connection.is_exchanged());
        assert_eq!(end.frames(), []);
    }
}

#[test]
fn either_side_may_begin_and_both_know_how_it_ended() {
    for step in [1, usize::MAX] {
        for beginner in Side::BOTH {
            let mut pair = Pair::new(&Config::default());
            pair.step = step;
            let said = frame(CloseCode::GOING_AWAY, "bye");
            let (one, other) = match beginner {
                Side::Client => (&mut pair.client, &mut pair.server),
                Side::Server => (&mut pair.server, &mut pair.client),
            };
            one.connection.close(said.clone());
            assert_eq!(one.connection.state(), State::Closing);
            assert_eq!(other.connection.state(), State::Open);
            pair.settle();
            let (one, other) = match beginner {
                Side::Client => (pair.client, pair.server),
                Side::Server => (pair.server, pair.client),
            };
            let answer = said.clone();
            assert_eq!(one.seen, [Seen::Close(answer.clone())]);
            assert_eq!(other.seen, [Seen::Close(said.clone())]);
            for (mut end, sent, received) in [
                (one, said.clone(), answer.clone()),
                (other, answer.clone(), said.clone()),
            ] {
                assert!(end.connection.is_exchanged());
                assert_eq!(end.connection.state(), State::Closing);
                for _ in 0..2 {
                    let outcome = end.connection.outcome().expect("ending");
                    assert_eq!(outcome.cause, Cause::Handshake);
                    assert_eq!(outcome.code(), CloseCode::GOING_AWAY);
                    assert_eq!(outcome.reason(), received.reason());
                    assert_eq!(outcome.sent, Some(sent.clone()));
                    assert_eq!(outcome.received, Some(received.clone()));
                    end.connection.handle_eof();
                    assert_eq!(end.connection.state(), State::Closed);
                }
            }
        }
    }
}

#[test]
fn both_sides_may_begin_at_once() {
    let mut pair = Pair::new(&Config::default());
    pair.client.connection.close(frame(CloseCode::NORMAL, "c"));
    pair.server.connection.close(frame(CloseCode::RESTART, "s"));
    pair.settle();
    for (end, sent, received) in [
        (&pair.client, CloseCode::NORMAL, CloseCode::RESTART),
        (&pair.server, CloseCode::RESTART, CloseCode::NORMAL),
    ] {
        let outcome = end.connection.outcome().expect("ending");
        assert_eq!(outcome.cause, Cause::Handshake);
        assert_eq!(outcome.code(), received);
        assert_eq!(outcome.sent.map(|frame| frame.code()), Some(sent));
        assert!(end.connection.is_exchanged());
    }
}

#[test]
fn the_first_close_of_ours_is_the_one_that_goes_out() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.connection.close(frame(CloseCode::NORMAL, "first"));
        end.connection.close(frame(CloseCode::POLICY, "second"));
        end.get(&Frame::close(1001, "").to(side));
        end.connection.close(frame(CloseCode::POLICY, "third"));
        let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
        assert_eq!(frames, [Frame::close(1000, "first")]);
        assert_eq!(end.frames(), []);
    }
}

#[test]
fn after_our_close_the_peer_is_heard_until_its_own() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::new(BINARY, "be").more().to(side));
        end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(opcodes(&mut end), [CLOSE]);
        end.get(&Frame::new(PING, "p").to(side));
        end.get(&Frame::new(CONTINUATION, "gun").to(side));
        end.get(&Frame::text("still here").to(side));
        assert_eq!(opcodes(&mut end), [PONG], "a duty until the peer's Close");
        assert!(!end.connection.is_exchanged());
        end.get(&Frame::close(1000, "").to(side));
        let expected = [
            Seen::Ping(b"p".to_vec()),
            Seen::binary(b"begun"),
            Seen::text("still here"),
            Seen::Close(CloseCode::NORMAL.into()),
        ];
        assert_eq!(end.seen, expected);
        assert_eq!(opcodes(&mut end), [], "Close is said once");
        assert!(end.connection.is_exchanged());
    }
}

#[test]
fn what_follows_a_close_is_discarded_valid_or_not() {
    for side in Side::BOTH {
        for step in [1, usize::MAX] {
            let mut end = End::of(side);
            let late = [
                Frame::close(1000, "").to(side),
                Frame::text("late").to(side),
                Frame::close(1001, "").to(side),
                vec![0xff; 100],
                vec![0; 100_000],
            ];
            let driver = common::Driver::SIMPLE;
            end.get_split(driver, &late.concat(), &[1, step]);
            assert_eq!(end.seen, [Seen::Close(CloseCode::NORMAL.into())]);
            assert!(end.connection.space(|| None).is_none());
            assert_eq!(opcodes(&mut end), [CLOSE]);
        }
    }
}

#[test]
fn a_close_amid_a_fragmented_message_ends_it_unfinished() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::text("unfinished").more().to(side));
        end.get(&Frame::close(1001, "").to(side));
        end.get(&Frame::new(CONTINUATION, "late").to(side));
        assert_eq!(end.seen, [Seen::Close(CloseCode::GOING_AWAY.into())]);
        let outcome = end.connection.outcome().expect("ending");
        assert_eq!(outcome.cause, Cause::Handshake);
    }
}

#[test]
fn our_close_may_cut_a_fragmented_message_of_ours() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        let (connection, out) = (&mut end.connection, &mut end.out);
        assert_eq!(connection.send_fragment("a".into(), false, out), Ok(()));
        connection.close(CloseCode::NORMAL.into());
        let more = connection.send_fragment("b".into(), true, out);
        assert_eq!(more, Err(SendError::Closed));
        let frames = end.frames();
        assert!(!frames[0].fin);
        assert_eq!(frames[1].opcode, CLOSE);
        assert_eq!(frames.len(), 2);
    }
}

#[test]
fn nothing_can_be_sent_once_it_closes() {
    let begin: [fn(&mut End, Side); 3] = [
        |end, _| end.connection.close(CloseCode::NORMAL.into()),
        |end, side| end.get(&Frame::close(1000, "").to(side)),
        |end, _| end.connection.handle_eof(),
    ];
    for side in Side::BOTH {
        for begin in begin {
            let mut end = End::of(side);
            begin(&mut end, side);
            let (connection, out) = (&mut end.connection, &mut end.out);
            let refused = Err(SendError::Closed);
            assert_eq!(connection.check_send(), refused);
            assert_eq!(connection.send("a", out), refused);
            assert_eq!(connection.send_text("a", out), refused);
            assert_eq!(connection.send_binary(b"a", out), refused);
            assert_eq!(connection.send(Prepared::new("a"), out), refused);
            assert_eq!(connection.send_fragment("a".into(), true, out), refused);
            assert_eq!(connection.ping(b"a"), refused);
            assert!(out.is_empty());
        }
    }
}

#[test]
fn what_waits_goes_out_before_the_close() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::new(PING, "theirs").to(side));
        assert_eq!(end.connection.ping(b"ours"), Ok(()));
        end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(opcodes(&mut end), [PONG, PING, CLOSE]);
        assert_eq!(opcodes(&mut end), []);
    }
}

#[test]
fn a_lost_transport_is_1006() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::text("half").more().to(side));
        end.connection.handle_eof();
        assert_eq!(end.connection.state(), State::Closed);
        let outcome = end.connection.outcome().expect("ended");
        assert_eq!(outcome.cause, Cause::TransportLost);
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        assert_eq!((outcome.reason(), &outcome.received), ("", &None));
        assert_eq!(outcome.sent, None);
        assert!(!end.connection.is_exchanged());
        assert_eq!(end.frames(), [], "there is nobody to tell");
        let never = end
            .connection
            .poll_timeout(|| panic!("nothing to wait for"));
        assert_eq!(never, None);
    }
}

#[test]
fn a_transport_lost_after_our_close_alone_is_1006_too() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.connection.close(CloseCode::NORMAL.into());
        assert_eq!(opcodes(&mut end), [CLOSE]);
        end.connection.handle_eof();
        let outcome = end.connection.outcome().expect("ended");
        assert_eq!(outcome.cause, Cause::TransportLost);
        assert_eq!(outcome.code(), CloseCode::ABNORMAL);
        let sent = outcome.sent.map(|frame| frame.code());
        assert_eq!(sent, Some(CloseCode::NORMAL));
        assert!(!end.connection.is_exchanged());
    }
}

#[test]
fn a_transport_lost_after_a_fault_leaves_the_fault() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::new(common::frame::TEXT, [0xff]).to(side));
        end.connection.handle_eof();
        let outcome = end.connection.outcome().expect("ended");
        assert!(matches!(outcome.cause, Cause::Fault(_)));
        assert_eq!(end.connection.state(), State::Closed);
    }
}

#[test]
fn it_is_exchanged_only_when_our_close_has_gone_out() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::close(1000, "").to(side));
        assert_eq!(end.connection.state(), State::Closing);
        assert!(!end.connection.is_exchanged());
        assert_eq!(opcodes(&mut end), [CLOSE]);
        assert!(end.connection.is_exchanged());
    }
}
