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
use crate::prepared::{Batch, Outgoing, Prepared};

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
    #[inline(always)]
    pub fn send(
        &mut self,
        message: impl Into<Outgoing>,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        self.check_send()?;
        let message = message.into();
        // A small one stays where it is: to move it costs more than the rest of this.
        if let Outgoing::Message(message) = &message
            && Outbox::copies(message.len())
            && !self.compresses(message.len())
        {
            self.encode(message.kind().into(), message.as_bytes(), out);
            return Ok(());
        }
        match message {
            Outgoing::Message(message) => self.encode_message(message, out),
            Outgoing::Prepared(prepared) => match self.shared(&prepared) {
                Some(frame) => out.put_shared(frame),
                None => self.encode_message(prepared.message().clone(), out),
            },
        }
        Ok(())
    }

    /// The whole frame in which `prepared` would be sent now, if it is the same for
    /// other connections: a caller whose outbox is empty writes it without a copy.
    pub fn lend<'p>(&self, prepared: &'p Prepared) -> Option<&'p [u8]> {
        self.check_send().ok()?;
        self.shared(prepared).map(|frame| &frame[..])
    }

    /// As [`Connection::lend`], for messages that are sent together; they may be too large for that.
    pub fn lend_all<'b>(&self, batch: &'b Batch) -> Option<&'b [u8]> {
        self.check_send().ok()?;
        let frames = batch.plain();
        let is_shared = matches!(self.role, Role::Server) && !self.compresses(batch.longest());
        (is_shared && !frames.is_empty()).then_some(frames)
    }

    /// The frame in which `prepared` goes out here and on other connections.
    #[inline]
    fn shared<'p>(&self, prepared: &'p Prepared) -> Option<&'p Bytes> {
        if let Role::Client { .. } = self.role {
            return None;
        }
        if !self.compresses(prepared.message().len()) {
            return Some(prepared.plain());
        }
        let (bits, level) = self.codec.as_ref()?.shared()?;
        Some(prepared.deflated(bits, level))
    }

    /// Sends text by copy.
    pub fn send_text(&mut self, text: &str, out: &mut Outbox) -> Result<(), SendError> {
        self.check_send()?;
        self.encode_copy(OpCode::Text, text.as_bytes(), out);
        Ok(())
    }

    /// Sends bytes by copy.
    pub fn send_binary(&mut self, bytes: &[u8], out: &mut Outbox) -> Result<(), SendError> {
        self.check_send()?;
        self.encode_copy(OpCode::Binary, bytes, out);
        Ok(())
    }

    /// Sends a message that came from a peer, by copy.
    pub fn forward<P>(&mut self, message: &Incoming<P>, out: &mut Outbox) -> Result<(), SendError>
    where
        P: Piece,
    {
        self.check_send()?;
        self.encode_copy(message.kind().into(), message.as_bytes(), out);
        Ok(())
    }

    /// Encodes only the header of a message that came from a peer, and returns
    /// its payload, masked if the role asks for it: the caller writes that
    /// right behind the outbox, without a copy. It goes out as it is, never
    /// compressed: see [`Connection::compresses`].
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

    /// Whether a message of `len` bytes goes out compressed, if that makes it
    /// smaller.
    #[inline]
    pub fn compresses(&self, len: usize) -> bool {
        self.has_codec && self.codec.as_ref().is_some_and(|codec| codec.wants(len))
    }

    /// Sends a fragment of a message: the first one opens it, the one with
    /// `last` completes it. Each fragment of a text is text by itself. Fragments
    /// are not compressed.
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

    /// Encodes a message, a large one by reference, compressed if that is wanted.
    // Apart from `send`, of which small messages are to stay in registers.
    #[inline(never)]
    fn encode_message(&mut self, message: Message, out: &mut Outbox) {
        let opcode = message.kind().into();
        match self.compress(message.as_bytes()) {
            Some(payload) => self.encode_compressed(opcode, payload, out),
            None => self.encode_owned(opcode, true, message.into_bytes(), out),
        }
    }

    /// Encodes a message by copy, or compressed if that is wanted.
    #[inline]
    fn encode_copy(&mut self, opcode: OpCode, payload: &[u8], out: &mut Outbox) {
        match self.compress(payload) {
            Some(payload) => self.encode_compressed(opcode, payload, out),
            None => self.encode(opcode, payload, out),
        }
    }

    /// The compressed payload of a message, if it is sent so.
    #[inline]
    fn compress(&mut self, payload: &[u8]) -> Option<Bytes> {
        match self.compresses(payload.len()) {
            true => self.codec.as_mut()?.compress(payload),
            false => None,
        }
    }

    #[cold]
    fn encode_compressed(&mut self, opcode: OpCode, payload: Bytes, out: &mut Outbox) {
        let header = Header {
            compressed: true,
            ..self.header(opcode, true, payload.len())
        };
        put_frame(&header, payload, out);
    }

    /// Encodes a whole frame by copy.
    #[inline]
    pub(super) fn encode(&mut self, opcode: OpCode, payload: &[u8], out: &mut Outbox) {
        put_copied(&self.header(opcode, true, payload.len()), payload, out);
    }

    /// Encodes a whole frame, a large payload by reference.
    #[inline]
    fn encode_owned(&mut self, opcode: OpCode, fin: bool, payload: Bytes, out: &mut Outbox) {
        put_frame(&self.header(opcode, fin, payload.len()), payload, out);
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
        let header = self.header(opcode, fin, len);
        out.put_header(&header);
        header.mask
    }

    /// The header of a frame that goes out here.
    #[inline]
    fn header(&self, opcode: OpCode, fin: bool, len: usize) -> Header {
        let mask = match self.role {
            Role::Server => None,
            Role::Client { masking_key } => Some(Key::new(masking_key())),
        };
        Header {
            fin,
            compressed: false,
            opcode,
            mask,
            len: len as u64,
        }
    }
}

/// Encodes a frame, a large payload by reference.
#[inline]
fn put_frame(header: &Header, payload: Bytes, out: &mut Outbox) {
    match Outbox::copies(payload.len()) {
        true => put_copied(header, &payload, out),
        false => put_large(header, payload, out),
    }
}

/// Encodes a frame by copy.
#[inline(always)]
fn put_copied(header: &Header, payload: &[u8], out: &mut Outbox) {
    out.put_header(header);
    match header.mask {
        None => out.put(payload),
        Some(key) => {
            key.apply(out.put_mut(payload));
        }
    }
}

#[inline(never)]
fn put_large(header: &Header, payload: Bytes, out: &mut Outbox) {
    out.put_header(header);
    match header.mask {
        None => out.put_reference(payload),
        Some(key) => {
            // Nobody else holds it: it is masked where it lies.
            let mut payload = payload
                .try_into_mut()
                .unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            key.apply(&mut payload);
            out.put_reference(payload.freeze());
        }
    }
}
