//! Masking (RFC 6455, section 5.3).

/// The top bit of each byte of a word.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// A masking key, and how far it has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

impl Key {
    /// Changes nothing: as good as no key.
    pub(crate) const NONE: Self = Self(0);

    #[inline]
    pub(crate) fn new(bytes: [u8; 4]) -> Self {
        Self(u32::from_le_bytes(bytes))
    }

    /// The key with its first byte lowest.
    #[inline]
    pub(crate) fn to_word(self) -> u32 {
        self.0
    }

    /// Masks or unmasks `bytes` in place; the key for the bytes that follow.
    #[inline]
    pub(crate) fn apply(self, bytes: &mut [u8]) -> Self {
        self.unmask(bytes).0
    }

    /// As [`Key::apply`], and whether the result is ASCII: to see that costs
    /// next to nothing here, and ASCII needs no check for UTF-8.
    #[inline]
    pub(crate) fn unmask(self, bytes: &mut [u8]) -> (Self, bool) {
        let word = u64::from(self.0) << 32 | u64::from(self.0);
        let turn = bytes.len() % 4;
        let mut seen = 0;
        // The compiler makes vector instructions of this loop.
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for bytes in words {
            let clear = u64::from_le_bytes(*bytes) ^ word;
            *bytes = clear.to_le_bytes();
            seen |= clear;
        }
        for (i, byte) in rest.iter_mut().enumerate() {
            *byte ^= (word >> (8 * i)) as u8;
            seen |= u64::from(*byte);
        }
        let key = Self(self.0.rotate_right(8 * turn as u32));
        (key, seen & NOT_ASCII == 0)
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

    fn check(key: [u8; 4], bytes: &[u8]) {
        let expected = by_the_book(key, bytes);
        let len = bytes.len();
        for split in [0, 1, 2, 3, 5, 8, 31, 33, len] {
            let mut got = bytes.to_vec();
            let (a, b) = got.split_at_mut(split.min(len));
            Key::new(key).apply(a).apply(b);
            assert_eq!(got, expected, "{len} at {split}");
        }
        let mut got = bytes.to_vec();
        let (_, is_ascii) = Key::new(key).unmask(&mut got);
        assert_eq!(is_ascii, expected.is_ascii(), "{key:x?} {len}");
    }

    #[test]
    fn it_is_the_transformation_of_section_5_3_at_every_length_and_split() {
        let bytes: Vec<u8> = (0..200u8).collect();
        for len in 0..bytes.len() {
            // The first result is ASCII up to 128 bytes, the second up to one.
            check([0x37, 0x7a, 0x21, 0x3d], &bytes[..len]);
            check([0x37, 0xfa, 0x21, 0x3d], &bytes[..len]);
        }
    }
}
