//! The HTTP upgrade, as little of it as a client needs to be satisfied.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest, Sha1};

/// RFC 6455, section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Longer requests are refused.
const MAX_REQUEST: usize = 16 * 1024;

/// The request is no upgrade.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

/// The length of the request and the answer to it, or `None` while its end has not come.
pub fn answer(input: &[u8]) -> Result<Option<(usize, Vec<u8>)>, Refused> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if input.len() > MAX_REQUEST {
            Err(Refused)
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&input[..end]).map_err(|_| Refused)?;
    let key = head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map(|(_, value)| value.trim())
        .ok_or(Refused)?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept(key)
    );
    Ok(Some((end + 4, response.into_bytes())))
}

fn accept(key: &str) -> String {
    let digest = Sha1::new_with_prefix(key).chain_update(GUID).finalize();
    BASE64_STANDARD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_key_of_the_rfc() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn waits_for_the_end_of_the_request() {
        assert_eq!(answer(b"GET / HTTP/1.1\r\nHost: x\r\n"), Ok(None));
    }

    #[test]
    fn refuses_what_is_no_upgrade() {
        assert_eq!(answer(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Err(Refused));
        assert_eq!(answer(&[b'a'; MAX_REQUEST + 1]), Err(Refused));
    }

    #[test]
    fn finds_the_key_in_any_case_and_leaves_what_follows() {
        let request = b"GET / HTTP/1.1\r\nsec-websocket-KEY:  dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81";
        let (length, answer) = answer(request).ok().flatten().expect("an answer");
        assert_eq!(length, request.len() - 1);
        assert!(
            String::from_utf8_lossy(&answer)
                .contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        );
    }
}
