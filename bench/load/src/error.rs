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
    /// More came back than was sent.
    Surplus {
        /// The connection, counted from 0.
        connection: usize,
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
                write!(f, "connection {connection} echoed more than was sent")
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
