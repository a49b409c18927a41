//! Compressing.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Strategy};

use super::{Level, TAIL, WindowBits};

/// How many compressors a thread keeps: one for each setting, and there are few.
const POOL: usize = 4;

/// How much room the compressor gets at once.
const ROOM: usize = 64 * 1024;

/// What a compressor was made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) bits: WindowBits,
    pub(super) level: Level,
}

/// Compresses one message after the other.
pub(super) struct Compressor {
    setting: Setting,
    stream: Deflate,
}

thread_local! {
    static POOLED: RefCell<Vec<Compressor>> = const { RefCell::new(Vec::new()) };
}

impl Compressor {
    pub(super) fn new(setting: Setting) -> Self {
        let bits = i32::from(setting.bits.get());
        let config = DeflateConfig {
            level: setting.level.get().into(),
            // Negative: without the header of zlib.
            window_bits: -bits.max(9),
            // zlib has no window of 256 bytes, but it can refer one byte back only.
            strategy: match setting.bits {
                WindowBits::MIN => Strategy::Rle,
                _ => Strategy::Default,
            },
            ..DeflateConfig::default()
        };
        Self {
            setting,
            stream: Deflate::new_with_config(config),
        }
    }

    /// Appends `payload` as a compressed message to `out` (section 7.2.1).
    /// `payload` must not be empty.
    pub(super) fn compress(&mut self, mut payload: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        loop {
            let at = out.len();
            let room = (payload.len() + payload.len() / 8 + 64).min(ROOM);
            out.resize(at + room, 0);
            let (took, made) = (self.stream.total_in(), self.stream.total_out());
            let flush = DeflateFlush::SyncFlush;
            let status = self.stream.compress(payload, &mut out[at..], flush);
            let took = (self.stream.total_in() - took) as usize;
            let made = (self.stream.total_out() - made) as usize;
            out.truncate(at + made);
            payload = &payload[took..];
            if status.is_err() {
                return Err(Failed);
            }
            if payload.is_empty() && made < room {
                break;
            }
        }
        match out.ends_with(&TAIL) {
            true => out.truncate(out.len() - TAIL.len()),
            false => return Err(Failed),
        }
        Ok(())
    }
}

/// The compressor failed, which no payload makes it do.
#[derive(Debug)]
pub(crate) struct Failed;

/// Appends `payload` to `out`, compressed by itself: nothing is referred to but
/// this message.
pub(crate) fn compress_once(
    bits: WindowBits,
    level: Level,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), Failed> {
    let setting = Setting { bits, level };
    POOLED.with_borrow_mut(|pool| {
        let mut compressor = match pool.iter().position(|c| c.setting == setting) {
            Some(place) => pool.swap_remove(place),
            None => Compressor::new(setting),
        };
        let result = compressor.compress(payload, out);
        compressor.stream.reset();
        if result.is_ok() {
            pool.truncate(POOL - 1);
            pool.push(compressor);
        }
        result
    })
}
