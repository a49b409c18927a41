//! Every number there is as a close code, in real frames (RFC 6455, section 7.4).

mod common;

use telsiz_proto::{CloseCode, CloseFrame, Fault, Violation};

use common::frame::{CLOSE, Frame};
use common::reference::may_stand_on_the_wire;
use common::{End, Seen, Side};

#[test]
fn that_come_in_are_echoed_or_refused() {
    for side in Side::BOTH {
        for number in 0..=u16::MAX {
            let mut end = End::of(side);
            end.get(&Frame::close(number, "why").to(side));
            let answer = end.frames().remove(0).plain();
            match CloseCode::new(number) {
                Some(code) => {
                    let frame = CloseFrame::new(code, "why").expect("a short reason");
                    assert_eq!(end.seen, [Seen::Close(frame)]);
                    assert_eq!(answer, Frame::close(number, "why"));
                }
                None => {
                    let fault = Fault::from(Violation::CloseCode(number));
                    assert_eq!(end.seen, [Seen::Fault(fault)]);
                    assert_eq!(answer.close_body().0, 1002, "{number}");
                }
            }
            assert_eq!(
                CloseCode::new(number).is_some(),
                may_stand_on_the_wire(number),
                "{number}"
            );
        }
    }
}

#[test]
fn that_go_out_arrive() {
    for side in Side::BOTH {
        for code in (0..=u16::MAX).filter_map(CloseCode::new) {
            let mut end = End::of(side);
            end.connection.close(code.into());
            let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
            assert_eq!(frames, [Frame::close(code.get(), "")]);
        }
    }
}

#[test]
fn that_are_never_sent_make_an_empty_frame() {
    for side in Side::BOTH {
        for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL] {
            let with_reason = CloseFrame::new(code, "lost").expect("a short reason");
            for frame in [CloseFrame::from(code), with_reason, CloseFrame::EMPTY] {
                let mut end = End::of(side);
                end.connection.close(frame);
                let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
                assert_eq!(frames, [Frame::new(CLOSE, "")]);
            }
        }
    }
}

#[test]
fn an_empty_body_is_1005_and_answered_with_an_empty_body() {
    for side in Side::BOTH {
        let mut end = End::of(side);
        end.get(&Frame::new(CLOSE, "").to(side));
        assert_eq!(end.seen, [Seen::Close(CloseFrame::EMPTY)]);
        let frames: Vec<_> = end.frames().into_iter().map(Frame::plain).collect();
        assert_eq!(frames, [Frame::new(CLOSE, "")]);
        let outcome = end.connection.outcome().expect("closing");
        assert_eq!((outcome.code().get(), outcome.reason()), (1005, ""));
    }
}

#[test]
fn a_body_of_one_byte_is_refused() {
    for side in Side::BOTH {
        for byte in 0..=255 {
            let mut end = End::of(side);
            end.get(&Frame::new(CLOSE, [byte]).to(side));
            assert_eq!(end.seen, [Seen::Fault(Violation::CloseTooShort.into())]);
            assert_eq!(end.frames()[0].close_body().0, 1002);
        }
    }
}

#[test]
fn a_reason_must_be_utf8_in_full() {
    for side in Side::BOTH {
        for reason in [&b"\xff"[..], b"abc\xc3", b"\xed\xa0\x80", &[0x80; 123]] {
            let body = [&1000u16.to_be_bytes(), reason].concat();
            let mut end = End::of(side);
            end.get(&Frame::new(CLOSE, body).to(side));
            assert_eq!(
                end.seen,
                [Seen::Fault(Violation::CloseReasonNotUtf8.into())]
            );
            assert_eq!(end.frames()[0].close_body().0, 1007);
        }
    }
}

#[test]
fn a_reason_goes_through_at_its_full_length() {
    let reason = "ş".repeat(61) + "x";
    assert_eq!(reason.len(), CloseFrame::MAX_REASON);
    let frame = CloseFrame::new(CloseCode::POLICY, &*reason).expect("123 bytes");
    let (mut client, mut server) = (End::of(Side::Client), End::of(Side::Server));
    server.connection.close(frame.clone());
    client.get(&server.transmit());
    assert_eq!(client.seen, [Seen::Close(frame.clone())]);
    let outcome = client.connection.outcome().expect("closing");
    assert_eq!(outcome.reason(), reason);
    assert_eq!(outcome.received, Some(frame));
    let longer = CloseFrame::new(CloseCode::POLICY, format!("{reason}x"));
    assert!(longer.is_err());
}
