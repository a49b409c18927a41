//! A script: bytes that say, one after the other, what a target does.

use crate::common::noise;

/// What is left of a script. At its end it says zero for ever.
pub(crate) struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((byte, rest)) => {
                self.0 = rest;
                *byte
            }
            None => 0,
        }
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 != 0
    }

    /// A number below `end`, of one byte if that is enough for all of them.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        match end {
            0..=0x100 => usize::from(self.byte()) % end.max(1),
            _ => (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end,
        }
    }

    /// A size: most often small, now and then up to 64 KiB.
    pub(crate) fn size(&mut self) -> usize {
        match self.byte() {
            short @ 0..=0xbf => short.into(),
            long @ 0xc0..=0xef => usize::from(long & 0x3f) << 8 | usize::from(self.byte()),
            _ => self.below(0x1_0000),
        }
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// The next `n` bytes, fewer at the end.
    pub(crate) fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Up to `most` sizes of reads, none of them zero.
    pub(crate) fn sizes(&mut self, most: usize) -> Vec<usize> {
        (0..=self.below(most)).map(|_| self.size() + 1).collect()
    }

    /// Bytes of which most compress well: the script gives a few, or says how many, which are repeated.
    pub(crate) fn payload(&mut self, most: usize) -> Vec<u8> {
        let len = self.size().min(most);
        let period = match self.below(64) {
            0 => (0..251).collect(),
            63 => {
                let period = self.size().clamp(1, most);
                noise(period, 0)
            }
            few => self.bytes(few).to_vec(),
        };
        period.into_iter().cycle().take(len).collect()
    }
}
