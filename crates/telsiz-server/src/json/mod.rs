//! Messages in JSON: reading them, and saying which field was wrong.

use serde::Serialize;
use serde_json::from_str;

#[allow(unused_imports, reason = "for apps to come")]
pub(crate) use self::field::{Field, Fields, Level, NotBlank, RoomName, TextOrEmpty, UserName};
pub(crate) use self::messages::messages;
pub(crate) use self::object::Object;
pub(crate) use self::schema::Schema;
#[allow(unused_imports, reason = "for apps to come")]
pub(crate) use self::wrong::{Expected, ToldField, WrongField, sentence};

mod field;
mod messages;
mod object;
mod schema;
mod wrong;

/// A message of the server as text.
pub(crate) fn write(message: &impl Serialize) -> String {
    // What the apps say can always be written.
    serde_json::to_string(message).unwrap_or_default()
}

/// What came in a text message.
#[derive(Debug)]
pub(crate) enum Heard<'a> {
    /// An object.
    Object(Object<'a>),
    /// Other JSON.
    NoObject,
    /// No JSON.
    NoJson,
}

impl<'a> Heard<'a> {
    /// Reads `text`.
    pub(crate) fn read(text: &'a str) -> Self {
        match from_str(text) {
            Ok(object) => Self::Object(object),
            Err(_) => match from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Self::NoObject,
                Err(_) => Self::NoJson,
            },
        }
    }
}
