//! Compression as a connection has it.

use std::fmt;

use bytes::{Bytes, BytesMut};

use super::compress::{Compressor, Setting, compress_once};
use super::inflate::{Inflater, inflate_once};
use super::{Agreement, Deflate, Level, Window, WindowBits};
use crate::connection::Role;
use crate::error::Fault;

/// Both directions of a connection that agreed on permessage-deflate.
pub(crate) struct Codec {
    ours: Window,
    theirs: Window,
    level: Level,
    threshold: usize,
    /// What is kept between messages, if that was agreed on.
    compressor: Option<Box<Compressor>>,
    inflater: Option<Box<Inflater>>,
}

impl Codec {
    pub(crate) fn new(role: Role, settings: &Deflate, agreement: Agreement) -> Self {
        let (ours, theirs) = agreement.windows(role);
        Self {
            ours,
            theirs,
            level: settings.level,
            // There is no way to compress nothing twice in a row.
            threshold: settings.threshold.max(1),
            compressor: None,
            inflater: None,
        }
    }

    /// Whether a message of `len` bytes goes out compressed.
    pub(crate) fn wants(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// The setting that a message compressed by itself can have for many
    /// connections; `None` if it has to be compressed for this one.
    pub(crate) fn shared(&self) -> Option<(WindowBits, Level)> {
        (!self.ours.takeover).then_some((self.ours.bits, self.level))
    }

    /// The payload that stands for `message`; `None` if it is sent as it is.
    pub(crate) fn compress(&mut self, message: &[u8]) -> Option<Bytes> {
        let mut out = Vec::new();
        let (bits, level) = (self.ours.bits, self.level);
        if !self.ours.takeover {
            compress_once(bits, level, message, &mut out).ok()?;
            return (out.len() < message.len()).then(|| out.into_boxed_slice().into());
        }
        let setting = Setting { bits, level };
        let compressor = self
            .compressor
            .get_or_insert_with(|| Box::new(Compressor::new(setting)));
        match compressor.compress(message, &mut out) {
            // What the peer is to refer to later it has to see now.
            Ok(()) => Some(out.into_boxed_slice().into()),
            Err(_) => {
                // What it saw of the old one is not referred to by a new one.
                self.compressor = None;
                None
            }
        }
    }

    /// The message that `payload` stands for, of at most `max` bytes.
    pub(crate) fn inflate(&mut self, payload: &[u8], max: usize) -> Result<BytesMut, Fault> {
        match self.theirs.takeover {
            true => self
                .inflater
                .get_or_insert_with(|| Box::new(Inflater::new()))
                .inflate(payload, max),
            false => inflate_once(payload, max),
        }
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Codec")
            .field("ours", &self.ours)
            .field("theirs", &self.theirs)
            .finish_non_exhaustive()
    }
}
