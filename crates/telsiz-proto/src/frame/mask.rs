//! Masking (RFC 6455, section 5.3).

/// How many bytes one step of the wide loop takes; the compiler makes vector
/// instructions of it.
const WIDE: usize = 32;

/// Masks or unmasks `bytes` in place. `key` is left as the key of the bytes
/// that follow these.
#[inline]
pub(crate) fn apply(key: &mut [u8; 4], bytes: &mut [u8]) {
    let word = u64::from_ne_bytes([
        key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3],
    ]);
    let (wide, rest) = bytes.as_chunks_mut::<WIDE>();
    for chunk in wide {
        let (words, _) = chunk.as_chunks_mut::<8>();
        for bytes in words {
            *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
        }
    }
    let (words, rest) = rest.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
    key.rotate_left(rest.len() % 4);
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
                let mut key = key;
                let mut got = bytes[..len].to_vec();
                let (a, b) = got.split_at_mut(split.min(len));
                apply(&mut key, a);
                apply(&mut key, b);
                assert_eq!(got, expected, "{len} at {split}");
            }
        }
    }
}
