//! What applications exchange: messages.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::frame::utf8;

/// The two kinds of messages (RFC 6455, section 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// As wide as its neighbours in a message: copying padding stalls the processor.
#[repr(usize)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Any bytes.
    Binary,
}

/// Text: bytes that are known to be UTF-8. Cloning counts a reference.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// Text without a copy.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Text in a buffer of its own.
    pub(crate) fn copy_from(bytes: &[u8]) -> Result<Self, NotUtf8> {
        match utf8::is_valid(bytes) {
            true => Ok(Self(Bytes::copy_from_slice(bytes))),
            false => Err(NotUtf8(())),
        }
    }

    /// Takes over bytes that the connection has checked.
    pub(crate) fn from_checked(bytes: Bytes) -> Self {
        debug_assert!(utf8::is_valid(&bytes));
        Self(bytes)
    }

    /// The text as `str`.
    ///
    /// The bytes were checked when the text was made; this checks them again
    /// (some 20 GB/s), because the crate contains no `unsafe`. Keep the result
    /// rather than call it in a loop; [`Text::as_bytes`] costs nothing.
    pub fn as_str(&self) -> &str {
        utf8::as_str(&self.0).unwrap_or_default()
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl TryFrom<Bytes> for Text {
    type Error = NotUtf8;

    fn try_from(bytes: Bytes) -> Result<Self, NotUtf8> {
        match utf8::is_valid(&bytes) {
            true => Ok(Self(bytes)),
            false => Err(NotUtf8(())),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

/// Bytes that were to be text are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotUtf8(());

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are no UTF-8")
    }
}

impl std::error::Error for NotUtf8 {}

/// A whole message. Cloning counts a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The same message in memory of its own, which is no larger: one that was received
    /// may be a piece of everything that was read with it, and keeps all of that.
    pub fn into_own(self) -> Self {
        Self::from_checked(self.kind(), Bytes::copy_from_slice(self.as_bytes()))
    }

    /// A message of bytes that a connection has checked.
    pub(crate) fn from_checked(kind: Kind, bytes: Bytes) -> Self {
        match kind {
            Kind::Text => Self::Text(Text::from_checked(bytes)),
            Kind::Binary => Self::Binary(bytes),
        }
    }

    /// Whether it is text or binary.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if it is a text message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }

    /// The payload, without a copy.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The number of payload bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_made_of_utf8_only() {
        assert!(Text::try_from(Bytes::from_static("çay".as_bytes())).is_ok());
        assert!(Text::try_from(Bytes::from_static(b"\xff")).is_err());
        assert!(Text::copy_from(b"\xc3").is_err());
    }

    #[test]
    fn text_reads_back() {
        let text = Text::from("Merhaba dünya");
        assert_eq!(text.as_str(), "Merhaba dünya");
        assert_eq!(Message::text("a").as_text(), Some("a"));
        assert_eq!(Message::binary(vec![1]).as_text(), None);
    }
}
