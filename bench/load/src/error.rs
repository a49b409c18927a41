//! What can go wrong in a measurement. All of it ends the measurement.

use std::fmt;
use std::io;

/// Why a measurement has no result.
#[derive(Debug)]
pub enum Error {
    /// The system refused something.
    Io {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The server did not accept the WebSocket handshake.
    Handshake(String),
    /// The server accepted it without the compression that was asked for.
    Declined(String),
    /// TLS cannot be used.
    Tls(rustls::Error),
    /// What came back is not what was sent.
    WrongEcho {
        /// The connection, counted from 0.
        connection: usize,
        /// The message on that connection, counted from 0.
        message: u64,
        /// The byte of the frame from which on it is wrong, header included.
        byte: usize,
    },
    /// The text of a message that may have been compressed is not what was sent.
    WrongText {
        /// The connection, counted from 0.
        connection: usize,
        /// The message on that connection, counted from 0.
        message: u64,
        /// The byte of the text from which on it is wrong; none if it cannot be decompressed at all.
        byte: Option<usize>,
    },
    /// More came than was sent.
    Surplus {
        /// The connection, counted from 0.
        connection: usize,
    },
    /// A member of a room got another message than the next one.
    WrongMessage {
        /// The connection, counted from 0.
        connection: usize,
        /// The message that was due, counted from 0.
        due: u64,
        /// The message that came, if it has a number.
        came: Option<u64>,
    },
    /// A member of a room got a message in other words than those before it.
    OtherWords {
        /// The connection, counted from 0.
        connection: usize,
        /// The message, counted from 0.
        message: u64,
    },
    /// A publisher was told that a message is stored which it did not just send.
    WrongReceipt {
        /// The connection, counted from 0.
        connection: usize,
    },
    /// What came is no whole text, ping or pong.
    WrongFrame {
        /// The connection, counted from 0.
        connection: usize,
    },
    /// The server said that something is wrong, or closed with a reason.
    Refused {
        /// The connection, counted from 0.
        connection: usize,
        /// What it said.
        reason: String,
    },
    /// The server closed or reset a connection.
    Lost {
        /// The connection, counted from 0.
        connection: usize,
        /// What the system said, if it was no orderly end.
        error: Option<io::Error>,
    },
    /// Nothing came back for a long time.
    Stalled {
        /// Messages that were sent and not echoed.
        missing: u64,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { doing, error }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, error } => write!(f, "{doing}: {error}"),
            Self::Handshake(reason) => write!(f, "handshake: {reason}"),
            Self::Declined(reason) => f.write_str(reason),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::WrongEcho {
                connection,
                message,
                byte,
            } => write!(
                f,
                "wrong echo: connection {connection}, message {message}, from byte {byte} of the frame on"
            ),
            Self::WrongText {
                connection,
                message,
                byte,
            } => {
                write!(
                    f,
                    "wrong text: connection {connection}, message {message}, "
                )?;
                match byte {
                    Some(byte) => write!(f, "from byte {byte} on"),
                    None => f.write_str("which cannot be decompressed"),
                }
            }
            Self::Surplus { connection } => {
                write!(f, "connection {connection} got more than was sent")
            }
            Self::WrongMessage {
                connection,
                due,
                came,
            } => {
                write!(f, "member {connection} got ")?;
                match came {
                    Some(came) if came < due => write!(f, "message {came} again or late")?,
                    Some(came) if came > due => write!(f, "message {came} too early")?,
                    Some(_) => f.write_str("it with another text")?,
                    None => f.write_str("a text that nobody sent")?,
                }
                write!(f, " when message {due} was due")
            }
            Self::OtherWords {
                connection,
                message,
            } => write!(
                f,
                "member {connection} got message {message} in other words than the members before it"
            ),
            Self::WrongReceipt { connection } => write!(
                f,
                "connection {connection} got a receipt for what it did not just send"
            ),
            Self::WrongFrame { connection } => {
                write!(f, "connection {connection} got no whole text frame")
            }
            Self::Refused { connection, reason } => {
                write!(f, "connection {connection} was told: {reason}")
            }
            Self::Lost { connection, error } => {
                write!(f, "lost connection {connection}")?;
                error
                    .as_ref()
                    .map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            Self::Stalled { missing } => {
                write!(
                    f,
                    "the server stopped answering: {missing} messages missing"
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Tls(error) => Some(error),
            Self::Lost { error, .. } => error.as_ref().map(|error| error as _),
            _ => None,
        }
    }
}
