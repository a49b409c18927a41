//! Answers given right where a message is looked at.

use telsiz_proto::{CloseFrame, Connection, Incoming, Outbox, Outgoing};

/// From this size on a payload that is lent is written at once, without a copy.
const AT_ONCE: usize = 4096;

/// Answers to the messages of one read: they go out together.
///
/// After the connection began to close, answers are dropped.
pub struct Replies<'a> {
    connection: &'a mut Connection,
    outbox: &'a mut Outbox,
    transport: &'a mut dyn WriteNow,
}

/// A transport that can take bytes now.
pub(crate) trait WriteNow {
    /// Whether the transport refused bytes: what waits then may be replaced by
    /// newer.
    fn is_blocked(&self) -> bool;

    /// Writes the outbox and `lent` behind it; a copy of what the transport does
    /// not take is kept in the outbox.
    fn write_lent(&mut self, outbox: &mut Outbox, lent: &[u8]);
}

impl<'a> Replies<'a> {
    pub(crate) fn new(
        connection: &'a mut Connection,
        outbox: &'a mut Outbox,
        transport: &'a mut dyn WriteNow,
    ) -> Self {
        Self {
            connection,
            outbox,
            transport,
        }
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        self.connection
    }

    /// Answers a ping before the messages that came after it.
    pub(crate) fn transmit_pong(&mut self) {
        if !self.transport.is_blocked() {
            self.connection.transmit(self.outbox);
        }
    }

    pub(crate) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// Sends a message.
    pub fn send(&mut self, message: impl Into<Outgoing>) {
        let _ = self.connection.send(message, self.outbox);
    }

    /// Sends text by copy.
    pub fn text(&mut self, text: &str) {
        let _ = self.connection.send_text(text, self.outbox);
    }

    /// Sends bytes by copy.
    pub fn binary(&mut self, bytes: &[u8]) {
        let _ = self.connection.send_binary(bytes, self.outbox);
    }

    /// Sends a message back as it came, and copies it only if it is small.
    #[inline]
    pub fn echo(&mut self, mut message: Incoming<&mut [u8]>) {
        let len = message.as_bytes().len();
        if len < AT_ONCE || self.connection.compresses(len) {
            let _ = self.connection.forward(&message, self.outbox);
        } else if !message.is_lent() {
            self.send(message.into_message());
        } else if let Ok(payload) = self.connection.forward_lent(&mut message, self.outbox) {
            self.transport.write_lent(self.outbox, payload);
        }
    }

    /// Starts the closing handshake.
    pub fn close(&mut self, frame: impl Into<CloseFrame>) {
        self.connection.close(frame.into());
    }
}
