//! Close codes and the body of a Close frame (RFC 6455, sections 5.5.1 and 7.4).

use std::fmt;

use crate::error::Violation;
use crate::message::Text;

/// A close code: why a connection ended, or is about to (RFC 6455, section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away (server stops, page is left).
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: a rule of the protocol was broken.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the kind of data cannot be accepted.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: the Close frame carried no code. Never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: the connection was lost without a Close frame. Never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data inconsistent with its kind, such as text that is no UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a policy was violated.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message is too big.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the client misses an extension that it needs.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: the server met an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the server restarts.
    pub const RESTART: Self = Self(1012);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The code as it may stand on the wire: 1000 to 1003, 1007 to 1014 and
    /// 3000 to 4999. 1004 to 1006 and 1015 never do (section 7.4.1).
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether this code may be sent in a Close frame.
    pub const fn is_sendable(self) -> bool {
        Self::new(self.0).is_some()
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The body of a Close frame: a code with a reason, or nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseFrame {
    code: Option<CloseCode>,
    reason: Text,
}

impl CloseFrame {
    /// The longest reason that fits a control frame: 123 bytes.
    pub const MAX_REASON: usize = 123;

    /// A Close frame without code and reason.
    pub const EMPTY: Self = Self {
        code: None,
        reason: Text::from_static(""),
    };

    /// A Close frame with `code` and `reason`.
    ///
    /// Fails when the reason is longer than [`CloseFrame::MAX_REASON`] bytes.
    /// A code that may not stand on the wire becomes an empty frame, which is
    /// how 1005 is said.
    pub fn new(code: CloseCode, reason: impl Into<Text>) -> Result<Self, CloseReasonTooLong> {
        let reason = reason.into();
        if reason.as_bytes().len() > Self::MAX_REASON {
            return Err(CloseReasonTooLong(()));
        }
        if !code.is_sendable() {
            return Ok(Self::EMPTY);
        }
        Ok(Self {
            code: Some(code),
            reason,
        })
    }

    /// A Close frame with a reason that is written in the source: make it a `const`.
    ///
    /// # Panics
    ///
    /// If the reason is too long: of a `const`, when it is compiled.
    pub const fn from_static(code: CloseCode, reason: &'static str) -> Self {
        assert!(
            reason.len() <= Self::MAX_REASON,
            "a close reason is too long"
        );
        Self {
            code: Some(code),
            reason: Text::from_static(reason),
        }
    }

    /// The code; [`CloseCode::NO_STATUS`] when the frame carries none.
    pub fn code(&self) -> CloseCode {
        self.code.unwrap_or(CloseCode::NO_STATUS)
    }

    /// The reason; empty when there is none.
    pub fn reason(&self) -> &str {
        self.reason.as_str()
    }

    /// The body of a Close frame that a peer sent (section 5.5.1).
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Violation> {
        let Some((code, reason)) = body.split_first_chunk::<2>() else {
            return match body {
                [] => Ok(Self::EMPTY),
                _ => Err(Violation::CloseTooShort),
            };
        };
        let code = u16::from_be_bytes(*code);
        let code = CloseCode::new(code).ok_or(Violation::CloseCode(code))?;
        let reason = Text::copy_from(reason).map_err(|_| Violation::CloseReasonNotUtf8)?;
        Ok(Self {
            code: Some(code),
            reason,
        })
    }

    /// Appends the body as it stands on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(2 + self.reason.as_bytes().len());
        if let Some(code) = self.code {
            body.extend_from_slice(&code.0.to_be_bytes());
            body.extend_from_slice(self.reason.as_bytes());
        }
        body
    }
}

impl From<CloseCode> for CloseFrame {
    fn from(code: CloseCode) -> Self {
        Self {
            code: code.is_sendable().then_some(code),
            reason: Text::from_static(""),
        }
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            "" => write!(f, "{}", self.code()),
            reason => write!(f, "{} {reason}", self.code()),
        }
    }
}

/// A close reason is longer than the 123 bytes that fit a Close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseReasonTooLong(());

impl fmt::Display for CloseReasonTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a close reason has at most {} bytes",
            CloseFrame::MAX_REASON
        )
    }
}

impl std::error::Error for CloseReasonTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_codes_of_the_table_may_stand_on_the_wire() {
        let sendable = |code| CloseCode::new(code).is_some();
        for code in [
            1000, 1001, 1002, 1003, 1007, 1008, 1013, 1014, 3000, 3999, 4000, 4999,
        ] {
            assert!(sendable(code), "{code}");
        }
        for code in [
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ] {
            assert!(!sendable(code), "{code}");
        }
    }

    #[test]
    fn a_reason_fits_at_123_bytes_and_not_at_124() {
        assert!(CloseFrame::new(CloseCode::NORMAL, "x".repeat(122)).is_ok());
        assert!(CloseFrame::new(CloseCode::NORMAL, "x".repeat(123)).is_ok());
        assert!(CloseFrame::new(CloseCode::NORMAL, "x".repeat(124)).is_err());
    }

    #[test]
    fn a_code_that_is_never_sent_encodes_as_an_empty_body() {
        for code in [CloseCode::NO_STATUS, CloseCode::ABNORMAL] {
            assert!(CloseFrame::from(code).encode().is_empty());
            let frame = CloseFrame::new(code, "why").expect("short reason");
            assert!(frame.encode().is_empty());
        }
    }

    #[test]
    fn a_body_reads_back_as_it_was_written() {
        let frame = CloseFrame::new(CloseCode::POLICY, "günaydın").expect("short reason");
        assert_eq!(CloseFrame::decode(&frame.encode()), Ok(frame));
        assert_eq!(CloseFrame::decode(&[]), Ok(CloseFrame::EMPTY));
    }

    #[test]
    fn a_broken_body_is_a_violation() {
        assert_eq!(CloseFrame::decode(&[3]), Err(Violation::CloseTooShort));
        assert_eq!(
            CloseFrame::decode(&1005u16.to_be_bytes()),
            Err(Violation::CloseCode(1005))
        );
        assert_eq!(
            CloseFrame::decode(&[0x03, 0xe8, 0xff]),
            Err(Violation::CloseReasonNotUtf8)
        );
    }
}
