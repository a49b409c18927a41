//! Names of rooms and users.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The most code points of a name.
pub const MAX_NAME: usize = 128;

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A room.
    Room,
    /// A user's id.
    User,
    /// What a user is called.
    UserName,
}

/// A name that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It has no characters, as a room's must.
    #[error("the name of a room is empty")]
    Empty,
    /// It has more than [`MAX_NAME`] code points.
    #[error("the name has more than {MAX_NAME} characters")]
    TooLong,
    /// It has a control character.
    #[error("the name has a control character")]
    Control,
}

impl Named {
    /// Checks a name of this kind.
    ///
    /// # Errors
    ///
    /// If nothing of this kind can be called so.
    pub fn check(self, name: &str) -> Result<(), InvalidName> {
        if name.is_empty() && self == Self::Room {
            return Err(InvalidName::Empty);
        }
        // The count of bytes bounds that of code points.
        if name.len() > MAX_NAME && name.chars().count() > MAX_NAME {
            return Err(InvalidName::TooLong);
        }
        match name.chars().any(char::is_control) {
            true => Err(InvalidName::Control),
            false => Ok(()),
        }
    }
}

/// The name of a room. Cloning counts a reference.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Checks it.
    ///
    /// # Errors
    ///
    /// If no room can be called so.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        Named::Room.check(name)?;
        Ok(Self(name.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_128_code_points_of_any_size() {
        for (count, valid) in [(127, true), (128, true), (129, false)] {
            for letter in ["a", "ğ", "🎈"] {
                let name = RoomName::new(&letter.repeat(count));
                assert_eq!(name.is_ok(), valid, "{count} {letter}");
            }
        }
    }

    #[test]
    fn control_characters_are_in_no_name() {
        for name in ["a\nb", "\u{0}", "a\u{7f}", "\u{85}"] {
            assert_eq!(
                Named::User.check(name),
                Err(InvalidName::Control),
                "{name:?}"
            );
        }
        assert_eq!(Named::User.check("Ayşe Gül 🎈"), Ok(()));
    }

    #[test]
    fn only_rooms_must_have_a_name() {
        assert_eq!(RoomName::new(""), Err(InvalidName::Empty));
        assert_eq!(Named::User.check(""), Ok(()));
        assert_eq!(Named::UserName.check(""), Ok(()));
    }
}
