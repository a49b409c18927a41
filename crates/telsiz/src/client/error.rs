//! Why a connection could not be opened.

use std::{fmt, io};

use bytes::Bytes;
use http::Response;
use telsiz_proto::handshake::{HandshakeError, RequestError};

use crate::tls::TlsError;

/// Why a connection could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URI cannot be connected to.
    Uri(String),
    /// A header that is none.
    Header(String),
    /// A request that cannot be made so.
    Request(RequestError),
    /// Nobody to trust with TLS.
    Tls(TlsError),
    /// The server cannot be reached, its certificate is not trusted, or the
    /// transport was lost.
    Transport(io::Error),
    /// It took longer than the open time-out.
    Timeout,
    /// The server broke the rules of the handshake.
    Handshake(HandshakeError),
    /// The server answered something else than a WebSocket: status, headers, and
    /// as much as 64 KiB of the body.
    Rejected(Box<Response<Bytes>>),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => write!(f, "unusable URI: {error}"),
            Self::Header(error) => write!(f, "unusable header: {error}"),
            Self::Request(error) => fmt::Display::fmt(error, f),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::Transport(error) => write!(f, "cannot connect: {error}"),
            Self::Timeout => f.write_str("the server did not answer in time"),
            Self::Handshake(error) => fmt::Display::fmt(error, f),
            Self::Rejected(response) => {
                write!(f, "the server answered {}", response.status())
            }
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Transport(error) => Some(error),
            Self::Handshake(error) => Some(error),
            _ => None,
        }
    }
}

impl From<HandshakeError> for ConnectError {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}
