//! What can go wrong, and whose fault it was.

use std::fmt;

use crate::close::{CloseCode, CloseFrame};

/// The peer broke a rule of RFC 6455 or of an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// A reserved bit is set that no extension gave a meaning.
    ReservedBits,
    /// An opcode that RFC 6455 reserves.
    ReservedOpcode(u8),
    /// A client's frame was not masked.
    Unmasked,
    /// A server's frame was masked.
    Masked,
    /// A length was not encoded in the fewest bytes, or its top bit was set.
    Length,
    /// A control frame was fragmented.
    ControlFragmented,
    /// A control frame carried more than 125 bytes.
    ControlTooLong,
    /// A continuation frame came without a message to continue.
    NothingToContinue,
    /// A new message began before the last fragment of the one before.
    MessageInterrupted,
    /// A text message is no UTF-8.
    NotUtf8,
    /// A compressed message cannot be decompressed.
    NotDeflate,
    /// The body of a Close frame has one byte.
    CloseTooShort,
    /// A Close frame carries a code that may not stand on the wire.
    CloseCode(u16),
    /// The reason in a Close frame is no UTF-8.
    CloseReasonNotUtf8,
}

impl Violation {
    /// The close code that answers it.
    pub const fn code(self) -> CloseCode {
        match self {
            Self::NotUtf8 | Self::NotDeflate | Self::CloseReasonNotUtf8 => {
                CloseCode::INVALID_PAYLOAD
            }
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// Where the rule stands.
    pub const fn rfc(self) -> &'static str {
        match self {
            Self::ReservedBits | Self::ReservedOpcode(_) | Self::Length => "RFC 6455, section 5.2",
            Self::Unmasked | Self::Masked => "RFC 6455, section 5.1",
            Self::ControlFragmented | Self::ControlTooLong => "RFC 6455, section 5.5",
            Self::NothingToContinue | Self::MessageInterrupted => "RFC 6455, section 5.4",
            Self::NotUtf8 => "RFC 6455, section 8.1",
            Self::NotDeflate => "RFC 7692, section 7.2.2",
            Self::CloseTooShort | Self::CloseReasonNotUtf8 => "RFC 6455, section 5.5.1",
            Self::CloseCode(_) => "RFC 6455, section 7.4",
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bits are set",
            Self::ReservedOpcode(_) => "reserved opcode",
            Self::Unmasked => "frame is not masked",
            Self::Masked => "frame is masked",
            Self::Length => "length is not in its shortest form",
            Self::ControlFragmented => "fragmented control frame",
            Self::ControlTooLong => "control frame too long",
            Self::NothingToContinue => "continuation of nothing",
            Self::MessageInterrupted => "fragmented message was interrupted",
            Self::NotUtf8 => "text is no UTF-8",
            Self::NotDeflate => "message cannot be decompressed",
            Self::CloseTooShort => "close body has one byte",
            Self::CloseCode(_) => "invalid close code",
            Self::CloseReasonNotUtf8 => "close reason is no UTF-8",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}")?,
            Self::CloseCode(code) => write!(f, "invalid close code {code}")?,
            _ => f.write_str(self.reason())?,
        }
        write!(f, " ({})", self.rfc())
    }
}

impl std::error::Error for Violation {}

/// The peer went over a limit of ours; see [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exceeded {
    /// A message has more bytes than `max`.
    MessageSize {
        /// The limit, in bytes.
        max: usize,
    },
    /// A message was not complete after `max` fragments.
    Fragments {
        /// The limit, in fragments.
        max: u32,
    },
}

impl Exceeded {
    /// The close code that answers it.
    pub const fn code(self) -> CloseCode {
        match self {
            Self::MessageSize { .. } => CloseCode::TOO_BIG,
            Self::Fragments { .. } => CloseCode::POLICY,
        }
    }

    const fn reason(self) -> &'static str {
        match self {
            Self::MessageSize { .. } => "Message too large",
            Self::Fragments { .. } => "Too many fragments",
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageSize { max } => write!(f, "a message is larger than {max} bytes"),
            Self::Fragments { max } => write!(f, "a message is not complete after {max} fragments"),
        }
    }
}

impl std::error::Error for Exceeded {}

/// Why a connection had to be failed (RFC 6455, section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The peer broke a rule.
    Violation(Violation),
    /// The peer went over a limit.
    Exceeded(Exceeded),
    /// Nothing came from the peer for the ping time-out after a ping.
    Silent,
}

impl Fault {
    /// The Close frame that answers it.
    pub const fn close_frame(self) -> CloseFrame {
        match self {
            Self::Violation(violation) => {
                CloseFrame::from_static(violation.code(), violation.reason())
            }
            Self::Exceeded(exceeded) => CloseFrame::from_static(exceeded.code(), exceeded.reason()),
            Self::Silent => {
                CloseFrame::from_static(CloseCode::INTERNAL_ERROR, "keepalive ping timeout")
            }
        }
    }
}

impl From<Violation> for Fault {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<Exceeded> for Fault {
    fn from(exceeded: Exceeded) -> Self {
        Self::Exceeded(exceeded)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Violation(violation) => write!(f, "the peer broke a rule: {violation}"),
            Self::Exceeded(exceeded) => write!(f, "the peer went over a limit: {exceeded}"),
            Self::Silent => f.write_str("the peer did not answer a ping"),
        }
    }
}

impl std::error::Error for Fault {}

/// A message could not be sent: the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The connection is closing or closed.
    Closed,
    /// A whole message, or the first fragment of another, amid a fragmented one.
    FragmentOpen,
    /// A ping payload of more than 125 bytes.
    ControlTooLong,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the connection is closing or closed",
            Self::FragmentOpen => "a fragmented message is not finished yet",
            Self::ControlTooLong => "a ping carries at most 125 bytes",
        })
    }
}

impl std::error::Error for SendError {}
