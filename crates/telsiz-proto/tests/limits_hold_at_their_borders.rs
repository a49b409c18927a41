//! Each limit is tried one below, at it, and one above.

mod common;

use std::time::Instant;

use telsiz_proto::{Config, Exceeded, Fault, Violation};

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::{Driver, End, Seen, Side};

fn message_size(max: usize) -> Config {
    let mut config = Config::default();
    config.limits.message_size = max;
    config
}

fn fragments(max: u32) -> Config {
    let mut config = Config::default();
    config.limits.fragments = max;
    config
}

/// What comes of `bytes`, in one read and byte by byte.
fn seen(side: Side, config: &Config, bytes: &[u8]) -> Vec<Seen> {
    let mut whole = End::new(side, config, Instant::now());
    whole.get(bytes);
    let mut split = End::new(side, config, Instant::now());
    split.get_split(Driver::SIMPLE, bytes, &[1]);
    assert_eq!(whole.seen, split.seen);
    whole.seen
}

fn too_large(max: usize) -> Vec<Seen> {
    vec![Seen::Fault(Exceeded::MessageSize { max }.into())]
}

#[test]
fn of_a_message_in_one_frame() {
    for side in Side::BOTH {
        for max in [0, 1, 125, 126, 1000, 65_535, 65_536] {
            let config = message_size(max);
            for len in [max.saturating_sub(1), max] {
                let payload = vec![b'x'; len];
                let bytes = Frame::new(BINARY, &payload).to(side);
                assert_eq!(seen(side, &config, &bytes), [Seen::binary(&payload)]);
            }
            let bytes = Frame::new(TEXT, vec![b'x'; max + 1]).to(side);
            assert_eq!(seen(side, &config, &bytes), too_large(max));
        }
    }
}

#[test]
fn of_a_message_over_its_fragments() {
    let max = 1000;
    for side in Side::BOTH {
        for first in [0, 1, 500, 999, 1000] {
            for over in [0, 1] {
                let second = max - first + over;
                let bytes = [
                    Frame::new(TEXT, vec![b'x'; first]).more().to(side),
                    Frame::new(PING, "is not counted").to(side),
                    Frame::new(CONTINUATION, vec![b'x'; second]).more().to(side),
                    Frame::new(CONTINUATION, "").to(side),
                ];
                let seen = seen(side, &message_size(max), &bytes.concat());
                let expected = match over {
                    0 => vec![Seen::text(&"x".repeat(max))],
                    _ => too_large(max),
                };
                assert_eq!(seen[1..], expected, "{first} + {second}");
            }
        }
    }
}

#[test]
fn the_next_message_is_counted_from_zero() {
    let side = Side::Server;
    let message = Frame::new(BINARY, [1; 10]).to(side);
    let seen = seen(side, &message_size(10), &message.repeat(3));
    assert_eq!(seen, vec![Seen::binary(&[1; 10]); 3]);
}

#[test]
fn a_claimed_length_is_refused_by_the_header_alone() {
    for side in Side::BOTH {
        for claimed in [1001, 70_000, 1 << 40, u64::MAX >> 1] {
            let header = side.gets(Frame::new(BINARY, "")).header(claimed);
            assert_eq!(seen(side, &message_size(1000), &header), too_large(1000));
            // So is what a second fragment claims, beyond all addition.
            let bytes = [Frame::new(TEXT, "a").more().to(side), {
                side.gets(Frame::new(CONTINUATION, "")).header(claimed)
            }];
            let seen = seen(side, &message_size(1000), &bytes.concat());
            assert_eq!(seen, too_large(1000));
        }
    }
}

#[test]
fn no_length_overflows_a_limit_that_is_none() {
    let side = Side::Client;
    let mut end = End::new(side, &message_size(usize::MAX), Instant::now());
    end.get(&Frame::new(BINARY, "abc").more().to(side));
    end.get(&Frame::new(CONTINUATION, "").header(u64::MAX >> 1));
    end.get(b"def");
    assert_eq!(end.seen, []);
}

#[test]
fn of_fragments() {
    for side in Side::BOTH {
        for max in [1, 2, 3, 100] {
            // The frame that completes a message does not count.
            for count in [max, max + 1, max + 2] {
                let mut bytes = Vec::new();
                for i in 0..count {
                    let opcode = if i == 0 { BINARY } else { CONTINUATION };
                    let frame = Frame::new(opcode, [7]);
                    let is_last = i + 1 == count;
                    bytes.extend(if is_last { frame } else { frame.more() }.to(side));
                }
                let expected = match count - 1 <= max {
                    true => Seen::binary(&vec![7; count as usize]),
                    false => Seen::Fault(Exceeded::Fragments { max }.into()),
                };
                assert_eq!(seen(side, &fragments(max), &bytes), [expected]);
            }
        }
    }
}

#[test]
fn empty_fragments_and_control_frames_between_them() {
    let (side, max) = (Side::Server, 3);
    let config = fragments(max);
    let mut end = End::new(side, &config, Instant::now());
    end.get(&Frame::text("").more().to(side));
    end.get(&Frame::new(CONTINUATION, "").more().to(side));
    for _ in 0..10 {
        end.get(&Frame::new(PONG, "").to(side));
    }
    end.get(&Frame::new(CONTINUATION, "").more().to(side));
    end.take_seen();
    end.get(&Frame::new(CONTINUATION, "").more().to(side));
    let fault = Fault::from(Exceeded::Fragments { max });
    assert_eq!(end.seen, [Seen::Fault(fault)], "an empty fragment counts");
}

#[test]
fn a_limit_has_its_close_code_and_reason() {
    let side = Side::Server;
    let mut end = End::new(side, &message_size(3), Instant::now());
    end.get(&Frame::text("four").to(side));
    assert_eq!(
        end.frames(),
        [Frame::close(1009, "Message too large")],
        "the wire contract names both"
    );
    let mut end = End::new(side, &fragments(1), Instant::now());
    end.get(&Frame::text("a").more().to(side));
    end.get(&Frame::new(CONTINUATION, "b").more().to(side));
    assert_eq!(end.frames(), [Frame::close(1008, "Too many fragments")]);
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let limits = Config::default().limits;
    assert_eq!((limits.message_size, limits.fragments), (1 << 20, 16_384));
}

#[test]
fn of_control_payloads() {
    let close = |len: usize| [&1000u16.to_be_bytes()[..], &vec![b'r'; len - 2]].concat();
    for side in Side::BOTH {
        for len in [124, 125, 126] {
            let payload = vec![b'x'; len];
            for (opcode, payload) in [(PING, &payload), (PONG, &payload), (CLOSE, &close(len))] {
                let bytes = Frame::new(opcode, payload).to(side);
                let seen = seen(side, &Config::default(), &bytes);
                match (len, opcode) {
                    (126, _) => {
                        assert_eq!(seen, [Seen::Fault(Violation::ControlTooLong.into())]);
                    }
                    (_, PING) => assert_eq!(seen, [Seen::Ping(payload.clone())]),
                    (_, PONG) => assert_eq!(seen, [Seen::Pong(payload.clone())]),
                    _ => {
                        let [Seen::Close(frame)] = &seen[..] else {
                            panic!("{seen:?}");
                        };
                        assert_eq!(frame.reason().len(), len - 2);
                    }
                }
            }
        }
    }
}
