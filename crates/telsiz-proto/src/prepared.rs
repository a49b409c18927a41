//! Messages that are encoded once and sent to many.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::deflate::{Level, WindowBits, compress_once};
use crate::frame::OpCode;
use crate::frame::header::{self, Header};
use crate::message::{Kind, Message};

/// A message that is encoded once and sent to any number of connections.
///
/// Cloning counts a reference. A server's frames are not masked, so all its
/// connections share one encoding, or one for each size of window if messages are
/// compressed without takeover; a client masks each frame with a key of its
/// own (RFC 6455, section 5.3) and gains nothing but the shared payload.
#[derive(Clone, Debug)]
pub struct Prepared(Arc<Encodings>);

/// The encodings of a message, one for each way in which connections differ.
#[derive(Debug)]
struct Encodings {
    message: Message,
    /// Unmasked and not compressed.
    plain: Bytes,
    /// Unmasked and compressed by itself, for each size of window; as `plain` if
    /// that makes it no smaller. The first connection of a kind fills it in.
    deflated: OnceLock<Box<[OnceLock<Bytes>; WINDOWS]>>,
}

/// The number of sizes that a window may have.
const WINDOWS: usize = (WindowBits::MAX.get() - WindowBits::MIN.get()) as usize + 1;

impl Prepared {
    /// Encodes `message`.
    pub fn new(message: impl Into<Message>) -> Self {
        let message = message.into();
        let (plain, header_len) = encode(message.kind(), false, message.as_bytes());
        // One allocation serves the frame and the message.
        let payload = plain.slice(header_len..);
        let message = Message::from_checked(message.kind(), payload);
        Self(Arc::new(Encodings {
            message,
            plain,
            deflated: OnceLock::new(),
        }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The whole frame of a server that compresses nothing.
    pub(crate) fn plain(&self) -> &Bytes {
        &self.0.plain
    }

    /// The whole frame of a server that compresses each message by itself.
    pub(crate) fn deflated(&self, bits: WindowBits, level: Level) -> &Bytes {
        let all = self.0.deflated.get_or_init(Box::default);
        let place = usize::from(bits.get() - WindowBits::MIN.get());
        let Some(deflated) = all.get(place) else {
            return &self.0.plain;
        };
        deflated.get_or_init(|| {
            let message = &self.0.message;
            let mut payload = Vec::new();
            let done = compress_once(bits, level, message.as_bytes(), &mut payload);
            match done.is_ok() && payload.len() < message.len() {
                true => encode(message.kind(), true, &payload).0,
                false => self.0.plain.clone(),
            }
        })
    }
}

/// Messages that are encoded once and sent together to any number of connections.
///
/// Cloning counts a reference.
#[derive(Clone, Debug)]
pub struct Batch(Arc<Together>);

#[derive(Debug)]
struct Together {
    messages: Box<[Prepared]>,
    /// All frames behind each other, not compressed; empty if that would be too much.
    plain: Bytes,
    /// The length of the longest message.
    longest: usize,
}

impl Batch {
    /// The most bytes that are worth a copy of all frames: with more, the system call is the
    /// least of what they cost.
    const MOST: usize = 64 * 1024;

    /// These messages, in their order.
    pub fn new(messages: Vec<Prepared>) -> Self {
        let frames = || messages.iter().map(Prepared::plain);
        let len: usize = frames().map(Bytes::len).sum();
        let mut plain = Vec::new();
        if len <= Self::MOST {
            plain.reserve_exact(len);
            frames().for_each(|frame| plain.extend_from_slice(frame));
        }
        let longest = messages.iter().map(|one| one.message().len()).max();
        Self(Arc::new(Together {
            plain: plain.into(),
            longest: longest.unwrap_or(0),
            messages: messages.into(),
        }))
    }

    /// The messages.
    pub fn messages(&self) -> &[Prepared] {
        &self.0.messages
    }

    /// All frames of a server that compresses none of them.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.0.plain
    }

    /// The length of the longest message.
    pub(crate) fn longest(&self) -> usize {
        self.0.longest
    }
}

/// The frame of a server, and the length of its header.
fn encode(kind: Kind, compressed: bool, payload: &[u8]) -> (Bytes, usize) {
    let mut frame = Vec::with_capacity(header::MAX + payload.len());
    let header = Header {
        fin: true,
        compressed,
        opcode: kind.into(),
        mask: None,
        len: payload.len() as u64,
    };
    header.encode(&mut frame);
    let header_len = frame.len();
    frame.extend_from_slice(payload);
    (frame.into(), header_len)
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
