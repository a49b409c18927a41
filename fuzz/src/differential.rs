//! `differential`: frames, right and wrong, read by us and by tungstenite.

use std::io::{self, Read, Write};
use std::time::Instant;

use telsiz_proto::{CloseCode, CloseFrame, Config, Fault, Kind, Violation};
use tungstenite::error::{CapacityError, Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use crate::common::{Driver, End, Seen, Side, reference};
use crate::script::Script;

/// The size of a message from which on both refuse it.
const LIMIT: usize = 1_000;

/// Of any frames, in both roles, we say what tungstenite says, but for the differences that are known: there we
/// say what the RFC says.
pub fn differential(data: &[u8]) {
    let mut script = Script::new(data);
    let side = script.pick(&Side::BOTH);
    let sizes = script.sizes(3);
    let bytes = bytes(side, &mut script);
    compare(side, &bytes, &sizes);
}

/// Frames that a script makes up: most of them right.
fn bytes(side: Side, script: &mut Script<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !script.is_over() && bytes.len() < 8 * LIMIT {
        let what = script.byte();
        let opcode = match what & 0x0f {
            0..=3 => TEXT,
            4..=6 => BINARY,
            7..=10 => CONTINUATION,
            11 => PING,
            12 => PONG,
            13 if what >= 0x80 => CLOSE,
            13 => PING,
            14 => script.byte() & 0x0f,
            _ => {
                // Damage of what is there.
                match what >> 4 {
                    0..=7 if !bytes.is_empty() => {
                        let at = script.below(bytes.len());
                        bytes[at] ^= 1 << (what >> 4);
                    }
                    8 => bytes.extend_from_slice(script.bytes(4)),
                    9 => bytes.truncate(bytes.len().saturating_sub(1)),
                    _ => {}
                }
                continue;
            }
        };
        let payload = match opcode {
            CLOSE => {
                let code = (script.byte() as u16) << 8 | script.byte() as u16;
                let code = if what & 0x40 != 0 {
                    990 + code % 50
                } else {
                    code
                };
                let reason = script.below(8);
                [&code.to_be_bytes(), script.bytes(reason)].concat()
            }
            PING | PONG => {
                let len = script.below(128);
                script.bytes(len).to_vec()
            }
            TEXT if what & 0x10 == 0 => {
                let len = script.size();
                "aş€😀".bytes().cycle().take(len).collect()
            }
            _ => script.payload(LIMIT + 50),
        };
        let mut frame = Frame::new(opcode, payload);
        frame.fin = what & 0x20 == 0 || opcode >= CLOSE && what & 0x10 == 0;
        if what == 0xfe {
            frame.reserved = script.byte() & 7;
        }
        bytes.extend(frame.to(side));
    }
    bytes
}

/// What a connection came to: what it said, and with which code it then failed.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    said: Vec<Seen>,
    /// The close code of a failure.
    failed: Option<u16>,
}

/// Where we and tungstenite differ. Each has the rule that says who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// It reads a length that is not in its shortest form (RFC 6455, section 5.2: "the minimal number of bytes MUST
    /// be used").
    LongLength,
    /// It takes a length with the top bit set for a large one: 1009 instead of 1002 (section 5.2: "the most
    /// significant bit MUST be 0").
    TopBit,
    /// It judges a frame when all of it is there; we judge what is there (section 7.1.7 does not say when; a peer
    /// that has broken a rule is not waited for).
    Early,
    /// It answers a Close frame with a code that may not stand on the wire with 1002, as we do, but hands it out as
    /// if the peer had said 1002 (section 7.4.1: such a code "MUST NOT be set"; section 7.1.5: the code is the one
    /// in the peer's frame).
    WrongCloseCode,
    /// It takes 1014 for a code that may not stand on the wire. It has been registered since (section 7.4.2 and the
    /// registry of IANA).
    BadGateway,
    /// A frame breaks two rules, and it names the other one.
    TwoFaults,
    /// A client goes on reading after the Close frame and takes what comes for a fault (section 1.4: "discards any
    /// further data received").
    AfterClose,
}

/// Gives `bytes` to both and compares. Where they differ, the difference is a known one and we are as the book says.
fn compare(side: Side, bytes: &[u8], sizes: &[usize]) -> Option<Difference> {
    let (ours, fault) = ours(side, bytes, sizes);
    let theirs = theirs(side, bytes, sizes);
    let mut config = Config::default();
    config.limits.message_size = LIMIT;
    config.limits.fragments = u32::MAX;
    let mut book = reference::receive(side, &config.limits, bytes);
    let failed = take_fault(&mut book);
    assert_eq!(ours.said, book);
    assert_eq!(fault, failed);
    if ours == theirs {
        return None;
    }
    let difference = difference(fault, &ours, &theirs);
    match difference {
        None => panic!("ours: {ours:?}\ntheirs: {theirs:?}\n{bytes:02x?}"),
        Some(Difference::Early) => {
            // With the rest of the frame it finds fault too.
            let whole = [bytes, &[0; 2 * LIMIT]].concat();
            let theirs = self::theirs(side, &whole, sizes);
            assert!(theirs.failed.is_some(), "{fault:?} {bytes:02x?}");
        }
        Some(_) => {}
    }
    difference
}

/// The known difference that this is.
fn difference(fault: Option<Fault>, ours: &Verdict, theirs: &Verdict) -> Option<Difference> {
    let same_so_far = theirs.said.starts_with(&ours.said) && ours.said.len() <= theirs.said.len();
    let is_close =
        |seen: &Seen, code: u16| matches!(seen, Seen::Close(f) if f.code().get() == code);
    match fault {
        // Of a control frame too, whose length never needs more than one byte.
        Some(Fault::Violation(Violation::ControlTooLong))
            if same_so_far && ours.said != theirs.said =>
        {
            let next = theirs.said.get(ours.said.len())?;
            let is_control = matches!(next, Seen::Ping(_) | Seen::Pong(_) | Seen::Close(_));
            is_control.then_some(Difference::LongLength)
        }
        Some(Fault::Violation(Violation::Length)) if same_so_far => match theirs.failed {
            Some(1009) if ours.said == theirs.said => Some(Difference::TopBit),
            _ => Some(Difference::LongLength),
        },
        Some(Fault::Violation(Violation::CloseCode(code))) if same_so_far => match theirs.failed {
            Some(1007) => Some(Difference::TwoFaults),
            _ if code == 1014 => None,
            _ => {
                let said = theirs.said.get(ours.said.len())?;
                is_close(said, 1002).then_some(Difference::WrongCloseCode)
            }
        },
        Some(_) if ours.said == theirs.said => match theirs.failed {
            None => Some(Difference::Early),
            // Both fail here, with codes of which each is right.
            Some(1002 | 1007 | 1009) => Some(Difference::TwoFaults),
            Some(_) => None,
        },
        None if ours.said == theirs.said && theirs.failed.is_some() => {
            let ended = matches!(ours.said.last(), Some(Seen::Close(_)));
            ended.then_some(Difference::AfterClose)
        }
        None => {
            let (last, before) = ours.said.split_last()?;
            let (their_last, their_before) = theirs.said.split_last()?;
            let is_it =
                before == their_before && is_close(last, 1014) && is_close(their_last, 1002);
            is_it.then_some(Difference::BadGateway)
        }
        Some(_) => None,
    }
}

fn take_fault(seen: &mut Vec<Seen>) -> Option<Fault> {
    match seen.last() {
        Some(Seen::Fault(fault)) => {
            let fault = *fault;
            seen.pop();
            Some(fault)
        }
        _ => None,
    }
}

fn ours(side: Side, bytes: &[u8], sizes: &[usize]) -> (Verdict, Option<Fault>) {
    let mut config = Config::default();
    config.limits.message_size = LIMIT;
    config.limits.fragments = u32::MAX;
    let mut end = End::new(side, &config, Instant::now());
    end.get_split(Driver::SIMPLE, bytes, sizes);
    let mut said = end.seen;
    let fault = take_fault(&mut said);
    let failed = fault.map(|fault| fault.close_frame().code().get());
    (Verdict { said, failed }, fault)
}

/// Bytes that come in reads of given sizes; what is written is forgotten.
struct Stream<'a> {
    rest: &'a [u8],
    sizes: Box<dyn Iterator<Item = usize> + 'a>,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = self.sizes.next().unwrap_or(1);
        let n = size.min(self.rest.len()).min(buffer.len());
        let (read, rest) = self.rest.split_at(n);
        buffer[..n].copy_from_slice(read);
        self.rest = rest;
        Ok(n)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(side: Side, bytes: &[u8], sizes: &[usize]) -> Verdict {
    let role = match side {
        Side::Client => Role::Client,
        Side::Server => Role::Server,
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .accept_unmasked_frames(false);
    let stream = Stream {
        rest: bytes,
        sizes: Box::new(sizes.iter().copied().cycle()),
    };
    let mut socket = WebSocket::from_raw_socket(stream, role, Some(config));
    let mut said = Vec::new();
    let failed = loop {
        said.push(match socket.read() {
            Ok(Message::Text(text)) => Seen::Message(Kind::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => Seen::Message(Kind::Binary, bytes.to_vec()),
            Ok(Message::Ping(payload)) => Seen::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Seen::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => Seen::Close(match frame {
                None => CloseFrame::EMPTY,
                Some(frame) => {
                    let code =
                        CloseCode::new(frame.code.into()).expect("1002 or a code of the table");
                    CloseFrame::new(code, frame.reason.as_str()).expect("a short reason")
                }
            }),
            Ok(Message::Frame(_)) => panic!("a frame instead of a message"),
            // Nothing is left, or a server has seen the end.
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break None,
            Err(Error::ConnectionClosed) => break None,
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => break None,
            Err(Error::Protocol(_)) => break Some(1002),
            Err(Error::Utf8(_)) => break Some(1007),
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => break Some(1009),
            Err(error) => panic!("{error}"),
        });
    };
    Verdict { said, failed }
}

#[cfg(test)]
mod tests {
    use telsiz_proto::Exceeded;

    use super::*;
    use crate::common::noise;

    #[test]
    fn frames_at_random_are_read_alike_but_for_the_known_differences() {
        let mut same = 0;
        for seed in 0..20_000 {
            let script = noise(3 + seed % 120, seed as u64);
            let mut script = Script::new(&script);
            let side = script.pick(&Side::BOTH);
            let sizes = script.sizes(3);
            let bytes = bytes(side, &mut script);
            same += usize::from(compare(side, &bytes, &sizes).is_none());
        }
        assert!(same > 5_000, "{same}");
    }

    /// What both make of frames that come in one read: the difference, our fault, what tungstenite says.
    #[track_caller]
    fn differs(
        side: Side,
        frames: &[Vec<u8>],
        difference: Difference,
        violation: Option<Violation>,
        theirs_fails: Option<u16>,
    ) {
        let bytes = frames.concat();
        let all = [usize::MAX];
        assert_eq!(compare(side, &bytes, &all), Some(difference));
        let (_, fault) = ours(side, &bytes, &all);
        assert_eq!(fault, violation.map(Fault::Violation));
        assert_eq!(theirs(side, &bytes, &all).failed, theirs_fails);
    }

    #[test]
    fn a_length_that_is_not_in_its_shortest_form_is_wrong() {
        // RFC 6455, section 5.2: "the minimal number of bytes MUST be used to encode the length".
        let frame = vec![0x82, 126, 0, 1, b'a'];
        let wrong = Some(Violation::Length);
        differs(Side::Client, &[frame], Difference::LongLength, wrong, None);
        // Of a control frame the first byte says that it is too long (section 5.5).
        let ping = vec![0x89, 126, 0, 1, b'a'];
        let wrong = Some(Violation::ControlTooLong);
        differs(Side::Client, &[ping], Difference::LongLength, wrong, None);
    }

    #[test]
    fn the_top_bit_of_a_length_is_wrong_and_not_large() {
        // RFC 6455, section 5.2: "the most significant bit MUST be 0".
        let frame = [&[0x82, 127, 0x80][..], &[0; 7]].concat();
        let wrong = Some(Violation::Length);
        differs(
            Side::Client,
            &[frame],
            Difference::TopBit,
            wrong,
            Some(1009),
        );
    }

    #[test]
    fn what_is_wrong_already_is_not_waited_for() {
        // RFC 6455, section 8.1 fails a connection on bytes that are no UTF-8: here they are within the first of
        // five bytes, and the others need not come.
        for side in Side::BOTH {
            let mut bytes = Frame::new(TEXT, b"\xff1234").to(side);
            bytes.truncate(bytes.len() - 1);
            let wrong = Some(Violation::NotUtf8);
            differs(side, &[bytes], Difference::Early, wrong, None);
            let mut ping = Frame::new(PING, [0; 126]).to(side);
            ping.truncate(20);
            // Section 5.5: "All control frames MUST have a payload length of 125 bytes or less".
            let wrong = Some(Violation::ControlTooLong);
            differs(side, &[ping], Difference::Early, wrong, None);
        }
    }

    #[test]
    fn reserved_bits_of_a_frame_that_is_too_large_are_wrong() {
        // RFC 6455, section 5.2: reserved bits "MUST be 0 unless an extension is negotiated"; 1009 (section 7.4.1)
        // is for a message that could be processed but for its size.
        let mut frame = Frame::new(BINARY, [0; LIMIT + 1]);
        frame.reserved = 2;
        let wrong = Some(Violation::ReservedBits);
        let frame = frame.to(Side::Server);
        differs(
            Side::Server,
            &[frame],
            Difference::TwoFaults,
            wrong,
            Some(1009),
        );
    }

    #[test]
    fn close_codes_that_never_stand_on_the_wire_are_no_word_of_the_peer() {
        // RFC 6455, section 7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close control frame".
        for side in Side::BOTH {
            for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
                let frame = Frame::close(code, "").to(side);
                let wrong = Some(Violation::CloseCode(code));
                differs(side, &[frame], Difference::WrongCloseCode, wrong, None);
            }
        }
    }

    #[test]
    fn the_code_1014_is_registered() {
        // RFC 6455, section 7.4.2 leaves 1000 to 2999 to revisions and the registry of IANA, which has 1014.
        let frame = Frame::close(1014, "").to(Side::Client);
        differs(Side::Client, &[frame], Difference::BadGateway, None, None);
    }

    #[test]
    fn what_comes_after_a_close_frame_is_discarded() {
        // RFC 6455, section 1.4: "After receiving a control frame indicating the connection should be closed, a
        // peer discards any further data received."
        let frames = [Frame::close(1000, ""), Frame::text("late")].map(|f| f.to(Side::Client));
        differs(
            Side::Client,
            &frames,
            Difference::AfterClose,
            None,
            Some(1002),
        );
    }

    #[test]
    fn messages_at_the_limit_are_read_alike() {
        for side in Side::BOTH {
            for (len, fault) in [
                (LIMIT - 1, None),
                (LIMIT, None),
                (LIMIT + 1, Some(Exceeded::MessageSize { max: LIMIT }.into())),
            ] {
                let one = Frame::new(BINARY, vec![7; len]).to(side);
                let two = [
                    Frame::new(BINARY, vec![7; len - 10]).more(),
                    Frame::new(CONTINUATION, [7; 10]),
                ];
                for bytes in [one, two.map(|frame| frame.to(side)).concat()] {
                    assert_eq!(compare(side, &bytes, &[100]), None);
                    assert_eq!(ours(side, &bytes, &[100]).1, fault);
                }
            }
        }
    }
}
