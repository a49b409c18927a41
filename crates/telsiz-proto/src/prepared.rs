//! Messages that are encoded once and sent to many.

use std::sync::Arc;

use bytes::Bytes;

use crate::frame::OpCode;
use crate::frame::header::{self, Header};
use crate::message::{Kind, Message};

/// A message that is encoded once and sent to any number of connections.
///
/// Cloning counts a reference. A server's frames are not masked, so all its
/// connections share one encoding; a client masks each frame with a key of its
/// own (RFC 6455, section 5.3) and gains nothing but the shared payload.
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Encodings>);

/// The encodings of a message, one for each way in which connections differ.
#[derive(Debug)]
struct Encodings {
    message: Message,
    /// Unmasked and not compressed.
    plain: Bytes,
}

impl Prepared {
    /// Encodes `message`.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let mut frame = Vec::with_capacity(header::MAX + message.len());
        Header {
            fin: true,
            opcode: message.kind().into(),
            mask: None,
            len: message.len() as u64,
        }
        .encode(&mut frame);
        let header_len = frame.len();
        frame.extend_from_slice(message.as_bytes());
        let plain = Bytes::from(frame);
        // One allocation serves the frame and the message.
        let payload = plain.slice(header_len..);
        let message = Message::from_checked(message.kind(), payload);
        Self(Arc::new(Encodings { message, plain }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The whole frame of a server that compresses nothing.
    pub(crate) fn plain(&self) -> &Bytes {
        &self.0.plain
    }
}

impl From<Kind> for OpCode {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

/// A message on its way out: an owned one, or one that is encoded already.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// Encoded for this connection alone.
    Message(Message),
    /// Encoded once for many.
    Prepared(Prepared),
}

impl<M: Into<Message>> From<M> for Outgoing {
    fn from(message: M) -> Self {
        Self::Message(message.into())
    }
}

impl From<Prepared> for Outgoing {
    fn from(message: Prepared) -> Self {
        Self::Prepared(message)
    }
}

impl From<&Prepared> for Outgoing {
    fn from(message: &Prepared) -> Self {
        Self::Prepared(message.clone())
    }
}
