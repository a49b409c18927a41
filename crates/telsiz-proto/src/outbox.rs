//! Encoded bytes on their way to the transport.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::frame::header::Header;

/// Owned payloads from this size on go by reference: below it a copy costs
/// less than another element of a vectored write.
const BY_REFERENCE: usize = 2048;

/// Encoded frames that the transport has not taken yet, in order.
///
/// A driver lends one to a connection, writes [`Outbox::slices`] in one
/// vectored write and says with [`Outbox::advance`] how much was taken. What
/// is left belongs to that connection; an outbox that was emptied can serve the
/// next one.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Headers and small payloads.
    bytes: Vec<u8>,
    /// How many of `bytes` were written.
    written: usize,
    /// Large payloads; each stands before `bytes[position..]`.
    large: VecDeque<(usize, Bytes)>,
    /// The bytes in `large`.
    large_len: usize,
    /// The memory of a large payload that was written and that nobody else holds.
    spare: Option<BytesMut>,
}

impl Outbox {
    /// Whether everything was written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bytes to write.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written + self.large_len
    }

    /// What is to be written next, if it lies in one piece.
    #[inline]
    pub fn contiguous(&self) -> Option<&[u8]> {
        self.large.is_empty().then(|| &self.bytes[self.written..])
    }

    /// Fills `slices` with what is to be written next and with the `lent` bytes
    /// behind it, and returns those filled.
    pub fn slices<'s, 'a>(
        &'a self,
        lent: &'a [u8],
        slices: &'s mut [IoSlice<'a>],
    ) -> &'s [IoSlice<'a>] {
        let mut filled = 0;
        let mut from = self.written;
        let larges = self
            .large
            .iter()
            .map(|(position, payload)| (*position, &payload[..]));
        for (position, payload) in larges.chain([(self.bytes.len(), lent)]) {
            for piece in [&self.bytes[from..position], payload] {
                if !piece.is_empty() {
                    let Some(slot) = slices.get_mut(filled) else {
                        return slices;
                    };
                    *slot = IoSlice::new(piece);
                    filled += 1;
                }
            }
            from = position;
        }
        &slices[..filled]
    }

    /// Says that the first `n` bytes were written.
    pub fn advance(&mut self, mut n: usize) {
        while let Some((position, payload)) = self.large.front_mut() {
            let before = *position - self.written;
            if n < before {
                break;
            }
            n -= before;
            self.written = *position;
            let taken = n.min(payload.len());
            payload.advance(taken);
            self.large_len -= taken;
            n -= taken;
            if !payload.is_empty() {
                return;
            }
            let written = self.large.pop_front();
            if let Some(Ok(mut memory)) = written.map(|(_, payload)| payload.try_into_mut()) {
                memory.clear();
                self.spare = Some(memory);
            }
        }
        self.written = (self.written + n).min(self.bytes.len());
        if self.is_empty() {
            self.bytes.clear();
            self.written = 0;
        }
    }

    /// Says that the first `n` bytes were written, of those here and of the
    /// `lent` ones behind them. Of the lent ones that were not, a copy is kept.
    pub fn advance_lent(&mut self, n: usize, lent: &[u8]) {
        let own = self.len().min(n);
        self.advance(own);
        self.put(&lent[n - own..]);
    }

    /// Memory for [`Connection::space`](crate::Connection::space), if a large
    /// payload left some.
    pub fn take_spare(&mut self) -> Option<BytesMut> {
        self.spare.take()
    }

    /// Whether [`Outbox::compact`] would free at least as much as it has to move.
    pub fn is_mostly_written(&self) -> bool {
        self.written > self.bytes.len() / 2
    }

    /// Drops what was written and spare memory: for an outbox that is kept, when
    /// that begins and whenever it [is mostly written](Outbox::is_mostly_written).
    pub fn compact(&mut self) {
        self.bytes.drain(..self.written);
        for (position, _) in &mut self.large {
            *position -= self.written;
        }
        self.written = 0;
        self.bytes.shrink_to(self.bytes.len() * 2);
        self.large.shrink_to(self.large.len() * 2);
        self.spare = None;
    }

    /// The memory that is held beyond what is to be written.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends the header of a frame.
    #[inline]
    pub(crate) fn put_header(&mut self, header: &Header) {
        header.encode(&mut self.bytes);
    }

    /// Appends bytes by copy.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether a payload of `len` bytes is appended by copy though it is owned.
    #[inline]
    pub(crate) fn copies(len: usize) -> bool {
        len < BY_REFERENCE
    }

    /// Appends bytes that others hold too, and counts a reference only if they are
    /// not few.
    #[inline]
    pub(crate) fn put_shared(&mut self, bytes: &Bytes) {
        match Self::copies(bytes.len()) {
            true => self.put(bytes),
            false => self.put_reference(bytes.clone()),
        }
    }

    /// Appends bytes by reference.
    pub(crate) fn put_reference(&mut self, bytes: Bytes) {
        self.large_len += bytes.len();
        self.large.push_back((self.bytes.len(), bytes));
    }

    /// Appends bytes by copy and lends the copy, to be masked.
    #[inline]
    pub(crate) fn put_mut(&mut self, bytes: &[u8]) -> &mut [u8] {
        let at = self.bytes.len();
        self.put(bytes);
        &mut self.bytes[at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes at most `step` bytes at a time through at most `width` slices.
    fn drain(mut outbox: Outbox, step: usize, width: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !outbox.is_empty() {
            let mut slices = vec![IoSlice::new(&[]); width];
            let before = written.len();
            for slice in outbox.slices(&[], &mut slices) {
                let room = step - (written.len() - before);
                written.extend_from_slice(&slice[..slice.len().min(room)]);
            }
            let n = written.len() - before;
            assert!(n > 0);
            outbox.advance(n);
        }
        assert_eq!(outbox.len(), 0);
        written
    }

    fn mixed() -> (Outbox, Vec<u8>) {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for (i, len) in [3, BY_REFERENCE, BY_REFERENCE + 7, 0, 5, BY_REFERENCE, 1]
            .into_iter()
            .enumerate()
        {
            let bytes = vec![i as u8; len];
            expected.extend_from_slice(&bytes);
            outbox.put_shared(&bytes.into());
        }
        (outbox, expected)
    }

    #[test]
    fn partial_writes_keep_every_byte_in_order() {
        for step in [1, 2, 4, 100, BY_REFERENCE, BY_REFERENCE + 3, 100_000] {
            for width in [1, 2, 3, 16] {
                let (outbox, expected) = mixed();
                assert_eq!(outbox.len(), expected.len());
                assert_eq!(drain(outbox, step, width), expected, "{step} {width}");
            }
        }
    }

    #[test]
    fn what_was_lent_and_not_written_is_kept() {
        let lent = [9; 10];
        let (outbox, mut expected) = mixed();
        expected.extend_from_slice(&lent);
        for written in [0, 1, outbox.len(), outbox.len() + 1, expected.len()] {
            let (mut outbox, _) = mixed();
            let mut slices = [IoSlice::new(&[]); 16];
            let slices = outbox.slices(&lent, &mut slices);
            assert_eq!(
                slices.iter().map(|s| s.len()).sum::<usize>(),
                expected.len()
            );
            outbox.advance_lent(written, &lent);
            assert_eq!(drain(outbox, 100, 16), &expected[written..]);
        }
    }

    #[test]
    fn compacting_between_writes_changes_nothing() {
        for first in 0..3 * BY_REFERENCE {
            let (mut outbox, expected) = mixed();
            if first > expected.len() {
                break;
            }
            outbox.advance(first);
            outbox.compact();
            outbox.put(b"more");
            let rest = drain(outbox, 1000, 4);
            assert_eq!(rest, [&expected[first..], b"more"].concat());
        }
    }

    #[test]
    fn few_bytes_are_one_piece() {
        let mut outbox = Outbox::default();
        outbox.put(b"ab");
        outbox.put_shared(&Bytes::from_static(b"cd"));
        assert_eq!(outbox.contiguous(), Some(&b"abcd"[..]));
        outbox.advance(3);
        assert_eq!(outbox.contiguous(), Some(&b"d"[..]));
    }
}
