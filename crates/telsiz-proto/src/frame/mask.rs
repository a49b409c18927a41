//! Masking (RFC 6455, section 5.3).

/// How many bytes one step of the wide loop takes; the compiler makes vector
/// instructions of it.
const WIDE: usize = 64;

/// A masking key, and how far it has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

impl Key {
    #[inline]
    pub(crate) fn new(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    #[inline]
    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// Masks or unmasks `bytes` in place; the key for the bytes that follow.
    #[inline]
    pub(crate) fn apply(self, bytes: &mut [u8]) -> Self {
        let word = u64::from(self.0) << 32 | u64::from(self.0);
        let turn = bytes.len() % 4;
        let (wide, rest) = bytes.as_chunks_mut::<WIDE>();
        for chunk in wide {
            let (words, _) = chunk.as_chunks_mut::<8>();
            for bytes in words {
                *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
            }
        }
        let (words, rest) = rest.as_chunks_mut::<8>();
        for bytes in words {
            *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
        }
        for (i, byte) in rest.iter_mut().enumerate() {
            *byte ^= (word >> (8 * i)) as u8;
        }
        Self(self.0.rotate_right(8 * turn as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_the_book(key: [u8; 4], bytes: &[u8]) -> Vec<u8> {
        bytes
            .iter()
            .enumerate()
            .map(|(i, byte)| byte ^ key[i % 4])
            .collect()
    }

    #[test]
    fn it_is_the_transformation_of_section_5_3_at_every_length_and_split() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let bytes: Vec<u8> = (0..200u8).collect();
        for len in 0..bytes.len() {
            let expected = by_the_book(key, &bytes[..len]);
            for split in [0, 1, 2, 3, 5, 8, 31, 33, len] {
                let mut got = bytes[..len].to_vec();
                let (a, b) = got.split_at_mut(split.min(len));
                Key::new(key).apply(a).apply(b);
                assert_eq!(got, expected, "{len} at {split}");
            }
        }
    }
}
