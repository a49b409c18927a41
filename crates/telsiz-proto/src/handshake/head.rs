//! The head of an HTTP/1.1 message: a start line and header fields.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};

use super::{MAX_FIELDS, MAX_HEAD};

/// The head of an HTTP message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeadError {
    /// It has more than [`MAX_HEAD`] bytes.
    TooLarge,
    /// It has more than [`MAX_FIELDS`] fields.
    TooManyFields,
    /// It is not written as HTTP/1.1 asks; the text says what is wrong.
    Malformed(&'static str),
    /// It speaks a version of HTTP other than 1.0 and 1.1.
    Version,
}

impl HeadError {
    /// The status with which a server answers.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "the head is larger than {MAX_HEAD} bytes"),
            Self::TooManyFields => write!(f, "the head has more than {MAX_FIELDS} fields"),
            Self::Malformed(what) => write!(f, "malformed HTTP: {what}"),
            Self::Version => f.write_str("only HTTP/1.1 is spoken here"),
        }
    }
}

impl std::error::Error for HeadError {}

const BAD_REQUEST_LINE: HeadError = HeadError::Malformed("the request line");
const BAD_STATUS_LINE: HeadError = HeadError::Malformed("the status line");
const BAD_FIELD: HeadError = HeadError::Malformed("a header field");
const BAD_LINE_END: HeadError = HeadError::Malformed("a line does not end with CR LF");

/// The first line of a head.
pub(super) trait StartLine: Sized {
    /// Whether a line of this kind may begin with `byte`.
    fn may_begin(byte: u8) -> bool;

    fn parse(line: &[u8]) -> Result<Self, HeadError>;
}

/// `GET /chat HTTP/1.1`
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) version: Version,
}

impl StartLine for RequestLine {
    fn may_begin(byte: u8) -> bool {
        byte.is_ascii_alphabetic()
    }

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let mut parts = line.split(|byte| *byte == b' ');
        let (Some(method), Some(uri), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(BAD_REQUEST_LINE);
        };
        Ok(Self {
            method: Method::from_bytes(method).map_err(|_| BAD_REQUEST_LINE)?,
            uri: Uri::try_from(uri).map_err(|_| BAD_REQUEST_LINE)?,
            version: parse_version(version, BAD_REQUEST_LINE)?,
        })
    }
}

/// `HTTP/1.1 101 Switching Protocols`
#[derive(Debug)]
pub(super) struct StatusLine {
    pub(super) status: StatusCode,
    pub(super) version: Version,
}

impl StartLine for StatusLine {
    fn may_begin(byte: u8) -> bool {
        byte == b'H'
    }

    fn parse(line: &[u8]) -> Result<Self, HeadError> {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (Some(version), Some(status)) = (parts.next(), parts.next()) else {
            return Err(BAD_STATUS_LINE);
        };
        Ok(Self {
            status: StatusCode::from_bytes(status).map_err(|_| BAD_STATUS_LINE)?,
            version: parse_version(version, BAD_STATUS_LINE)?,
        })
    }
}

fn parse_version(version: &[u8], otherwise: HeadError) -> Result<Version, HeadError> {
    match version {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        _ if version.starts_with(b"HTTP/") => Err(HeadError::Version),
        _ => Err(otherwise),
    }
}

/// Reads a head as it arrives. Each byte is looked at once, however the head
/// is cut: re-reading it from its start with every packet let a peer keep a
/// core busy in other libraries.
#[derive(Debug)]
pub(super) struct Head<L> {
    /// Where the line begins that has not ended yet.
    line: usize,
    /// Up to where its end was looked for.
    scanned: usize,
    pub(super) start: Option<L>,
    pub(super) headers: HeaderMap,
}

impl<L: StartLine> Head<L> {
    pub(super) fn new() -> Self {
        Self {
            line: 0,
            scanned: 0,
            start: None,
            headers: HeaderMap::new(),
        }
    }

    /// Goes on with `bytes`, which begin with what was given before; the length
    /// of the head when it is complete.
    pub(super) fn parse(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        let bytes_in_limit = &bytes[..bytes.len().min(MAX_HEAD)];
        if let Some(first) = bytes.first()
            && self.start.is_none()
            && !L::may_begin(*first)
        {
            return Err(HeadError::Malformed("this is no HTTP"));
        }
        while let Some(at) = bytes_in_limit[self.scanned..]
            .iter()
            .position(|byte| *byte == b'\n')
        {
            let end = self.scanned + at;
            let Some(line) = bytes[self.line..end].strip_suffix(b"\r") else {
                return Err(BAD_LINE_END);
            };
            self.line = end + 1;
            self.scanned = end + 1;
            if self.start.is_none() {
                self.start = Some(L::parse(line)?);
            } else if line.is_empty() {
                return Ok(Some(end + 1));
            } else {
                self.parse_field(line)?;
            }
        }
        self.scanned = bytes_in_limit.len();
        match bytes.len() < MAX_HEAD {
            true => Ok(None),
            false => Err(HeadError::TooLarge),
        }
    }

    /// `Name: value`; no folding, no space before the colon (RFC 9112, section 5).
    fn parse_field(&mut self, line: &[u8]) -> Result<(), HeadError> {
        if self.headers.len() == MAX_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.ok_or(BAD_FIELD)?);
        let value = value[1..].trim_ascii();
        let name = HeaderName::from_bytes(name).map_err(|_| BAD_FIELD)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| BAD_FIELD)?;
        self.headers
            .try_append(name, value)
            .map_err(|_| HeadError::TooManyFields)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        Head::<RequestLine>::new().parse(bytes)
    }

    #[test]
    fn a_head_is_read_alike_however_it_is_cut() {
        let bytes = b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\n\r\nrest";
        let end = bytes.len() - 4;
        assert_eq!(parse(bytes), Ok(Some(end)));
        let mut head = Head::<RequestLine>::new();
        for cut in 0..end {
            assert_eq!(head.parse(&bytes[..cut]), Ok(None));
        }
        assert_eq!(head.parse(bytes), Ok(Some(end)));
        assert_eq!(head.headers["x-y"], "z");
        assert_eq!(head.headers.len(), 2);
        let line = head.start.expect("a request line");
        assert_eq!((line.method, line.uri.path()), (Method::GET, "/a"));
    }

    #[test]
    fn a_head_of_8_kib_is_read_and_one_of_a_byte_more_is_not() {
        let of = |len: usize| {
            let frame = "GET / HTTP/1.1\r\nA: \r\n\r\n".len();
            format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(len - frame))
        };
        assert_eq!(parse(of(MAX_HEAD - 1).as_bytes()), Ok(Some(MAX_HEAD - 1)));
        assert_eq!(parse(of(MAX_HEAD).as_bytes()), Ok(Some(MAX_HEAD)));
        assert_eq!(parse(of(MAX_HEAD + 1).as_bytes()), Err(HeadError::TooLarge));
        // Without an end it is refused as soon as no end can come in time.
        assert_eq!(parse(&[b'G'; MAX_HEAD - 1]), Ok(None));
        assert_eq!(parse(&[b'G'; MAX_HEAD]), Err(HeadError::TooLarge));
    }

    #[test]
    fn a_head_of_100_fields_is_read_and_one_of_a_field_more_is_not() {
        let names: [fn(usize) -> String; 2] = [|_| "a".to_owned(), |number| format!("a{number}")];
        for name in names {
            for count in [MAX_FIELDS - 1, MAX_FIELDS, MAX_FIELDS + 1] {
                let fields = (0..count).map(|number| format!("{}: x\r\n", name(number)));
                let head = format!("GET / HTTP/1.1\r\n{}\r\n", fields.collect::<String>());
                let expected = match count > MAX_FIELDS {
                    true => Err(HeadError::TooManyFields),
                    false => Ok(Some(head.len())),
                };
                assert_eq!(parse(head.as_bytes()), expected);
            }
        }
    }

    #[test]
    fn each_byte_is_looked_at_once_however_slowly_it_comes() {
        let bytes = b"GET / HTTP/1.1\r\nHost: x\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy";
        let mut head = Head::<RequestLine>::new();
        for cut in 1..=bytes.len() {
            assert_eq!(head.parse(&bytes[..cut]), Ok(None));
            // The next call begins behind all that came.
            assert_eq!(head.scanned, cut);
        }
        // What was read before is not read again, whatever stands there now.
        let mut other = vec![b'\n'; bytes.len()];
        other[0] = b'G';
        other[head.line..].fill(b'z');
        other.extend_from_slice(b"\r\n");
        assert!(
            head.parse(&other).is_err(),
            "the line alone: it has no colon"
        );
        assert_eq!(head.headers["host"], "x");
    }

    #[test]
    fn what_is_no_http_is_refused_at_its_first_byte() {
        assert!(matches!(parse(b"\x16"), Err(HeadError::Malformed(_))));
    }

    #[test]
    fn ambiguous_heads_are_refused() {
        for head in [
            "GET / HTTP/1.1\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET /\r\n\r\n",
            "GET / HTTP/1.1 \r\n\r\n",
            "GET / FTP/1.1\r\n\r\n",
        ] {
            assert!(
                matches!(parse(head.as_bytes()), Err(HeadError::Malformed(_))),
                "{head:?}"
            );
        }
        assert_eq!(parse(b"GET / HTTP/2.0\r\n"), Err(HeadError::Version));
    }
}
