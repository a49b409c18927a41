//! The client's side of the opening handshake (RFC 6455, section 4.1).

use std::fmt;

use base64::Engine as _;
use bytes::{Buf, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName};
use http::{Response, StatusCode, Uri};

use super::extension::extensions;
use super::head::{Head, HeadError, StatusLine};
use super::reply_body::ReplyBody;
use super::server::push_field;
use super::{BASE64, accept_key, deflate, has_token, is_token, list, single};
use crate::deflate::{Agreement, Deflate};

/// An upgrade request cannot be made: the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The URI has no host.
    NoHost,
    /// A header that the handshake sets itself.
    ReservedHeader(HeaderName),
    /// A sub-protocol that is no token, or was named twice.
    Subprotocol(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHost => f.write_str("the URI has no host"),
            Self::ReservedHeader(name) => write!(f, "the handshake itself sets {name}"),
            Self::Subprotocol(name) => {
                write!(f, "the sub-protocol {name:?} is no token or stands twice")
            }
        }
    }
}

impl std::error::Error for RequestError {}

/// The server's answer breaks the rules of the opening handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The answer cannot be read.
    Head(HeadError),
    /// `Upgrade` does not name `websocket`.
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    Connection,
    /// `Sec-WebSocket-Accept` does not belong to our key.
    Accept,
    /// The server chose an extension that was not offered, or not like this.
    Extension(String),
    /// The server chose a sub-protocol that was not offered, or several.
    Subprotocol(String),
    /// The transport ended before the answer was complete.
    Eof,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "the server's answer cannot be read: {error}"),
            Self::Upgrade => f.write_str("the server's Upgrade header does not name websocket"),
            Self::Connection => f.write_str("the server's Connection header does not name Upgrade"),
            Self::Accept => f.write_str("the server's Sec-WebSocket-Accept is not the right one"),
            Self::Extension(chosen) => {
                write!(f, "the server chose extension {chosen:?}, not offered")
            }
            Self::Subprotocol(name) => {
                write!(f, "the server chose sub-protocol {name:?}, not offered")
            }
            Self::Eof => f.write_str("the server ended the transport during the handshake"),
        }
    }
}

impl std::error::Error for HandshakeError {}

impl From<HeadError> for HandshakeError {
    fn from(error: HeadError) -> Self {
        Self::Head(error)
    }
}

/// What a server answered.
#[derive(Debug)]
pub enum Reply {
    /// The connection is open.
    Accepted {
        /// The answer.
        response: Response<()>,
        /// The sub-protocol that the server chose.
        subprotocol: Option<String>,
        /// How messages are compressed, if they are: for
        /// [`Connection::set_deflate`](crate::Connection::set_deflate).
        deflate: Option<Agreement>,
    },
    /// Any other answer, with at most 64 KiB of its body.
    Rejected(Response<Bytes>),
}

/// The opening handshake of a client.
#[derive(Debug)]
pub struct ClientHandshake {
    request: Bytes,
    accept: String,
    subprotocols: Vec<String>,
    deflate: Option<Deflate>,
    head: Head<StatusLine>,
    rejection: Option<(Response<()>, ReplyBody)>,
}

impl ClientHandshake {
    /// A handshake with the server at `uri` (`ws:` or `wss:`), whose `nonce` must
    /// be random and new. A user and password in the URI become `Authorization`.
    /// With `deflate`, compression is offered.
    pub fn new(
        uri: &Uri,
        headers: &HeaderMap,
        subprotocols: Vec<String>,
        deflate: Option<Deflate>,
        nonce: [u8; 16],
    ) -> Result<Self, RequestError> {
        let key = BASE64.encode(nonce);
        let offer = deflate.as_ref().map(deflate::offer);
        let request = encode_request(uri, headers, &subprotocols, offer.as_deref(), &key)?;
        Ok(Self {
            request,
            accept: accept_key(key.as_bytes()),
            subprotocols,
            deflate,
            head: Head::new(),
            rejection: None,
        })
    }

    /// The request, to be written.
    pub fn transmit(&self) -> &Bytes {
        &self.request
    }

    /// Goes on with `buffer`, to which the driver has appended what it read. Of
    /// an accepted connection the frames that followed stay in it.
    pub fn handle_input(&mut self, buffer: &mut BytesMut) -> Result<Option<Reply>, HandshakeError> {
        loop {
            if let Some((_, body)) = &mut self.rejection {
                return Ok(match body.handle_input(buffer) {
                    true => self.rejected(),
                    false => None,
                });
            }
            let Some(len) = self.head.parse(buffer)? else {
                return Ok(None);
            };
            buffer.advance(len);
            let head = std::mem::replace(&mut self.head, Head::new());
            let Some(line) = head.start else {
                return Ok(None);
            };
            let mut response = Response::new(());
            *response.status_mut() = line.status;
            *response.version_mut() = line.version;
            *response.headers_mut() = head.headers;
            if line.status == StatusCode::SWITCHING_PROTOCOLS {
                let subprotocol = self.verify(response.headers())?;
                let deflate = self.verify_extensions(response.headers())?;
                return Ok(Some(Reply::Accepted {
                    response,
                    subprotocol,
                    deflate,
                }));
            }
            // Of 1xx only 101 is final (RFC 9110, section 15.2).
            if !line.status.is_informational() {
                let body = ReplyBody::new(line.status, response.headers());
                self.rejection = Some((response, body));
            }
        }
    }

    /// Says that the transport has ended.
    pub fn handle_eof(&mut self) -> Result<Reply, HandshakeError> {
        self.rejected().ok_or(HandshakeError::Eof)
    }

    fn rejected(&mut self) -> Option<Reply> {
        let (response, body) = self.rejection.take()?;
        Some(Reply::Rejected(response.map(|()| body.body.freeze())))
    }

    /// The checks of section 4.1 on an answer with status 101.
    fn verify(&self, headers: &HeaderMap) -> Result<Option<String>, HandshakeError> {
        if !has_token(headers, header::UPGRADE, "websocket") {
            return Err(HandshakeError::Upgrade);
        }
        if !has_token(headers, header::CONNECTION, "upgrade") {
            return Err(HandshakeError::Connection);
        }
        if single(headers, header::SEC_WEBSOCKET_ACCEPT).is_none_or(|value| value != &self.accept) {
            return Err(HandshakeError::Accept);
        }
        let mut chosen = list(headers, header::SEC_WEBSOCKET_PROTOCOL);
        let Some(subprotocol) = chosen.next() else {
            return Ok(None);
        };
        let was_offered = self.subprotocols.iter().any(|name| name == subprotocol);
        match was_offered && chosen.next().is_none() {
            true => Ok(Some(subprotocol.to_owned())),
            false => Err(HandshakeError::Subprotocol(subprotocol.to_owned())),
        }
    }

    /// What the server chose of the extensions: nothing, or compression as it was
    /// offered.
    fn verify_extensions(&self, headers: &HeaderMap) -> Result<Option<Agreement>, HandshakeError> {
        let chosen = extensions(headers);
        if chosen.as_ref().is_ok_and(Vec::is_empty) {
            return Ok(None);
        }
        let agreement = match (chosen.as_deref(), &self.deflate) {
            (Ok([chosen]), Some(ours)) => deflate::verify(chosen, ours),
            _ => None,
        };
        let refused = || {
            let chosen = list(headers, header::SEC_WEBSOCKET_EXTENSIONS);
            HandshakeError::Extension(chosen.collect::<Vec<_>>().join(", "))
        };
        agreement.map(Some).ok_or_else(refused)
    }
}

/// The request as it stands on the wire.
fn encode_request(
    uri: &Uri,
    extra: &HeaderMap,
    subprotocols: &[String],
    extensions: Option<&str>,
    key: &str,
) -> Result<Bytes, RequestError> {
    let authority = uri.authority().ok_or(RequestError::NoHost)?;
    let (user, host) = match authority.as_str().rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority.as_str()),
    };
    if authority.host().is_empty() {
        return Err(RequestError::NoHost);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path = if path.is_empty() { "/" } else { path };
    let slash = if path.starts_with('/') { "" } else { "/" };
    let default_port = match uri.scheme_str() {
        Some("wss" | "https") => ":443",
        _ => ":80",
    };
    let host = host.strip_suffix(default_port).unwrap_or(host);
    let mut head = format!("GET {slash}{path} HTTP/1.1\r\n");
    if !extra.contains_key(header::HOST) {
        head += &format!("Host: {host}\r\n");
    }
    head += &format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    );
    if !subprotocols.is_empty() {
        for (i, name) in subprotocols.iter().enumerate() {
            if !is_token(name) || subprotocols[..i].contains(name) {
                return Err(RequestError::Subprotocol(name.clone()));
            }
        }
        head += &format!("Sec-WebSocket-Protocol: {}\r\n", subprotocols.join(", "));
    }
    if let Some(extensions) = extensions {
        head += &format!("Sec-WebSocket-Extensions: {extensions}\r\n");
    }
    if let Some(user) = user
        && !extra.contains_key(header::AUTHORIZATION)
    {
        let user = percent_decode(user);
        head += &format!("Authorization: Basic {}\r\n", BASE64.encode(user));
    }
    let mut bytes = head.into_bytes();
    for (name, value) in extra {
        if is_reserved(name) {
            return Err(RequestError::ReservedHeader(name.clone()));
        }
        push_field(&mut bytes, name.as_str(), value);
    }
    bytes.extend_from_slice(b"\r\n");
    Ok(bytes.into())
}

fn is_reserved(name: &HeaderName) -> bool {
    [header::UPGRADE, header::CONNECTION].contains(name)
        || name.as_str().starts_with("sec-websocket-")
        || [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
}

/// Undoes percent-encoding; what is no valid escape stays as it is.
fn percent_decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = (byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NONCE: [u8; 16] = *b"the sample nonce";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn handshake(uri: &'static str, subprotocols: &[&str]) -> ClientHandshake {
        let subprotocols = subprotocols.iter().map(|name| name.to_string()).collect();
        ClientHandshake::new(
            &Uri::from_static(uri),
            &HeaderMap::new(),
            subprotocols,
            None,
            NONCE,
        )
        .expect("a correct request")
    }

    fn request(uri: &'static str) -> String {
        String::from_utf8(handshake(uri, &[]).transmit().to_vec()).expect("ASCII")
    }

    fn answer(text: &str) -> Result<Option<Reply>, HandshakeError> {
        handshake("ws://a/", &["chat", "b"]).handle_input(&mut BytesMut::from(text))
    }

    fn accepted(change: (&str, &str)) -> Result<Option<Reply>, HandshakeError> {
        let text = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
        );
        answer(&text.replace(change.0, change.1))
    }

    #[test]
    fn the_request_has_what_section_4_1_asks_for() {
        assert_eq!(
            request("ws://server.example.com:8080/chat?a=b"),
            "GET /chat?a=b HTTP/1.1\r\nHost: server.example.com:8080\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n\r\n"
        );
    }

    #[test]
    fn the_host_header_has_no_default_port_and_no_user() {
        for (uri, host) in [
            ("ws://a:80/", "a"),
            ("wss://a:443/", "a"),
            ("wss://a:80", "a:80"),
            ("ws://[::1]:9/", "[::1]:9"),
            ("ws://u:p@a/", "a"),
        ] {
            let request = request(uri);
            assert!(
                request.contains(&format!("\r\nHost: {host}\r\n")),
                "{request}"
            );
        }
        let request = request("ws://me:p%40ss@a/");
        let basic = BASE64.encode("me:p@ss");
        assert!(request.contains(&format!("Authorization: Basic {basic}\r\n")));
    }

    #[test]
    fn headers_of_the_handshake_cannot_be_set_from_outside() {
        for name in [
            "upgrade",
            "connection",
            "sec-websocket-key",
            "content-length",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("x"));
            let uri = Uri::from_static("ws://a/");
            let error = ClientHandshake::new(&uri, &headers, vec![], None, NONCE).err();
            assert_eq!(
                error,
                Some(RequestError::ReservedHeader(HeaderName::from_static(name)))
            );
        }
    }

    #[test]
    fn a_correct_answer_is_accepted_however_it_is_cut() {
        let text = format!(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\
             Sec-WebSocket-Protocol: chat\r\n\r\n\x01\x02"
        );
        let mut handshake = handshake("ws://a/", &["chat"]);
        let mut buffer = BytesMut::new();
        let (last, before) = text.as_bytes().split_at(text.len() - 2);
        for byte in &last[..last.len() - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert!(matches!(handshake.handle_input(&mut buffer), Ok(None)));
        }
        buffer.extend_from_slice(&last[last.len() - 1..]);
        buffer.extend_from_slice(before);
        let reply = handshake.handle_input(&mut buffer);
        let Ok(Some(Reply::Accepted { subprotocol, .. })) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(subprotocol.as_deref(), Some("chat"));
        assert_eq!(&buffer[..], b"\x01\x02");
    }

    #[test]
    fn an_answer_that_breaks_a_rule_is_refused() {
        assert!(matches!(
            accepted(("", "")),
            Ok(Some(Reply::Accepted { .. }))
        ));
        for (change, error) in [
            (("WebSocket", "h2c"), HandshakeError::Upgrade),
            (("upgrade", "close"), HandshakeError::Connection),
            ((ACCEPT, "AAAA"), HandshakeError::Accept),
            (
                ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x\r\n\r\n"),
                HandshakeError::Extension("x".into()),
            ),
            (
                ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: other\r\n\r\n"),
                HandshakeError::Subprotocol("other".into()),
            ),
            (
                ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat, b\r\n\r\n"),
                HandshakeError::Subprotocol("chat".into()),
            ),
        ] {
            assert_eq!(accepted(change).err(), Some(error));
        }
    }

    #[test]
    fn a_rejection_has_status_headers_and_body() {
        let reply = answer("HTTP/1.1 403 No\r\nX-Why: y\r\nContent-Length: 4\r\n\r\nnope");
        let Ok(Some(Reply::Rejected(response))) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["x-why"], "y");
        assert_eq!(&response.body()[..], b"nope");
    }

    #[test]
    fn a_rejection_without_length_ends_with_the_transport() {
        let mut handshake = handshake("ws://a/", &[]);
        let mut buffer = BytesMut::from("HTTP/1.1 500 No\r\n\r\nsorry");
        assert!(matches!(handshake.handle_input(&mut buffer), Ok(None)));
        let reply = handshake.handle_eof();
        let Ok(Reply::Rejected(response)) = reply else {
            panic!("{reply:?}");
        };
        assert_eq!(&response.body()[..], b"sorry");
        assert!(matches!(handshake.handle_eof(), Err(HandshakeError::Eof)));
    }
}
