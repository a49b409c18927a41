//! The server's side of the opening handshake (RFC 6455, section 4.2).

use std::fmt::{self, Write as _};

use base64::Engine as _;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use super::extension::{Extension, extensions};
use super::head::{Head, HeadError, RequestLine};
use super::{BASE64, accept_key, deflate, has_token, is_token, list, single};
use crate::deflate::{Agreement, Deflate};

/// Reads the head of a request as it arrives.
#[derive(Debug)]
pub struct RequestReader(Head<RequestLine>);

impl Default for RequestReader {
    fn default() -> Self {
        Self(Head::new())
    }
}

impl RequestReader {
    /// Goes on with `bytes`, which begin with what was given before; the
    /// request and the length of its head when it is complete.
    pub fn handle_input(
        &mut self,
        bytes: &[u8],
    ) -> Result<Option<(Request<()>, usize)>, HeadError> {
        let Some(len) = self.0.parse(bytes)? else {
            return Ok(None);
        };
        let head = std::mem::replace(&mut self.0, Head::new());
        let Some(line) = head.start else {
            return Ok(None);
        };
        let mut request = Request::new(());
        *request.method_mut() = line.method;
        *request.uri_mut() = line.uri;
        *request.version_mut() = line.version;
        *request.headers_mut() = head.headers;
        Ok(Some((request, len)))
    }
}

/// Whether a request asks for a WebSocket, correctly or not.
pub fn wants_upgrade<B>(request: &Request<B>) -> bool {
    has_token(request.headers(), header::UPGRADE, "websocket")
}

/// The sub-protocols that a client offers, in its order of preference.
pub fn offered_subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    list(headers, header::SEC_WEBSOCKET_PROTOCOL)
}

/// A correct upgrade request, ready to be accepted.
#[derive(Clone, Debug)]
pub struct Opening {
    accept: String,
    extensions: Vec<Extension>,
}

/// Makes every check of section 4.2.1.
pub fn verify<B>(request: &Request<B>) -> Result<Opening, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Refused::Method);
    }
    if request.version() < Version::HTTP_11 {
        return Err(Refused::HttpVersion);
    }
    if !wants_upgrade(request) {
        return Err(Refused::Upgrade);
    }
    if !has_token(headers, header::CONNECTION, "upgrade") {
        return Err(Refused::Connection);
    }
    if single(headers, header::HOST).is_none() {
        return Err(Refused::Host);
    }
    // A body would be taken for frames.
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).into_iter();
    if headers.contains_key(header::TRANSFER_ENCODING) || lengths.any(|length| length != "0") {
        return Err(Refused::Body);
    }
    if single(headers, header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refused::Version);
    }
    let key = single(headers, header::SEC_WEBSOCKET_KEY).ok_or(Refused::Key)?;
    match BASE64.decode(key.as_bytes()) {
        Ok(nonce) if nonce.len() == 16 => {}
        _ => return Err(Refused::Key),
    }
    if !offered_subprotocols(headers).all(is_token) {
        return Err(Refused::Subprotocol);
    }
    Ok(Opening {
        accept: accept_key(key.as_bytes()),
        extensions: extensions(headers).map_err(|_| Refused::Extensions)?,
    })
}

impl Opening {
    /// The answer that opens the connection (section 4.2.2). A sub-protocol
    /// must be one of those that were offered. If `deflate` says how to compress
    /// and the client offers to, the answer says so, and
    /// [`Connection::set_deflate`](crate::Connection::set_deflate) is to be told.
    pub fn accept(
        &self,
        subprotocol: Option<&HeaderValue>,
        deflate: Option<&Deflate>,
    ) -> (Response<()>, Option<Agreement>) {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        if let Ok(accept) = HeaderValue::from_str(&self.accept) {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(subprotocol) = subprotocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol.clone());
        }
        let (answer, agreement) = deflate
            .and_then(|ours| deflate::accept(&self.extensions, ours))
            .unzip();
        if let Some(Ok(answer)) = answer.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, answer);
        }
        (response, agreement)
    }
}

/// Why a request is no correct upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The method is not GET.
    Method,
    /// The version of HTTP is below 1.1.
    HttpVersion,
    /// `Host` is missing, or stands twice.
    Host,
    /// `Upgrade` does not name `websocket`.
    Upgrade,
    /// `Connection` does not name `Upgrade`.
    Connection,
    /// `Sec-WebSocket-Key` is missing, stands twice, or is not 16 bytes in Base64.
    Key,
    /// `Sec-WebSocket-Version` is not 13.
    Version,
    /// `Sec-WebSocket-Protocol` names something that is no token.
    Subprotocol,
    /// `Sec-WebSocket-Extensions` does not follow its grammar.
    Extensions,
    /// The request has a body.
    Body,
}

impl Refused {
    /// The status with which a server answers.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The answer: it says what was wrong and which version is spoken here.
    pub fn response(self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(format!("{self}\n")));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let mut insert = |name, value| headers.insert(name, HeaderValue::from_static(value));
        insert(header::CONTENT_TYPE, "text/plain; charset=utf-8");
        insert(header::SEC_WEBSOCKET_VERSION, "13");
        match self.status() {
            StatusCode::METHOD_NOT_ALLOWED => {
                insert(header::ALLOW, "GET");
            }
            // RFC 9110, section 15.5.22: a 426 names the protocol.
            StatusCode::UPGRADE_REQUIRED => {
                insert(header::UPGRADE, "websocket");
            }
            _ => {}
        }
        response
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "a WebSocket is opened with GET",
            Self::HttpVersion => "a WebSocket is opened with HTTP/1.1",
            Self::Host => "exactly one Host header is needed",
            Self::Upgrade => "this is a WebSocket endpoint: the Upgrade header must name websocket",
            Self::Connection => "the Connection header must name Upgrade",
            Self::Key => "exactly one Sec-WebSocket-Key of 16 bytes in Base64 is needed",
            Self::Version => "Sec-WebSocket-Version must be 13",
            Self::Subprotocol => "Sec-WebSocket-Protocol must be a list of tokens",
            Self::Extensions => "Sec-WebSocket-Extensions does not follow its grammar",
            Self::Body => "a WebSocket is opened without a request body",
        })
    }
}

impl std::error::Error for Refused {}

/// An answer as it stands on the wire. One that does not switch protocols
/// says its length and closes the connection.
pub fn encode_response(response: &Response<Bytes>) -> Bytes {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str());
    let switches = status == StatusCode::SWITCHING_PROTOCOLS;
    if !switches {
        let length = response.body().len();
        // Who names another protocol says so in Connection (RFC 9110, section 7.8).
        let upgrade = match response.headers().contains_key(header::UPGRADE) {
            true => ", Upgrade",
            false => "",
        };
        let _ = write!(
            head,
            "Connection: close{upgrade}\r\nContent-Length: {length}\r\n"
        );
    }
    let mut bytes = head.into_bytes();
    for (name, value) in response.headers() {
        let ours = [header::CONNECTION, header::CONTENT_LENGTH];
        if switches || !ours.contains(name) {
            push_field(&mut bytes, name.as_str(), value);
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes.into()
}

/// `Name: value`, the name written as the RFCs write it.
pub(super) fn push_field(bytes: &mut Vec<u8>, name: &str, value: &HeaderValue) {
    let mut capital = true;
    let name = match name {
        "sec-websocket-accept" => "Sec-WebSocket-Accept",
        "sec-websocket-extensions" => "Sec-WebSocket-Extensions",
        "sec-websocket-key" => "Sec-WebSocket-Key",
        "sec-websocket-protocol" => "Sec-WebSocket-Protocol",
        "sec-websocket-version" => "Sec-WebSocket-Version",
        other => other,
    };
    for byte in name.bytes() {
        bytes.push(match capital {
            true => byte.to_ascii_uppercase(),
            false => byte,
        });
        capital = byte == b'-';
    }
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value.as_bytes());
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut HeaderMap)) -> Request<()> {
        let mut request = Request::builder()
            .uri("/chat")
            .header("Host", "server.example.com")
            .header("Upgrade", "websocket")
            .header("Connection", "keep-alive, Upgrade")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Version", "13")
            .body(())
            .expect("a request");
        change(request.headers_mut());
        request
    }

    fn with(name: &'static str, value: &'static str) -> Request<()> {
        request(|headers| {
            headers.insert(name, HeaderValue::from_static(value));
        })
    }

    #[test]
    fn the_example_of_section_1_3_is_answered_as_there() {
        let opening = verify(&request(|_| ())).expect("a correct request");
        let (response, agreement) = opening.accept(None, Some(&Deflate::default()));
        assert_eq!(agreement, None);
        let response = response.map(|()| Bytes::new());
        let bytes = encode_response(&response);
        assert_eq!(
            &bytes[..],
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        );
    }

    #[test]
    fn every_check_refuses_with_its_status() {
        let twice = |name: &'static str| {
            request(|headers| {
                let value = headers[name].clone();
                headers.append(name, value);
            })
        };
        let without = |name: &'static str| request(|headers| drop(headers.remove(name)));
        let mut post = request(|_| ());
        *post.method_mut() = Method::POST;
        let mut old = request(|_| ());
        *old.version_mut() = Version::HTTP_10;
        for (request, refused, status) in [
            (post, Refused::Method, 405),
            (old, Refused::HttpVersion, 400),
            (without("host"), Refused::Host, 400),
            (twice("host"), Refused::Host, 400),
            (with("upgrade", "h2c"), Refused::Upgrade, 426),
            (without("connection"), Refused::Connection, 400),
            (with("connection", "close"), Refused::Connection, 400),
            (without("sec-websocket-key"), Refused::Key, 400),
            (twice("sec-websocket-key"), Refused::Key, 400),
            (with("sec-websocket-key", "c2hvcnQ="), Refused::Key, 400),
            (with("sec-websocket-key", "!"), Refused::Key, 400),
            (without("sec-websocket-version"), Refused::Version, 426),
            (with("sec-websocket-version", "8"), Refused::Version, 426),
            (
                with("sec-websocket-protocol", "a b"),
                Refused::Subprotocol,
                400,
            ),
            (
                with("sec-websocket-extensions", "a;;b"),
                Refused::Extensions,
                400,
            ),
            (with("content-length", "5"), Refused::Body, 400),
            (with("transfer-encoding", "chunked"), Refused::Body, 400),
        ] {
            assert_eq!(verify(&request).map(|_| ()), Err(refused));
            let response = refused.response();
            assert_eq!(response.status(), status, "{refused:?}");
            assert_eq!(response.headers()["sec-websocket-version"], "13");
            assert!(!response.body().is_empty());
        }
    }

    #[test]
    fn tokens_are_found_in_any_case_and_any_list() {
        assert!(verify(&with("upgrade", "h2c, WebSocket")).is_ok());
        assert!(verify(&with("connection", "UPGRADE")).is_ok());
        let several = request(|headers| {
            headers.append("sec-websocket-protocol", HeaderValue::from_static("a, b"));
            headers.append("sec-websocket-protocol", HeaderValue::from_static("c"));
        });
        let offered: Vec<_> = offered_subprotocols(several.headers()).collect();
        assert_eq!(offered, ["a", "b", "c"]);
    }

    #[test]
    fn what_follows_the_head_is_not_counted_to_it() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\x81\x80";
        let read = RequestReader::default().handle_input(bytes);
        assert!(matches!(read, Ok(Some((_, len))) if len == bytes.len() - 2));
    }
}
