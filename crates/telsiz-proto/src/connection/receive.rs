//! Bytes to messages and control frames.

use bytes::buf::Limit;
use bytes::{BufMut, BytesMut};

use super::event::Incoming;
use crate::config::Limits;
use crate::deflate::Codec;
use crate::error::{Exceeded, Fault, Violation};
use crate::frame::header::{self, Header};
use crate::frame::mask::Key;
use crate::frame::{OpCode, utf8};
use crate::input::{Payload, Source};
use crate::message::Kind;

/// From here on a payload is large: the transport writes straight into the
/// message instead of through the driver's buffer.
const LARGE: usize = 8 * 1024;

/// How much of a large payload is taken with one read, and how much of that is
/// unmasked and checked in one go: what was just written is still in the
/// processor's cache then.
const READ: usize = 128 * 1024;
const SETTLE: usize = 16 * 1024;

/// What is kept may be this many times what has come.
const GROWTH: usize = 4;

/// How many times as large as a message the memory may be that an earlier one left.
const SPARE: usize = 2;

/// How large a message may be while it is compressed: what cannot be compressed
/// grows, by an eighth with the codes that are fixed (RFC 1951, section 3.2.6).
const fn deflated_max(message_size: usize) -> usize {
    message_size
        .saturating_add(message_size / 8)
        .saturating_add(256)
}

/// What the frames that came add up to.
pub(super) enum Received<P> {
    Message(Incoming<P>),
    Control(OpCode, Payload<P>),
}

/// The receiving side of a connection.
///
/// It uses up all input that it is given: of a frame that is not whole, the
/// header is kept in place and the payload is gathered on the heap.
#[derive(Debug, Default)]
pub(super) struct Receive {
    stage: Stage,
    /// The message that is being gathered.
    message: Option<Box<Gathering>>,
    /// The control frame that is being gathered; it may interrupt a message.
    control: Option<Box<(OpCode, BytesMut)>>,
}

#[derive(Debug)]
enum Stage {
    /// `have` bytes of a header are here.
    Header { have: u8, bytes: [u8; header::MAX] },
    /// `left` bytes of a payload are still to come.
    Payload { left: u64, key: Key, fin: bool },
    /// Whatever comes does not matter any more.
    Discard,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Header {
            have: 0,
            bytes: [0; header::MAX],
        }
    }
}

/// A message of which a part has come.
#[derive(Debug)]
struct Gathering {
    kind: Kind,
    compressed: bool,
    data: BytesMut,
    /// How much of `data` is unmasked and counted.
    settled: usize,
    /// How much of `data` is known to be UTF-8.
    checked: usize,
    frames: u32,
}

impl Receive {
    /// Discards everything from here on and frees what was gathered.
    pub(super) fn discard(&mut self) {
        *self = Self {
            stage: Stage::Discard,
            message: None,
            control: None,
        };
    }

    /// The message that lies whole and in one frame at the start of `input`: the
    /// way of nearly all of them. Whatever else is there, wrong or not yet
    /// complete, is left to [`Receive::poll`].
    #[inline(always)]
    pub(super) fn take_whole<S: Source>(
        &mut self,
        input: &mut S,
        masked: bool,
        limits: &Limits,
    ) -> Result<Option<Incoming<S::Piece>>, Violation> {
        let (Stage::Header { have: 0, .. }, None) = (&self.stage, &self.message) else {
            return Ok(None);
        };
        let Ok(Some((header, len))) = Header::decode(input.bytes(), false) else {
            return Ok(None);
        };
        let kind = match header.opcode {
            OpCode::Text => Kind::Text,
            OpCode::Binary => Kind::Binary,
            _ => return Ok(None),
        };
        let is_whole = header.len <= (input.bytes().len() - len) as u64;
        let fits = header.len <= limits.message_size as u64;
        if !header.fin || header.mask.is_some() != masked || !is_whole || !fits {
            return Ok(None);
        }
        input.skip(len);
        let (piece, is_ascii) = take_frame(&header, input);
        if kind == Kind::Text && !is_ascii && !utf8::is_valid(piece.as_ref()) {
            return Err(Violation::NotUtf8);
        }
        let payload = Payload::Lent(piece);
        Ok(Some(Incoming { kind, payload }))
    }

    /// The next message or control frame in `input`.
    pub(super) fn poll<S: Source>(
        &mut self,
        input: &mut S,
        masked: bool,
        limits: &Limits,
        mut codec: Option<&mut Codec>,
    ) -> Result<Option<Received<S::Piece>>, Fault> {
        loop {
            match &mut self.stage {
                Stage::Header { have, .. } => {
                    let header = match *have {
                        0 => self.read_header(input, codec.is_some())?,
                        _ => self.resume_header(input, codec.is_some())?,
                    };
                    let Some(header) = header else {
                        return Ok(None);
                    };
                    self.begin_frame(&header, masked, limits)?;
                    if let Some(received) =
                        self.take_rest(&header, input, limits, codec.as_deref_mut())?
                    {
                        return Ok(Some(received));
                    }
                }
                Stage::Payload { .. } => {
                    let waits_for_more = self.gather(input)?;
                    if waits_for_more {
                        return Ok(None);
                    }
                    if let Some(received) = self.end_frame(limits, codec.as_deref_mut())? {
                        return Ok(Some(received));
                    }
                }
                Stage::Discard => {
                    input.skip(input.bytes().len());
                    return Ok(None);
                }
            }
        }
    }

    /// Takes a header of which nothing has come before.
    fn read_header<S: Source>(
        &mut self,
        input: &mut S,
        deflate: bool,
    ) -> Result<Option<Header>, Violation> {
        match Header::decode(input.bytes(), deflate)? {
            Some((header, len)) => {
                input.skip(len);
                Ok(Some(header))
            }
            None => {
                self.stash_header(input);
                Ok(None)
            }
        }
    }

    /// Keeps the part of a header that has come.
    fn stash_header<S: Source>(&mut self, input: &mut S) {
        let part = input.bytes();
        let len = part.len();
        if let Stage::Header { have, bytes } = &mut self.stage {
            bytes[..len].copy_from_slice(part);
            *have = len as u8;
        }
        input.skip(len);
    }

    /// Adds bytes to a header of which a part has come.
    fn resume_header<S: Source>(
        &mut self,
        input: &mut S,
        deflate: bool,
    ) -> Result<Option<Header>, Violation> {
        let Stage::Header { have, bytes } = &mut self.stage else {
            return Ok(None);
        };
        let had = usize::from(*have);
        let rest = input.bytes();
        let take = rest.len().min(header::MAX - had);
        bytes[had..had + take].copy_from_slice(&rest[..take]);
        match Header::decode(&bytes[..had + take], deflate)? {
            Some((header, len)) => {
                input.skip(len - had);
                self.stage = Stage::default();
                Ok(Some(header))
            }
            None => {
                *have += take as u8;
                input.skip(take);
                Ok(None)
            }
        }
    }

    /// Checks a header against the rules, the state and the limits.
    fn begin_frame(&self, header: &Header, masked: bool, limits: &Limits) -> Result<(), Fault> {
        match (masked, header.mask) {
            (true, None) => return Err(Violation::Unmasked.into()),
            (false, Some(_)) => return Err(Violation::Masked.into()),
            _ => {}
        }
        let (had, frames, compressed) = match (&self.message, header.opcode) {
            (_, opcode) if opcode.is_control() => return Ok(()),
            (None, OpCode::Continuation) => return Err(Violation::NothingToContinue.into()),
            (Some(message), OpCode::Continuation) => {
                (message.data.len(), message.frames, message.compressed)
            }
            (Some(_), _) => return Err(Violation::MessageInterrupted.into()),
            (None, _) => (0, 0, header.compressed),
        };
        let max = limits.message_size;
        let allowed = match compressed {
            true => deflated_max(max),
            false => max,
        };
        if header.len > allowed.saturating_sub(had) as u64 {
            return Err(Exceeded::MessageSize { max }.into());
        }
        if frames >= limits.fragments && !header.fin {
            let max = limits.fragments;
            return Err(Exceeded::Fragments { max }.into());
        }
        Ok(())
    }

    /// What follows a header that was checked: hands out the frame if it is whole
    /// and complete by itself, or begins to gather it.
    fn take_rest<S: Source>(
        &mut self,
        header: &Header,
        input: &mut S,
        limits: &Limits,
        codec: Option<&mut Codec>,
    ) -> Result<Option<Received<S::Piece>>, Fault> {
        let is_whole = header.len <= input.bytes().len() as u64;
        let kind = match header.opcode {
            OpCode::Continuation => None,
            OpCode::Text => Some(Kind::Text),
            OpCode::Binary => Some(Kind::Binary),
            control => {
                if is_whole {
                    let (piece, _) = take_frame(header, input);
                    return Ok(Some(Received::Control(control, Payload::Lent(piece))));
                }
                let body = BytesMut::with_capacity(header.len as usize);
                self.control = Some(Box::new((control, body)));
                self.begin_payload(header);
                return Ok(None);
            }
        };
        if let (Some(kind), Some(codec)) = (kind, codec)
            && header.compressed
            && header.fin
            && is_whole
        {
            let (piece, _) = take_frame(header, input);
            let message = inflate(kind, piece.as_ref(), limits, codec)?;
            return Ok(Some(Received::Message(message)));
        }
        if let Some(kind) = kind {
            self.message = Some(Box::new(Gathering {
                kind,
                compressed: header.compressed,
                data: BytesMut::new(),
                settled: 0,
                checked: 0,
                frames: 0,
            }));
        }
        if let Some(message) = &mut self.message {
            message.frames += 1;
        }
        self.begin_payload(header);
        Ok(None)
    }

    fn begin_payload(&mut self, header: &Header) {
        self.stage = Stage::Payload {
            left: header.len,
            key: header.mask.unwrap_or(Key::NONE),
            fin: header.fin,
        };
    }

    /// Moves input into what is gathered; whether the frame needs more.
    fn gather<S: Source>(&mut self, input: &mut S) -> Result<bool, Fault> {
        let Stage::Payload { left, key, .. } = &mut self.stage else {
            return Ok(false);
        };
        let (data, settled) = match (&mut self.control, &mut self.message) {
            (Some(control), _) => {
                let had = control.1.len();
                (&mut control.1, had)
            }
            (None, Some(message)) => (&mut message.data, message.settled),
            (None, None) => return Ok(false),
        };
        // What the transport wrote into our space came before this input.
        let spaced = data.len() - settled;
        let more = (*left as usize - spaced).min(input.bytes().len());
        let to_come = *left as usize - spaced - more;
        if data.capacity() - data.len() < more && to_come < LARGE {
            reserve(data, more, more + to_come);
        }
        // More than that comes through `space`, which finds the memory for it.
        data.extend_from_slice(&input.bytes()[..more]);
        input.skip(more);
        *left -= (spaced + more) as u64;
        let waits_for_more = *left > 0;
        if let Some((_, body)) = self.control.as_deref_mut() {
            *key = key.apply(&mut body[settled..]);
        } else if let Some(message) = &mut self.message {
            message.settle(key)?;
        }
        Ok(waits_for_more)
    }

    /// The payload of a frame has come.
    fn end_frame<P>(
        &mut self,
        limits: &Limits,
        codec: Option<&mut Codec>,
    ) -> Result<Option<Received<P>>, Fault> {
        let last = matches!(self.stage, Stage::Payload { fin: true, .. });
        self.stage = Stage::default();
        if let Some(control) = self.control.take() {
            let (opcode, body) = *control;
            return Ok(Some(Received::Control(opcode, Payload::Gathered(body))));
        }
        if !last {
            return Ok(None);
        }
        let Some(message) = self.message.take() else {
            return Ok(None);
        };
        if let (true, Some(codec)) = (message.compressed, codec) {
            let message = inflate(message.kind, &message.data, limits, codec)?;
            return Ok(Some(Received::Message(message)));
        }
        if message.kind == Kind::Text && message.checked < message.data.len() {
            return Err(Violation::NotUtf8.into());
        }
        Ok(Some(Received::Message(Incoming {
            kind: message.kind,
            payload: Payload::Gathered(message.data),
        })))
    }

    /// Whether the transport wrote into [`Receive::space`] since the last poll.
    pub(super) fn has_filled_space(&self) -> bool {
        self.message
            .as_ref()
            .is_some_and(|message| message.settled < message.data.len())
    }

    /// Room in the message that is being gathered, if its payload is large.
    pub(super) fn space(
        &mut self,
        spare: impl FnOnce() -> Option<BytesMut>,
    ) -> Option<Limit<&mut BytesMut>> {
        let Stage::Payload { left, .. } = self.stage else {
            return None;
        };
        let message = self.message.as_mut()?;
        let data = &mut message.data;
        let left = left as usize - (data.len() - message.settled);
        if self.control.is_some() || data.len() < LARGE || left < LARGE {
            return None;
        }
        if data.capacity() - data.len() < left.min(LARGE) {
            // A spare may be larger than what came allows to ask for: a peer paid
            // for it by sending a message of that size, and it serves only once. But
            // the message goes with it to whoever keeps it.
            let whole = data.len() + left;
            if let Some(mut memory) = spare()
                && memory.try_reclaim(whole)
                && memory.capacity() <= SPARE * whole
            {
                memory.extend_from_slice(data);
                *data = memory;
            } else {
                reserve(data, 0, left);
            }
        }
        let room = data.capacity() - data.len();
        Some(data.limit(left.min(room).min(READ)))
    }
}

impl Gathering {
    /// Unmasks and checks what has come since the last time.
    fn settle(&mut self, key: &mut Key) -> Result<(), Violation> {
        while self.settled < self.data.len() {
            let end = self.data.len().min(self.settled + SETTLE);
            let mut is_ascii = false;
            if *key != Key::NONE {
                (*key, is_ascii) = key.unmask(&mut self.data[self.settled..end]);
            }
            if is_ascii && self.checked == self.settled {
                self.checked = end;
            }
            self.settled = end;
            if self.kind == Kind::Text && !self.compressed && self.checked < end {
                let unchecked = &self.data[self.checked..end];
                self.checked += utf8::valid_prefix(unchecked).ok_or(Violation::NotUtf8)?;
            }
        }
        Ok(())
    }
}

/// Takes the payload of a frame that is whole, and unmasks it; whether it is
/// known to be ASCII.
#[inline(always)]
fn take_frame<S: Source>(header: &Header, input: &mut S) -> (S::Piece, bool) {
    let mut piece = input.take(header.len as usize);
    let is_ascii = header.mask.is_some_and(|key| key.unmask(piece.as_mut()).1);
    (piece, is_ascii)
}

/// The message that `payload` stands for.
fn inflate<P>(
    kind: Kind,
    payload: &[u8],
    limits: &Limits,
    codec: &mut Codec,
) -> Result<Incoming<P>, Fault> {
    let data = codec.inflate(payload, limits.message_size)?;
    if kind == Kind::Text && !utf8::is_valid(&data) {
        return Err(Violation::NotUtf8.into());
    }
    let payload = Payload::Gathered(data);
    Ok(Incoming { kind, payload })
}

/// Makes room for `more` bytes and for those to follow of the `left` that were
/// claimed, in proportion to what has really come.
fn reserve(data: &mut BytesMut, more: usize, left: usize) {
    let came = data.len() + more;
    let grown = GROWTH * came - data.len();
    data.reserve(left.min(grown));
}
