//! The header of a frame: 2 to 14 bytes (RFC 6455, section 5.2).

use super::OpCode;
use super::mask::Key;
use crate::error::Violation;

/// The longest header: 2 bytes, a 64-bit length, a masking key.
pub(crate) const MAX: usize = 14;

/// The most payload that a control frame may carry.
pub(crate) const MAX_CONTROL: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// A decoded header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    /// RSV1: the first frame of a compressed message (RFC 7692, section 6).
    pub(crate) compressed: bool,
    pub(crate) opcode: OpCode,
    pub(crate) mask: Option<Key>,
    pub(crate) len: u64,
}

impl Header {
    /// Decodes the header at the start of `bytes` and says how long it is;
    /// `None` when more bytes are needed.
    ///
    /// What the first two bytes show to be wrong is refused before the rest
    /// has come. That a message is compressed is wrong unless `deflate` was agreed
    /// on.
    #[inline(always)]
    pub(crate) fn decode(bytes: &[u8], deflate: bool) -> Result<Option<(Self, usize)>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        let compressed = deflate && first & RESERVED == RSV1;
        if first & RESERVED != 0 && !compressed {
            return Err(Violation::ReservedBits);
        }
        let Some(opcode) = OpCode::from_bits(first) else {
            return Err(Violation::ReservedOpcode(first & 0x0f));
        };
        if compressed && !matches!(opcode, OpCode::Text | OpCode::Binary) {
            return Err(Violation::ReservedBits);
        }
        let fin = first & FIN != 0;
        let short = second & !MASKED;
        if opcode.is_control() {
            if !fin {
                return Err(Violation::ControlFragmented);
            }
            if usize::from(short) > MAX_CONTROL {
                return Err(Violation::ControlTooLong);
            }
        }
        let (len, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((long, rest)) => (u64::from(u16::from_be_bytes(*long)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((long, rest)) => (u64::from_be_bytes(*long), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        // "The minimal number of bytes MUST be used"; the top bit MUST be 0.
        let fits = match short {
            126 => len > 125,
            127 => len > 0xffff && len >> 63 == 0,
            _ => true,
        };
        if !fits {
            return Err(Violation::Length);
        }
        let (mask, rest) = match second & MASKED != 0 {
            true => match rest.split_first_chunk() {
                Some((key, rest)) => (Some(Key::new(*key)), rest),
                None => return Ok(None),
            },
            false => (None, rest),
        };
        let header = Self {
            fin,
            compressed,
            opcode,
            mask,
            len,
        };
        Ok(Some((header, bytes.len() - rest.len())))
    }

    /// Appends the header as it stands on the wire.
    #[inline]
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let fin = if self.fin { FIN } else { 0 };
        let first = self.opcode.bits() | fin | if self.compressed { RSV1 } else { 0 };
        let (short, long, mut len) = match self.len {
            0..=125 => (self.len as u8, 0, 2),
            126..=0xffff => (126, u64::from((self.len as u16).swap_bytes()), 4),
            _ => (127, self.len.swap_bytes(), 10),
        };
        // It is put together in a register and stored at once, with zeros behind.
        let mut bytes = u128::from(first) | u128::from(short) << 8 | u128::from(long) << 16;
        if let Some(key) = self.mask {
            bytes |= u128::from(MASKED) << 8 | u128::from(key.to_word()) << (8 * len);
            len += 4;
        }
        let end = out.len() + len;
        out.extend_from_slice(&bytes.to_le_bytes());
        out.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(opcode: OpCode, len: u64, mask: Option<Key>) -> Header {
        Header {
            fin: true,
            compressed: false,
            opcode,
            mask,
            len,
        }
    }

    #[test]
    fn every_length_form_reads_back_at_its_borders() {
        for len in [0, 1, 125, 126, 0xffff, 0x1_0000, u64::MAX >> 1] {
            for mask in [None, Some(Key::new([1, 2, 3, 4]))] {
                let header = header(OpCode::Binary, len, mask);
                let mut bytes = Vec::new();
                header.encode(&mut bytes);
                assert_eq!(
                    Header::decode(&bytes, false),
                    Ok(Some((header, bytes.len())))
                );
                for end in 0..bytes.len() {
                    assert_eq!(
                        Header::decode(&bytes[..end], false),
                        Ok(None),
                        "{len} {end}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_length_that_is_not_in_its_shortest_form_is_refused() {
        for bytes in [
            &[0x82, 126, 0, 125][..],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],
        ] {
            assert_eq!(
                Header::decode(bytes, false),
                Err(Violation::Length),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn two_bytes_are_enough_to_refuse() {
        for bit in [0x40, 0x20, 0x10] {
            assert_eq!(
                Header::decode(&[0x81 | bit, 127], false),
                Err(Violation::ReservedBits)
            );
        }
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert_eq!(
                Header::decode(&[0x80 | opcode, 127], false),
                Err(Violation::ReservedOpcode(opcode))
            );
        }
        assert_eq!(
            Header::decode(&[0x09, 0], false),
            Err(Violation::ControlFragmented)
        );
        assert_eq!(
            Header::decode(&[0x89, 126], false),
            Err(Violation::ControlTooLong)
        );
    }

    #[test]
    fn rsv1_may_stand_where_a_compressed_message_begins_and_nowhere_else() {
        for (opcode, allowed) in [
            (0, false),
            (1, true),
            (2, true),
            (8, false),
            (9, false),
            (10, false),
        ] {
            for fin in [0, 0x80] {
                let decoded = Header::decode(&[fin | 0x40 | opcode, 0], true);
                match allowed {
                    true => assert!(matches!(decoded, Ok(Some((header, 2))) if header.compressed)),
                    false => assert_eq!(decoded, Err(Violation::ReservedBits)),
                }
                for more in [0x20, 0x10, 0x30] {
                    let decoded = Header::decode(&[fin | 0x40 | more | opcode, 0], true);
                    assert_eq!(decoded, Err(Violation::ReservedBits));
                }
            }
        }
    }
}
