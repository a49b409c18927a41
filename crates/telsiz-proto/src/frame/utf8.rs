//! UTF-8, checked as the bytes arrive (RFC 6455, section 8.1).

/// Below this many bytes the standard library's check is the faster one.
const SHORT: usize = 64;

/// Whether `bytes` are UTF-8.
#[inline]
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    as_str(bytes).is_some()
}

/// `bytes` as text, if they are UTF-8.
#[inline]
pub(crate) fn as_str(bytes: &[u8]) -> Option<&str> {
    match bytes.len() < SHORT {
        true => std::str::from_utf8(bytes).ok(),
        false => simdutf8::basic::from_utf8(bytes).ok(),
    }
}

/// Checks text that is not complete yet: how many bytes of it are whole,
/// valid characters. At most three bytes are left, and they may become a
/// character. `None`: whatever follows, this is no UTF-8.
#[inline]
pub(crate) fn valid_prefix(bytes: &[u8]) -> Option<usize> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(text) => Some(text.len()),
        Err(error) if error.error_len().is_none() => Some(error.valid_up_to()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_a_character_may_become_one() {
        for text in ["ş", "€", "😀", "κόσμε"] {
            for end in 0..text.len() {
                let valid = valid_prefix(&text.as_bytes()[..end]).expect("a prefix");
                assert!(text.is_char_boundary(valid) && end - valid <= 3);
            }
        }
    }

    #[test]
    fn what_can_never_become_a_character_is_refused_at_its_first_wrong_byte() {
        // An overlong form, a surrogate, beyond U+10FFFF, a lone continuation.
        for bytes in [
            &b"\xc0"[..],
            b"\xe0\x80",
            b"\xed\xa0",
            b"\xf4\x90",
            b"\xf5",
            b"\x80",
            b"abc\xffabc",
        ] {
            assert_eq!(valid_prefix(bytes), None, "{bytes:x?}");
        }
    }

    #[test]
    fn long_and_short_text_are_judged_alike() {
        for len in [SHORT - 1, SHORT, SHORT + 1, 1000] {
            let mut bytes = vec![b'a'; len];
            assert!(is_valid(&bytes));
            bytes[len - 1] = 0xff;
            assert!(!is_valid(&bytes));
        }
    }
}
