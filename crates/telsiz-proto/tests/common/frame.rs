//! Frames written and read by the book (RFC 6455, section 5.2), apart from the
//! code under test.

use super::Side;

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    /// The three reserved bits, RSV1 first.
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) key: Option<[u8; 4]>,
    /// Not masked, whatever `key` is.
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A final frame without a mask.
    pub(crate) fn new(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self {
            fin: true,
            reserved: 0,
            opcode,
            key: None,
            payload: payload.as_ref().to_vec(),
        }
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::new(TEXT, text)
    }

    pub(crate) fn close(code: u16, reason: &str) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The same, with more fragments to follow.
    pub(crate) fn more(self) -> Self {
        Self { fin: false, ..self }
    }

    pub(crate) fn masked(self, key: [u8; 4]) -> Self {
        Self {
            key: Some(key),
            ..self
        }
    }

    /// The frame without its mask: what it says.
    pub(crate) fn plain(self) -> Self {
        Self { key: None, ..self }
    }

    /// The bytes of the frame, masked if `side` has to get it masked.
    pub(crate) fn to(self, side: Side) -> Vec<u8> {
        side.gets(self).bytes()
    }

    /// The close code and the reason in a Close frame.
    pub(crate) fn close_body(&self) -> (u16, &str) {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        let (code, reason) = self.payload.split_first_chunk().expect("a code");
        let reason = std::str::from_utf8(reason).expect("a reason in UTF-8");
        (u16::from_be_bytes(*code), reason)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header(self.payload.len() as u64);
        let key = self.key.unwrap_or_default();
        bytes.extend(
            self.payload
                .iter()
                .zip(key.iter().cycle())
                .map(|(b, k)| b ^ k),
        );
        bytes
    }

    /// The header with a length that the payload need not have.
    pub(crate) fn header(&self, len: u64) -> Vec<u8> {
        let mask = if self.key.is_some() { 0x80 } else { 0 };
        let fin = if self.fin { 0x80 } else { 0 };
        let mut bytes = vec![fin | self.reserved << 4 | self.opcode];
        match len {
            0..=125 => bytes.push(mask | len as u8),
            126..=0xffff => {
                bytes.push(mask | 126);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend_from_slice(&len.to_be_bytes());
            }
        }
        bytes.extend_from_slice(self.key.as_ref().map_or(&[], |key| &key[..]));
        bytes
    }

    /// Reads `bytes`, which are whole frames with lengths in their shortest form.
    pub(crate) fn read_all(bytes: &[u8]) -> Vec<Self> {
        let mut frames = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
            let (len, mut at) = match rest[1] & 0x7f {
                126 => (number(&rest[2..4]), 4),
                127 => (number(&rest[2..10]), 10),
                short => (usize::from(short), 2),
            };
            let key = (rest[1] & 0x80 != 0).then(|| {
                at += 4;
                rest[at - 4..at].try_into().expect("four bytes")
            });
            let masked = rest[at..at + len].iter();
            let frame = Self {
                fin: rest[0] & 0x80 != 0,
                reserved: rest[0] >> 4 & 0x7,
                opcode: rest[0] & 0xf,
                key,
                payload: masked
                    .zip(key.unwrap_or_default().iter().cycle())
                    .map(|(b, k)| b ^ k)
                    .collect(),
            };
            assert_eq!(frame.bytes(), rest[..at + len], "not the shortest form");
            frames.push(frame);
            rest = &rest[at + len..];
        }
        frames
    }
}
