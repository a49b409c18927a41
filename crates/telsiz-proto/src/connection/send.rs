//! Messages to bytes.

use bytes::{Bytes, BytesMut};

use super::{Connection, Incoming, Role};
use crate::error::SendError;
use crate::frame::OpCode;
use crate::frame::header::{Header, MAX_CONTROL};
use crate::frame::mask::Key;
use crate::input::Piece;
use crate::message::Message;
use crate::outbox::Outbox;
use crate::prepared::Outgoing;

/// Sending. Each call encodes a whole frame into the outbox or, if it fails,
/// nothing.
impl Connection {
    /// Whether a whole message could be sent now.
    pub fn check_send(&self) -> Result<(), SendError> {
        match (&self.ending, self.fragmenting) {
            (Some(_), _) => Err(SendError::Closed),
            (None, Some(_)) => Err(SendError::FragmentOpen),
            (None, None) => Ok(()),
        }
    }

    /// Sends a message. A large payload goes by reference.
    pub fn send(
        &mut self,
        message: impl Into<Outgoing>,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.check_send()?;
        let message = match message.into() {
            Outgoing::Message(message) => message,
            Outgoing::Prepared(prepared) => match self.role {
                Role::Server => {
                    out.put_owned(prepared.plain().clone());
                    return Ok(());
                }
                Role::Client { .. } => prepared.message().clone(),
            },
        };
        self.encode_owned(message.kind().into(), true, message.into_bytes(), out);
        Ok(())
    }

    /// Sends text by copy.
    pub fn send_text(&mut self, text: &str, out: &mut Outbox) -> Result<(), SendError> {
        self.check_send()?;
        self.encode(OpCode::Text, text.as_bytes(), out);
        Ok(())
    }

    /// Sends bytes by copy.
    pub fn send_binary(&mut self, bytes: &[u8], out: &mut Outbox) -> Result<(), SendError> {
        self.check_send()?;
        self.encode(OpCode::Binary, bytes, out);
        Ok(())
    }

    /// Sends a message that came from a peer, by copy.
    pub fn forward<P>(&mut self, message: &Incoming<P>, out: &mut Outbox) -> Result<(), SendError>
    where
        P: Piece,
    {
        self.check_send()?;
        self.encode(message.kind().into(), message.as_bytes(), out);
        Ok(())
    }

    /// Encodes only the header of a message that came from a peer, and returns
    /// its payload, masked if the role asks for it: the caller writes that
    /// right behind the outbox, without a copy.
    pub fn forward_lent<'m, P>(
        &mut self,
        message: &'m mut Incoming<P>,
        out: &mut Outbox,
    ) -> Result<&'m [u8], SendError>
    where
        P: Piece,
    {
        self.check_send()?;
        let opcode = message.kind().into();
        let payload = message.payload.as_mut_slice();
        if let Some(key) = self.encode_header(opcode, true, payload.len(), out) {
            key.apply(payload);
        }
        Ok(payload)
    }

    /// Sends a fragment of a message: the first one opens it, the one with
    /// `last` completes it. Each fragment of a text is text by itself.
    pub fn send_fragment(
        &mut self,
        fragment: Message,
        last: bool,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        if self.ending.is_some() {
            return Err(SendError::Closed);
        }
        let kind = fragment.kind().into();
        let opcode = match self.fragmenting {
            None => kind,
            Some(open) if open == kind => OpCode::Continuation,
            Some(_) => return Err(SendError::FragmentOpen),
        };
        self.fragmenting = (!last).then_some(kind);
        self.encode_owned(opcode, last, fragment.into_bytes(), out);
        Ok(())
    }

    /// Sends a message after a fault, before the Close frame that answers it.
    pub fn send_last_words(&mut self, message: Message, out: &mut Outbox) -> Result<(), SendError> {
        let ending = self.ending.as_ref().ok_or(SendError::Closed)?;
        if !ending.allows_last_words() {
            return Err(SendError::Closed);
        }
        if self.fragmenting.is_some() {
            return Err(SendError::FragmentOpen);
        }
        self.encode_owned(message.kind().into(), true, message.into_bytes(), out);
        Ok(())
    }

    /// Sends a ping with a payload of at most 125 bytes with the next
    /// [`Connection::transmit`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > MAX_CONTROL {
            return Err(SendError::ControlTooLong);
        }
        if self.ending.is_some() {
            return Err(SendError::Closed);
        }
        self.waiting().ping = Some(payload.to_vec());
        Ok(())
    }

    /// Encodes a whole frame by copy.
    #[inline]
    pub(super) fn encode(&mut self, opcode: OpCode, payload: &[u8], out: &mut Outbox) {
        match self.encode_header(opcode, true, payload.len(), out) {
            None => out.put(payload),
            Some(key) => {
                key.apply(out.put_mut(payload));
            }
        }
    }

    /// Encodes a whole frame, a large payload by reference.
    fn encode_owned(&mut self, opcode: OpCode, fin: bool, payload: Bytes, out: &mut Outbox) {
        match self.encode_header(opcode, fin, payload.len(), out) {
            None => out.put_owned(payload),
            Some(key) => {
                // Nobody else holds it: it is masked where it lies.
                let mut payload = payload
                    .try_into_mut()
                    .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
                key.apply(&mut payload);
                out.put_owned(payload.freeze());
            }
        }
    }

    /// Encodes a header and returns the masking key that it carries.
    #[inline]
    fn encode_header(
        &mut self,
        opcode: OpCode,
        fin: bool,
        len: usize,
        out: &mut Outbox,
    ) -> Option<Key> {
        let mask = match self.role {
            Role::Server => None,
            Role::Client { masking_key } => Some(Key::new(masking_key())),
        };
        let header = Header {
            fin,
            opcode,
            mask,
            len: len as u64,
        };
        out.put_header(&header);
        mask
    }
}
