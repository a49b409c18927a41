//! The opening handshake (RFC 6455, section 4), in both roles.
//!
//! A [`RequestReader`] turns bytes into a request; [`verify`] says whether it
//! is a correct upgrade, and its [`Opening`] makes the answer. A
//! [`ClientHandshake`] is the other end.

pub use self::client::{ClientHandshake, HandshakeError, Reply, RequestError};
pub use self::head::HeadError;
pub use self::server::{
    Opening, Refused, RequestReader, encode_response, offered_subprotocols, verify, wants_upgrade,
};

mod client;
mod deflate;
mod extension;
mod head;
mod reply_body;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use http::header::{AsHeaderName, HeaderValue};
use sha1::{Digest, Sha1};

/// The most bytes that the head of a request or of an answer may have.
pub const MAX_HEAD: usize = 8 * 1024;

/// The most fields that it may have: each takes far more memory than the four bytes that
/// are enough for one.
pub const MAX_FIELDS: usize = 100;

/// Appended to the key before hashing (section 1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The value of `Sec-WebSocket-Accept` that answers `key` (section 4.2.2).
fn accept_key(key: &[u8]) -> String {
    let hash = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    BASE64.encode(hash)
}

/// The elements of a comma-separated header that may stand several times.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|element| element.trim_matches([' ', '\t']))
        .filter(|element| !element.is_empty())
}

/// Whether a comma-separated header has `token`, in whatever case.
fn has_token(headers: &HeaderMap, name: impl AsHeaderName, token: &str) -> bool {
    list(headers, name).any(|element| element.eq_ignore_ascii_case(token))
}

/// The only value of a header; `None` if it stands never or more than once.
fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

/// Whether `name` may name a sub-protocol: a token (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_section_1_3_gives_the_accept_of_section_1_3() {
        assert_eq!(
            accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
