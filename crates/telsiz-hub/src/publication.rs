//! What is published in a room, and where in its log it stands.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::member::User;

/// What the numbers of a log belong to: another epoch means that the log could not
/// be continued. Opaque. Cloning counts a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    /// One that is called so.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in the log of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Of the log.
    pub epoch: Epoch,
    /// From 1, without gaps; 0 is the place before the first.
    pub seq: u64,
}

/// What is to be published.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Who says it.
    pub user: User,
    /// What.
    pub text: String,
    /// Publishing with the same key again, in the same room and by the same user, is
    /// harmless.
    pub key: Option<IdempotencyKey>,
}

/// What was published. It never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its number in the log.
    pub seq: u64,
    /// Of the log.
    pub epoch: Epoch,
    /// When it was appended.
    pub time: Timestamp,
    /// Who said it.
    pub user: User,
    /// What.
    pub text: String,
}

impl Publication {
    /// Its place in the log.
    pub fn position(&self) -> Position {
        Position {
            epoch: self.epoch.clone(),
            seq: self.seq,
        }
    }
}

/// Makes publishing again harmless.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

/// A key that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key has 1 to {} bytes", IdempotencyKey::MAX)]
pub struct InvalidKey;

impl IdempotencyKey {
    /// The most bytes of a key.
    pub const MAX: usize = 64;

    /// Checks it.
    ///
    /// # Errors
    ///
    /// If it is empty or too long.
    pub fn new(key: &str) -> Result<Self, InvalidKey> {
        match key.len() {
            1..=Self::MAX => Ok(Self(key.into())),
            _ => Err(InvalidKey),
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_64_bytes() {
        for (len, valid) in [(0, false), (1, true), (63, true), (64, true), (65, false)] {
            assert_eq!(
                IdempotencyKey::new(&"k".repeat(len)).is_ok(),
                valid,
                "{len}"
            );
        }
        assert!(IdempotencyKey::new(&"ğ".repeat(33)).is_err(), "66 bytes");
    }
}
