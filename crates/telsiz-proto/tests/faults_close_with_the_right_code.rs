//! A fault ends the connection with one Close frame, whose code says whose rule
//! was broken (RFC 6455, sections 7.1.7 and 7.4.1).

mod common;

use std::time::Instant;

use telsiz_proto::{Cause, CloseCode, Config, Exceeded, Fault, SendError, State, Violation};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::{End, Seen, Side};

/// Each way to break a rule: the bytes, the violation, the code, the section.
fn violations(side: Side) -> Vec<(Vec<u8>, Violation, u16, &'static str)> {
    let to = |frame: Frame| frame.to(side);
    let wrong_mask = match side {
        Side::Client => (Frame::text("a").to(Side::Server), Violation::Masked),
        Side::Server => (Frame::text("a").to(Side::Client), Violation::Unmasked),
    };
    let mut long_form = side.gets(Frame::new(TEXT, "")).header(126);
    long_form[3] = 125;
    let mut longer_form = side.gets(Frame::new(TEXT, "")).header(0x1_0000);
    longer_form[7..10].copy_from_slice(&[0, 0xff, 0xff]);
    let mut all = vec![
        (wrong_mask.0, wrong_mask.1, 1002, "5.1"),
        (long_form, Violation::Length, 1002, "5.2"),
        (longer_form, Violation::Length, 1002, "5.2"),
        (
            side.gets(Frame::new(TEXT, "")).header(1 << 63),
            Violation::Length,
            1002,
            "5.2",
        ),
        (
            to(Frame::new(CONTINUATION, "a")),
            Violation::NothingToContinue,
            1002,
            "5.4",
        ),
        (
            to(Frame::new(CONTINUATION, "a").more()),
            Violation::NothingToContinue,
            1002,
            "5.4",
        ),
        (
            [to(Frame::text("a").more()), to(Frame::text("b"))].concat(),
            Violation::MessageInterrupted,
            1002,
            "5.4",
        ),
        (
            [to(Frame::text("a").more()), to(Frame::new(BINARY, "b"))].concat(),
            Violation::MessageInterrupted,
            1002,
            "5.4",
        ),
        (
            to(Frame::new(TEXT, [0xff])),
            Violation::NotUtf8,
            1007,
            "8.1",
        ),
        (
            to(Frame::new(CLOSE, [3])),
            Violation::CloseTooShort,
            1002,
            "5.5.1",
        ),
        (
            to(Frame::close(1005, "")),
            Violation::CloseCode(1005),
            1002,
            "7.4",
        ),
        (
            to(Frame::new(CLOSE, [3, 0xe8, 0xff])),
            Violation::CloseReasonNotUtf8,
            1007,
            "5.5.1",
        ),
    ];
    for reserved in 1..8 {
        for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
            let mut frame = Frame::new(opcode, "");
            frame.reserved = reserved;
            all.push((to(frame), Violation::ReservedBits, 1002, "5.2"));
        }
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let violation = Violation::ReservedOpcode(opcode);
        all.push((to(Frame::new(opcode, "")), violation, 1002, "5.2"));
    }
    for opcode in [CLOSE, PING, PONG] {
        let fragment = Frame::new(opcode, "").more();
        all.push((to(fragment), Violation::ControlFragmented, 1002, "5.5"));
        for len in [126, 127, 0x1_0000] {
            let frame = Frame::new(opcode, vec![0; len]);
            all.push((to(frame), Violation::ControlTooLong, 1002, "5.5"));
        }
    }
    all
}

#[test]
fn each_violation_is_named_and_answered() {
    for side in Side::BOTH {
        for (bytes, violation, code, section) in violations(side) {
            let mut end = End::of(side);
            end.get(&bytes);
            let fault = Fault::from(violation);
            assert_eq!(end.seen, [Seen::Fault(fault)], "{bytes:x?}");
            assert_eq!(violation.rfc(), format!("RFC 6455, section {section}"));
            assert!(violation.to_string().contains(section));

            assert_eq!(end.connection.state(), State::Closing);
            assert!(!end.connection.is_exchanged(), "the Close is still here");
            let frames = end.frames();
            assert_eq!(frames.len(), 1, "{violation:?}");
            let (sent, reason) = frames[0].close_body();
            assert_eq!(sent, code, "{violation:?}");
            assert_eq!(frames[0].payload.len(), 2 + reason.len());
            assert!(end.connection.is_exchanged());

            let outcome = end.connection.outcome().expect("ending");
            assert_eq!(outcome.cause, Cause::Fault(fault));
            assert_eq!(outcome.code(), CloseCode::ABNORMAL);
            let sent = outcome.sent.expect("our Close");
            assert_eq!((sent.code().get(), sent.reason()), (code, reason));
        }
    }
}

#[test]
fn nothing_comes_in_or_goes_out_after_it() {
    for side in Side::BOTH {
        for (bytes, violation, ..) in violations(side) {
            let mut end = End::of(side);
            end.get(&bytes);
            assert_eq!(end.frames().len(), 1);
            end.take_seen();
            for late in [
                Frame::text("late").to(side),
                Frame::new(PING, "late").to(side),
                Frame::close(1000, "").to(side),
                bytes,
            ] {
                end.get(&late);
            }
            assert_eq!(end.seen, [], "{violation:?}");
            assert_eq!(end.frames(), []);
            let out = &mut end.out;
            let refused = Err(SendError::Closed);
            assert_eq!(end.connection.send_text("late", out), refused);
            assert_eq!(end.connection.send_last_words("late".into(), out), refused);
            assert_eq!(end.connection.ping(b""), refused);
            end.connection.close(CloseCode::NORMAL.into());
            assert_eq!(end.frames(), []);
        }
    }
}

#[test]
fn what_came_before_it_in_the_same_read_is_not_lost() {
    for side in Side::BOTH {
        for (bytes, violation, ..) in violations(side) {
            let mut end = End::of(side);
            let before = [Frame::text("a").to(side), Frame::new(PING, "p").to(side)];
            end.get(&[&before.concat(), &bytes[..], &before.concat()].concat());
            let fault = Seen::Fault(violation.into());
            let expected = [Seen::text("a"), Seen::Ping(b"p".to_vec()), fault];
            assert_eq!(end.seen, expected);
            let opcodes: Vec<_> = end.frames().iter().map(|frame| frame.opcode).collect();
            assert_eq!(opcodes, [PONG, CLOSE]);
        }
    }
}

#[test]
fn after_our_own_close_no_second_one_goes_out() {
    for side in Side::BOTH {
        for (bytes, violation, ..) in violations(side) {
            let mut end = End::of(side);
            end.connection.close(CloseCode::GOING_AWAY.into());
            assert_eq!(end.frames()[0].close_body(), (1001, ""));
            assert!(!end.connection.is_exchanged());
            end.get(&bytes);
            assert_eq!(end.seen, [Seen::Fault(violation.into())]);
            assert_eq!(end.frames(), []);
            assert!(end.connection.is_exchanged());
            let outcome = end.connection.outcome().expect("ending");
            assert_eq!(outcome.cause, Cause::Fault(violation.into()));
            let sent = outcome.sent.map(|frame| frame.code());
            assert_eq!(sent, Some(CloseCode::GOING_AWAY));
        }
    }
}

#[test]
fn last_words_go_out_before_the_close() {
    let mut config = Config::default();
    config.limits.message_size = 3;
    for side in Side::BOTH {
        let mut end = End::new(side, &config, Instant::now());
        end.get(&Frame::new(PING, "p").to(side));
        end.get(&Frame::text("four").to(side));
        let fault = Fault::from(Exceeded::MessageSize { max: 3 });
        assert_eq!(end.seen.last(), Some(&Seen::Fault(fault)));
        let words = "{\"error\":\"Message too large\"}";
        let said = end.connection.send_last_words(words.into(), &mut end.out);
        assert_eq!(said, Ok(()));
        let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
        let expected = [
            Frame::text(words),
            Frame::new(PONG, "p"),
            Frame::close(1009, "Message too large"),
        ];
        assert_eq!(frames, expected);
    }
}

#[test]
fn last_words_are_for_a_connection_that_ends() {
    let mut end = End::of(Side::Server);
    let say = |end: &mut End| end.connection.send_last_words("a".into(), &mut end.out);
    assert_eq!(say(&mut end), Err(SendError::Closed), "it is open");
    let fragment = end
        .connection
        .send_fragment("b".into(), false, &mut end.out);
    assert_eq!(fragment, Ok(()));
    end.get(&Frame::new(TEXT, [0xff]).to(Side::Server));
    assert_eq!(say(&mut end), Err(SendError::FragmentOpen));
    let opcodes: Vec<_> = end.frames().iter().map(|frame| frame.opcode).collect();
    assert_eq!(opcodes, [TEXT, CLOSE], "a refused message leaves no bytes");
    assert_eq!(say(&mut end), Err(SendError::Closed), "the Close went out");

    let mut lost = End::of(Side::Server);
    lost.get(&Frame::new(TEXT, [0xff]).to(Side::Server));
    lost.connection.handle_eof();
    assert_eq!(say(&mut lost), Err(SendError::Closed), "nobody listens");
}
