//! The Close frames that the server sends. Reasons are English always.

use telsiz::{CloseCode, CloseFrame};

/// To a text app came a binary message.
pub(crate) fn text_only() -> CloseFrame {
    frame(CloseCode::UNSUPPORTED_DATA, "Text messages only")
}

/// Nothing is served on the path.
pub(crate) fn unknown_endpoint() -> CloseFrame {
    frame(CloseCode::POLICY, "Unknown endpoint")
}

/// More waits for the peer than may wait.
pub(crate) fn too_slow() -> CloseFrame {
    let code = CloseCode::new(4008).unwrap_or(CloseCode::POLICY);
    frame(code, "Too slow")
}

fn frame(code: CloseCode, reason: &'static str) -> CloseFrame {
    CloseFrame::new(code, reason).unwrap_or_else(|_| code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_as_the_contract_says() {
        assert_eq!(too_slow().to_string(), "4008 Too slow");
        assert_eq!(unknown_endpoint().to_string(), "1008 Unknown endpoint");
        assert_eq!(text_only().code(), CloseCode::UNSUPPORTED_DATA);
    }
}
