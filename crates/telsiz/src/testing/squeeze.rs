//! permessage-deflate by the book (RFC 7692, section 7.2), with context takeover,
//! apart from the code under test.

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// More than any message here.
const ROOM: usize = 64 * 1024;

/// Both directions of one peer.
pub(crate) struct Squeeze {
    deflate: Deflate,
    inflate: Inflate,
}

impl Squeeze {
    pub(crate) fn new() -> Self {
        let config = DeflateConfig {
            level: 1,
            window_bits: -9,
            ..DeflateConfig::default()
        };
        Self {
            deflate: Deflate::new_with_config(config),
            inflate: Inflate::new(false, 9),
        }
    }

    pub(crate) fn compress(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0; ROOM];
        let made = self.deflate.total_out();
        self.deflate
            .compress(payload, &mut out, DeflateFlush::SyncFlush)
            .expect("it compresses");
        out.truncate((self.deflate.total_out() - made) as usize);
        assert!(out.ends_with(&TAIL));
        out.truncate(out.len() - TAIL.len());
        out
    }

    pub(crate) fn decompress(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0; ROOM];
        let made = self.inflate.total_out();
        let whole = [payload, &TAIL].concat();
        self.inflate
            .decompress(&whole, &mut out, InflateFlush::SyncFlush)
            .expect("a compressed message that follows the ones before");
        out.truncate((self.inflate.total_out() - made) as usize);
        out
    }
}
