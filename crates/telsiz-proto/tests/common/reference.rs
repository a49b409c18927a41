//! A receiver by the book: slow, short, and with all bytes at hand.

use telsiz_proto::{CloseCode, CloseFrame, Exceeded, Fault, Kind, Limits, Violation};

use super::frame::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT};
use super::{Seen, Side};

/// What a connection on `side` has to say about `bytes`.
pub(crate) fn receive(side: Side, limits: &Limits, bytes: &[u8]) -> Vec<Seen> {
    let mut book = Book {
        side,
        limits,
        rest: bytes,
        message: None,
        seen: Vec::new(),
    };
    loop {
        match book.frame() {
            Ok(true) => {}
            Ok(false) => return book.seen,
            Err(fault) => {
                book.seen.push(Seen::Fault(fault));
                return book.seen;
            }
        }
    }
}

struct Book<'a> {
    side: Side,
    limits: &'a Limits,
    rest: &'a [u8],
    message: Option<(Kind, Vec<u8>, u32)>,
    seen: Vec<Seen>,
}

impl Book<'_> {
    /// Reads a frame; whether another may follow.
    fn frame(&mut self) -> Result<bool, Fault> {
        let [first, second, ..] = *self.rest else {
            return Ok(false);
        };
        let (fin, opcode, short) = (first & 0x80 != 0, first & 0xf, second & 0x7f);
        if first & 0x70 != 0 {
            return Err(Violation::ReservedBits.into());
        }
        if ![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].contains(&opcode) {
            return Err(Violation::ReservedOpcode(opcode).into());
        }
        if opcode >= CLOSE && !fin {
            return Err(Violation::ControlFragmented.into());
        }
        if opcode >= CLOSE && short > 125 {
            return Err(Violation::ControlTooLong.into());
        }
        let len_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(long) = self.rest.get(2..2 + len_bytes) else {
            return Ok(false);
        };
        let long = long.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
        let len = match short {
            126 if long <= 125 => return Err(Violation::Length.into()),
            127 if long <= 0xffff || long >> 63 != 0 => return Err(Violation::Length.into()),
            126 | 127 => long,
            short => short.into(),
        };
        let key_bytes = if second & 0x80 != 0 { 4 } else { 0 };
        let Some(key) = self.rest.get(2 + len_bytes..2 + len_bytes + key_bytes) else {
            return Ok(false);
        };
        match (self.side, key) {
            (Side::Server, []) => return Err(Violation::Unmasked.into()),
            (Side::Client, [_, ..]) => return Err(Violation::Masked.into()),
            _ => {}
        }
        let body = &self.rest[2 + len_bytes + key_bytes..];
        let here = usize::try_from(len).unwrap_or(usize::MAX).min(body.len());
        let is_whole = here as u64 == len;
        let payload = match key {
            [] => body[..here].to_vec(),
            key => (body[..here].iter().zip(key.iter().cycle()))
                .map(|(byte, key)| byte ^ key)
                .collect(),
        };
        self.rest = &body[here..];
        match opcode {
            CLOSE | PING | PONG if !is_whole => Ok(false),
            PING => Ok(self.says(Seen::Ping(payload))),
            PONG => Ok(self.says(Seen::Pong(payload))),
            CLOSE => {
                let frame = close_frame(&payload)?;
                self.says(Seen::Close(frame));
                Ok(false)
            }
            _ => self.data(opcode, fin, len, payload),
        }
    }

    fn says(&mut self, seen: Seen) -> bool {
        self.seen.push(seen);
        true
    }

    /// Of a data frame, `payload` has come.
    fn data(&mut self, opcode: u8, fin: bool, len: u64, payload: Vec<u8>) -> Result<bool, Fault> {
        let (kind, mut data, frames) = match (opcode, self.message.take()) {
            (CONTINUATION, None) => return Err(Violation::NothingToContinue.into()),
            (CONTINUATION, Some(message)) => message,
            (_, Some(_)) => return Err(Violation::MessageInterrupted.into()),
            (TEXT, None) => (Kind::Text, Vec::new(), 0),
            (_, None) => (Kind::Binary, Vec::new(), 0),
        };
        if data.len() as u128 + u128::from(len) > self.limits.message_size as u128 {
            let max = self.limits.message_size;
            return Err(Exceeded::MessageSize { max }.into());
        }
        if frames + 1 > self.limits.fragments && !fin {
            let max = self.limits.fragments;
            return Err(Exceeded::Fragments { max }.into());
        }
        let is_whole = payload.len() as u64 == len;
        data.extend_from_slice(&payload);
        if kind == Kind::Text
            && let Err(error) = std::str::from_utf8(&data)
            && (error.error_len().is_some() || fin && is_whole)
        {
            return Err(Violation::NotUtf8.into());
        }
        match fin && is_whole {
            true => self.seen.push(Seen::Message(kind, data)),
            false => self.message = Some((kind, data, frames + 1)),
        }
        Ok(is_whole)
    }
}

fn close_frame(body: &[u8]) -> Result<CloseFrame, Fault> {
    let (code, reason) = match body {
        [] => return Ok(CloseFrame::EMPTY),
        [_] => return Err(Violation::CloseTooShort.into()),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    if !may_stand_on_the_wire(code) {
        return Err(Violation::CloseCode(code).into());
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::CloseReasonNotUtf8)?;
    let code = CloseCode::new(code).expect("a code of the table");
    Ok(CloseFrame::new(code, reason).expect("a short reason"))
}

/// RFC 6455, section 7.4, and the registry of IANA.
pub(crate) fn may_stand_on_the_wire(code: u16) -> bool {
    let registered = [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    ];
    registered.contains(&code) || (3000..5000).contains(&code)
}
