//! The Close frames that the server sends. Reasons are English always.

use telsiz::{CloseCode, CloseFrame};

/// To a text app came a binary message.
pub(crate) const TEXT_ONLY: CloseFrame =
    CloseFrame::from_static(CloseCode::UNSUPPORTED_DATA, "Text messages only");

/// There are as many connections as there may be.
pub(crate) const TOO_MANY_CONNECTIONS: CloseFrame =
    CloseFrame::from_static(CloseCode::TRY_AGAIN_LATER, "Too many connections");

/// Clients come too often.
pub(crate) const TOO_MANY_HANDSHAKES: CloseFrame =
    CloseFrame::from_static(CloseCode::TRY_AGAIN_LATER, "Too many handshakes");

/// Nothing is served on the path.
pub(crate) const UNKNOWN_ENDPOINT: CloseFrame =
    CloseFrame::from_static(CloseCode::POLICY, "Unknown endpoint");

/// Messages come too often.
pub(crate) const TOO_OFTEN: CloseFrame =
    CloseFrame::from_static(CloseCode::POLICY, "Rate limit exceeded");

/// The first message to a lobby was no join.
pub(crate) const JOIN_FIRST: CloseFrame = CloseFrame::from_static(CloseCode::POLICY, "Join first");

/// Somebody in the lobby is called that already.
pub(crate) const NICK_TAKEN: CloseFrame = CloseFrame::from_static(CloseCode::POLICY, "Nick taken");

/// Nobody can be called that in the lobby.
pub(crate) const INVALID_NICK: CloseFrame =
    CloseFrame::from_static(CloseCode::POLICY, "Invalid nick");

/// More waits for the peer than may wait.
pub(crate) const TOO_SLOW: CloseFrame = CloseFrame::from_static(
    CloseCode::new(4008).expect("a code for applications"),
    "Too slow",
);

/// A newer connection of the same client took over.
pub(crate) const REPLACED: CloseFrame = CloseFrame::from_static(
    CloseCode::new(4009).expect("a code for applications"),
    "Replaced by a new connection",
);

/// Who may write over HTTP ended it.
pub(crate) const ENDED: CloseFrame =
    CloseFrame::from_static(CloseCode::POLICY, "Ended by the operator");

/// Nobody else is let into the room.
pub(crate) const ROOM_FULL: CloseFrame =
    CloseFrame::from_static(CloseCode::TRY_AGAIN_LATER, "Room is full");

/// The client may not be here.
pub(crate) const FORBIDDEN: CloseFrame = CloseFrame::from_static(CloseCode::POLICY, "Forbidden");

/// What is stored cannot be read, or nothing can be stored.
pub(crate) const NO_ENGINE: CloseFrame =
    CloseFrame::from_static(CloseCode::INTERNAL_ERROR, "Internal error");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_as_the_contract_says() {
        assert_eq!(TOO_SLOW.to_string(), "4008 Too slow");
        assert_eq!(UNKNOWN_ENDPOINT.to_string(), "1008 Unknown endpoint");
        assert_eq!(ENDED.to_string(), "1008 Ended by the operator");
        assert_eq!(TOO_OFTEN.to_string(), "1008 Rate limit exceeded");
        assert_eq!(JOIN_FIRST.to_string(), "1008 Join first");
        assert_eq!(NICK_TAKEN.to_string(), "1008 Nick taken");
        assert_eq!(INVALID_NICK.to_string(), "1008 Invalid nick");
        assert_eq!(TEXT_ONLY.code(), CloseCode::UNSUPPORTED_DATA);
    }
}
