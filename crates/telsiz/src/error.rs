//! Errors of open connections.

use std::{fmt, io};

use telsiz_proto::{Fault, Outgoing, SendError};

/// Why a connection cannot go on, or a message cannot be sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke a rule, went over a limit, or fell silent. It was told so
    /// in a Close frame.
    Fault(Fault),
    /// The transport was lost; `UnexpectedEof` if it just ended.
    Lost(io::Error),
    /// The peer did not finish the closing handshake in time.
    CloseTimeout,
    /// The connection is closing or closed: nothing more can be sent.
    Closed,
    /// The call does not fit what was sent before.
    Misuse(SendError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fmt::Display::fmt(fault, f),
            Self::Lost(error) => write!(f, "the connection was lost: {error}"),
            Self::CloseTimeout => f.write_str("the peer did not finish the closing handshake"),
            Self::Closed => f.write_str("the connection is closing or closed"),
            Self::Misuse(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fault(fault) => Some(fault),
            Self::Lost(error) => Some(error),
            Self::Misuse(error) => Some(error),
            Self::CloseTimeout | Self::Closed => None,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            misuse => Self::Misuse(misuse),
        }
    }
}

/// A message could not be queued at once. It comes back.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrySendError {
    /// The peer reads too slowly: there is no room.
    Full(Outgoing),
    /// The connection is closing or closed, or amid a fragmented message.
    Closed(Outgoing),
}

impl fmt::Display for TrySendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the peer reads too slowly: there is no room",
            Self::Closed(_) => "the connection is closing or closed",
        })
    }
}

impl std::error::Error for TrySendError {}

/// A ping came to nothing.
#[derive(Debug)]
#[non_exhaustive]
pub enum PingError {
    /// The connection ended first.
    Closed,
    /// So many messages came before the pong that they have to be received
    /// first. They wait for `recv`; nothing was lost.
    Backlog,
}

impl fmt::Display for PingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection ended before the pong came",
            Self::Backlog => "messages that came before the pong must be received first",
        })
    }
}

impl std::error::Error for PingError {}
