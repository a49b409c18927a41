//! Bytes on loan: how a driver hands received bytes to a connection.

use bytes::{Bytes, BytesMut};

/// Received bytes that a [`Connection`](crate::Connection) may take pieces of.
///
/// Implemented for [`Input`] (pieces borrow the driver's buffer) and for
/// `BytesMut` (pieces are owned and share its allocation).
pub trait Source {
    /// A piece that was taken.
    type Piece: Piece;

    /// What is there.
    fn bytes(&self) -> &[u8];

    /// Drops the first `n` bytes; at most all of them.
    fn skip(&mut self, n: usize);

    /// Takes the first `n` bytes; at most all of them.
    fn take(&mut self, n: usize) -> Self::Piece;
}

/// Bytes that were taken out of a [`Source`].
pub trait Piece: AsRef<[u8]> + AsMut<[u8]> {
    /// The bytes as owned ones: a copy if they were borrowed.
    fn into_bytes(self) -> Bytes;
}

impl Piece for &mut [u8] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}

impl Piece for BytesMut {
    #[inline]
    fn into_bytes(self) -> Bytes {
        self.freeze()
    }
}

/// Borrowed bytes: what a plain function may look at before the next read.
#[derive(Debug)]
pub struct Input<'a> {
    rest: &'a mut [u8],
}

impl<'a> Input<'a> {
    /// Lends `bytes`, which are unmasked in place.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Source for Input<'a> {
    type Piece = &'a mut [u8];

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.rest
    }

    #[inline]
    fn skip(&mut self, n: usize) {
        self.take(n);
    }

    #[inline]
    fn take(&mut self, n: usize) -> &'a mut [u8] {
        let rest = std::mem::take(&mut self.rest);
        let (piece, rest) = rest.split_at_mut(n.min(rest.len()));
        self.rest = rest;
        piece
    }
}

impl Source for BytesMut {
    type Piece = BytesMut;

    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline]
    fn skip(&mut self, n: usize) {
        bytes::Buf::advance(self, n.min(self.len()));
    }

    #[inline]
    fn take(&mut self, n: usize) -> BytesMut {
        // The last piece takes the handle itself: no reference is counted.
        match n < self.len() {
            true => self.split_to(n),
            false => std::mem::take(self),
        }
    }
}

/// The payload of a message or of a control frame, unmasked and checked.
#[derive(Debug)]
pub enum Payload<P> {
    /// It lay whole in the input: a piece of that.
    Lent(P),
    /// It came in several reads or frames.
    Gathered(BytesMut),
}

impl<P: Piece> Payload<P> {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Lent(piece) => piece.as_ref(),
            Self::Gathered(bytes) => bytes,
        }
    }

    /// The bytes, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Lent(piece) => piece.as_mut(),
            Self::Gathered(bytes) => bytes,
        }
    }

    /// The bytes as owned ones: a copy if they were borrowed from the input.
    #[inline(always)]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Lent(piece) => piece.into_bytes(),
            Self::Gathered(bytes) => bytes.freeze(),
        }
    }
}
