//! Text that is no UTF-8 is refused at the first byte that shows it, and only
//! then (RFC 6455, sections 5.6 and 8.1).

mod common;

use telsiz_proto::Violation;

use common::frame::{BINARY, CONTINUATION, Frame, PING, TEXT};
use common::{Driver, End, Seen, Side, Space};

const VALID: [&str; 6] = [
    "κόσμε",
    "günaydın €",
    "😀\u{10ffff}",
    "\u{0}\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}",
    "\u{d7ff}\u{e000}\u{fffd}",
    "e\u{301}\u{200d}",
];

/// Lone continuations, cut sequences, overlong forms, surrogates, beyond
/// U+10FFFF, bytes that never occur.
const INVALID: [&[u8]; 20] = [
    b"\x80",
    b"\xbf",
    b"\xc3a",
    b"\xc3\xc3",
    b"\xe2\x82a",
    b"\xf0\x9f\x98a",
    b"\xf0\x9f\x98\xf0",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8",
    b"\xfe",
    b"\xff",
];

fn refused() -> Seen {
    Seen::Fault(Violation::NotUtf8.into())
}

/// How many of `bytes` it takes to see that they are no UTF-8.
fn first_wrong(bytes: &[u8]) -> usize {
    let is_wrong = |end: &usize| {
        std::str::from_utf8(&bytes[..*end]).is_err_and(|error| error.error_len().is_some())
    };
    (1..=bytes.len()).find(is_wrong).expect("wrong bytes")
}

/// Both kinds of text before what matters: none, short, long, of wide characters.
fn prefixes() -> Vec<String> {
    let mut prefixes: Vec<_> = [0, 1, 7, 31, 32, 60, 61, 62, 63, 64, 65, 127, 128, 1000]
        .map(|len| "x".repeat(len))
        .into();
    prefixes.extend([1, 16, 21, 22, 64].map(|n| "€".repeat(n)));
    prefixes
}

#[test]
fn inside_a_frame_it_is_refused_at_the_first_wrong_byte() {
    for side in Side::BOTH {
        for invalid in INVALID {
            for prefix in prefixes() {
                // Much more is claimed than comes.
                let text = [prefix.as_bytes(), invalid, &[b'x'; 500]].concat();
                let wrong = prefix.len() + first_wrong(invalid);
                let bytes = Frame::new(TEXT, &text).to(side);
                let header = bytes.len() - text.len();
                let mut end = End::of(side);
                end.get(&bytes[..header + wrong - 1]);
                assert_eq!(end.seen, [], "{invalid:x?} after {}", prefix.len());
                end.get(&bytes[header + wrong - 1..header + wrong]);
                assert_eq!(end.seen, [refused()], "{invalid:x?}");
            }
        }
    }
}

#[test]
fn it_is_refused_in_whole_frames_too() {
    for side in Side::BOTH {
        for invalid in INVALID {
            for prefix in prefixes() {
                let text = [prefix.as_bytes(), invalid].concat();
                for frame in [Frame::new(TEXT, &text), Frame::new(TEXT, &text).more()] {
                    let mut end = End::of(side);
                    end.get(&frame.to(side));
                    assert_eq!(end.seen, [refused()], "{invalid:x?}");
                }
            }
        }
    }
}

#[test]
fn across_fragments_it_is_refused_at_the_first_wrong_byte() {
    for side in Side::BOTH {
        for invalid in INVALID {
            for prefix in ["", "x", "€€€"] {
                let text = [prefix.as_bytes(), invalid].concat();
                let wrong = prefix.len() + first_wrong(invalid);
                let mut end = End::of(side);
                for (i, byte) in text[..wrong].iter().enumerate() {
                    assert_eq!(end.seen, []);
                    let opcode = if i == 0 { TEXT } else { CONTINUATION };
                    end.get(&Frame::new(opcode, [*byte]).more().to(side));
                }
                assert_eq!(end.seen, [refused()], "{invalid:x?}");
            }
        }
    }
}

#[test]
fn in_the_space_of_a_large_message_it_is_refused_with_its_read() {
    let driver = Driver {
        owned: true,
        space: Space::Alone,
    };
    for side in Side::BOTH {
        let mut text = "€".repeat(20_000).into_bytes();
        text[40_000] = 0xff;
        let bytes = Frame::new(TEXT, &text).to(side);
        let wrong = bytes.len() - text.len() + 40_000;
        let mut end = End::of(side);
        end.get_split(driver, &bytes[..wrong], &[9_001]);
        assert!(end.spaced > 10_000);
        assert_eq!(end.seen, []);
        end.read(driver, &bytes[wrong..=wrong]);
        assert_eq!(end.seen, [refused()]);
    }
}

#[test]
fn characters_may_be_cut_by_fragments_anywhere() {
    for side in Side::BOTH {
        for text in VALID {
            let bytes = text.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let frames = [
                        Frame::new(TEXT, &bytes[..first]).more(),
                        Frame::new(CONTINUATION, &bytes[first..second]).more(),
                        Frame::new(PING, [0xff]),
                        Frame::new(CONTINUATION, &bytes[second..]),
                    ];
                    let mut end = End::of(side);
                    for frame in frames {
                        end.get(&frame.to(side));
                    }
                    let expected = [Seen::Ping(vec![0xff]), Seen::text(text)];
                    assert_eq!(end.seen, expected, "{first} {second}");
                }
            }
        }
    }
}

#[test]
fn characters_may_be_cut_by_reads_anywhere() {
    for side in Side::BOTH {
        for prefix in prefixes() {
            for text in VALID {
                let text = prefix.clone() + text;
                let bytes = Frame::text(&text).to(side);
                for cut in bytes.len() - (text.len() - prefix.len())..bytes.len() {
                    let mut end = End::of(side);
                    end.get(&bytes[..cut]);
                    end.get(&bytes[cut..]);
                    assert_eq!(end.seen, [Seen::text(&text)]);
                }
            }
        }
    }
}

#[test]
fn a_message_may_not_end_inside_a_character() {
    for side in Side::BOTH {
        for last in ["ş", "€", "😀"] {
            for prefix in prefixes() {
                let whole = prefix.clone() + last;
                for end_at in prefix.len() + 1..whole.len() {
                    let text = &whole.as_bytes()[..end_at];
                    let in_one = Frame::new(TEXT, text).to(side);
                    let in_two = [
                        Frame::new(TEXT, text).more().to(side),
                        Frame::new(CONTINUATION, "").to(side),
                    ];
                    for bytes in [in_one, in_two.concat()] {
                        let mut end = End::of(side);
                        end.get(&bytes[..bytes.len() - 1]);
                        assert_eq!(end.seen, [], "it might go on");
                        end.get(&bytes[bytes.len() - 1..]);
                        assert_eq!(end.seen, [refused()]);
                    }
                }
            }
        }
    }
}

#[test]
fn the_next_message_begins_afresh() {
    let side = Side::Server;
    let mut end = End::of(side);
    end.get(&Frame::new(TEXT, "a").more().to(side));
    end.get(&Frame::new(CONTINUATION, "b").to(side));
    end.get(&Frame::new(TEXT, b"\xe2").more().to(side));
    end.get(&Frame::new(CONTINUATION, b"\x82\xac").to(side));
    assert_eq!(end.seen, [Seen::text("ab"), Seen::text("€")]);
}

#[test]
fn binary_messages_may_be_anything() {
    for side in Side::BOTH {
        for invalid in INVALID {
            let (a, b) = invalid.split_at(invalid.len() / 2);
            let mut end = End::of(side);
            end.get(&Frame::new(BINARY, invalid).to(side));
            end.get(&Frame::new(BINARY, a).more().to(side));
            end.get(&Frame::new(CONTINUATION, b).to(side));
            assert_eq!(end.seen, vec![Seen::binary(invalid); 2]);
        }
    }
}
