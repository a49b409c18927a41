//! Messages in JSON: reading them, and saying which field was wrong.

use serde::Serialize;
use serde_json::from_str;

use crate::lang::{ByLang, Lang};

pub(crate) use self::field::{
    Any, Field, Fields, Level, NotBlank, RoomName, TextOrEmpty, UserName,
};
pub(crate) use self::messages::messages;
pub(crate) use self::object::Object;
pub(crate) use self::schema::Schema;
pub(crate) use self::text::text;
pub(crate) use self::wrong::{Expected, ToldField, WrongField, sentence};

mod field;
mod messages;
mod object;
mod schema;
mod text;
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

    /// The object, or what is said to somebody who sent none and reads `lang`.
    pub(crate) fn object(self, lang: Lang) -> Result<Object<'a>, String> {
        const NO_JSON: ByLang<&str> = ByLang {
            tr: "JSON formatında mesaj göndermelisiniz",
            en: "Messages must be JSON",
        };
        match self {
            Self::Object(object) => Ok(object),
            Self::NoObject => Err(WrongField::NO_OBJECT.sentence(lang)),
            Self::NoJson => Err(NO_JSON.of(lang).to_owned()),
        }
    }
}
