//! What a connection tells its driver.

use bytes::BytesMut;

use crate::close::CloseFrame;
use crate::frame::utf8;
use crate::input::{Payload, Piece};
use crate::message::{Kind, Message};

/// What came from the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<P> {
    /// A whole message.
    Message(Incoming<P>),
    /// A ping. Its pong waits for [`Connection::transmit`](crate::Connection::transmit).
    Ping(Payload<P>),
    /// A pong, asked for or not.
    Pong(Payload<P>),
    /// The peer's Close frame: nothing comes after it.
    Close(CloseFrame),
}

/// A whole message as it came: unmasked, its text known to be UTF-8.
#[derive(Debug)]
pub struct Incoming<P> {
    pub(super) kind: Kind,
    pub(super) payload: Payload<P>,
}

impl<P: Piece> Incoming<P> {
    /// Whether it is text or binary.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        self.payload.as_slice()
    }

    /// The text, if it is a text message. Checks the bytes once more, as
    /// [`Text::as_str`](crate::Text::as_str) does.
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => utf8::as_str(self.as_bytes()),
            Kind::Binary => None,
        }
    }

    /// Whether the payload is a piece of the input, rather than gathered.
    pub fn is_lent(&self) -> bool {
        matches!(self.payload, Payload::Lent(_))
    }

    /// The message as an owned one: a copy if it was borrowed from the input.
    #[inline]
    pub fn into_message(self) -> Message {
        Message::from_checked(self.kind, self.payload.into_bytes())
    }
}

impl Incoming<BytesMut> {
    /// The same message in memory of its own: a piece of the input holds all of
    /// that.
    pub fn into_own(self) -> Self {
        let data = match self.payload {
            Payload::Lent(piece) => BytesMut::from(&piece[..]),
            Payload::Gathered(data) => data,
        };
        Self {
            kind: self.kind,
            payload: Payload::Gathered(data),
        }
    }

    /// The same message, whatever lends the input: as if it had been gathered.
    pub fn into_gathered<P>(self) -> Incoming<P> {
        let (Payload::Lent(bytes) | Payload::Gathered(bytes)) = self.payload;
        Incoming {
            kind: self.kind,
            payload: Payload::Gathered(bytes),
        }
    }
}
