//! A client's frame, as far as the floors look at it.

#![allow(missing_docs, reason = "opcodes and bits speak for themselves")]

pub const OPCODE: u8 = 0x0f;
pub const TEXT: u8 = 0x1;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
pub const FIN: u8 = 0x80;
pub const MASKED: u8 = 0x80;

/// The client broke the protocol in a way that leaves nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation;

/// The header of a client's frame.
#[derive(Debug)]
pub struct Header {
    /// Of the header itself, key included.
    pub length: usize,
    /// Of the payload.
    pub payload: u64,
    /// The masking key.
    pub key: [u8; 4],
    /// Without the bits beside it.
    pub opcode: u8,
}

impl Header {
    /// `None` while it is not whole.
    #[inline]
    pub fn parse(data: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ref rest @ ..] = data else {
            return Ok(None);
        };
        if second & MASKED == 0 {
            return Err(Violation);
        }
        let (payload, rest, length) = match second & !MASKED {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 8),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest, 14),
                None => return Ok(None),
            },
            short => (u64::from(short), rest, 6),
        };
        Ok(rest.first_chunk::<4>().map(|key| Self {
            length,
            payload,
            key: *key,
            opcode: first & OPCODE,
        }))
    }
}

/// XORs with the key, eight bytes at a time; the compiler makes vectors of that.
#[inline]
pub fn unmask(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= key;
    }
}
