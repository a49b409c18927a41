//! The fields of a message, each read by its type.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::from_str;
use serde_json::value::RawValue;

use super::object::Object;
use super::text::text;
use super::wrong::{Expected, WrongField};
use crate::names;

/// What a field of a message can be.
///
/// `messages!` reads messages whose fields are such. An app adds its own by implementing this and
/// `JsonSchema`.
pub(crate) trait Field: JsonSchema + Sized {
    /// Reads a value in JSON; `None` if it is absent or `null`.
    fn read(value: Option<&str>) -> Result<Self, Expected>;
}

/// Reads the fields of a message and notes all that are wrong.
#[derive(Debug)]
#[must_use = "whether something was wrong is known when it is finished"]
pub(crate) struct Fields<'a> {
    object: &'a Object<'a>,
    wrong: Vec<WrongField>,
}

impl<'a> Fields<'a> {
    /// Reads those of `object`.
    pub(crate) fn new(object: &'a Object<'a>) -> Self {
        Self {
            object,
            wrong: Vec::new(),
        }
    }

    /// Reads a field. One that is wrong is noted, and nothing is read.
    pub(crate) fn read<T: Field>(&mut self, field: &'static str) -> Option<T> {
        let read = T::read(self.object.get(field));
        read.map_err(|expected| self.wrong.push(WrongField { field, expected }))
            .ok()
    }

    /// What the fields make, unless one was wrong.
    pub(crate) fn finish<T>(self, make: impl FnOnce() -> Option<T>) -> Result<T, Vec<WrongField>> {
        make().ok_or(self.wrong)
    }
}

/// The name of a room.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub(crate) struct RoomName(
    #[schemars(
        with = "String",
        length(min = 1, max = 128),
        regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")
    )]
    pub(crate) telsiz_hub::RoomName,
);

/// The name or the id of a user, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize)]
pub(crate) struct UserName(
    #[schemars(
        length(max = 128),
        regex(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")
    )]
    pub(crate) String,
);

/// A text; one that is absent is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
#[schemars(extend("default" = ""))]
pub(crate) struct TextOrEmpty(pub(crate) String);

/// A text that says something.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct NotBlank(#[schemars(regex(pattern = r"\S"))] pub(crate) String);

/// Any JSON, as it came; `null` if it is absent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Any(Box<RawValue>);

/// How grave a message of the system is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Good to know.
    Info,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
}

impl Default for Any {
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl PartialEq for Any {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl JsonSchema for Any {
    fn schema_name() -> Cow<'static, str> {
        "Any".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "default": null })
    }
}

impl Field for Any {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let Some(value) = value else {
            return Ok(Self::default());
        };
        // It was read as JSON already.
        let raw = RawValue::from_string(value.to_owned());
        raw.map(Self).map_err(|_| Expected::Text)
    }
}

impl Field for f64 {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let number = value.and_then(|value| from_str(value).ok());
        number.ok_or(Expected::Number)
    }
}

impl Field for String {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let text = value.and_then(text).ok_or(Expected::Text)?;
        Ok(text.into_owned())
    }
}

impl Field for TextOrEmpty {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        value
            .map_or(Ok(String::new()), |value| String::read(Some(value)))
            .map(Self)
    }
}

impl Field for NotBlank {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        match TextOrEmpty::read(value)?.0 {
            blank if blank.trim().is_empty() => Err(Expected::NotBlank),
            text => Ok(Self(text)),
        }
    }
}

impl Field for RoomName {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let name = value.and_then(text).ok_or(Expected::RoomName)?;
        let name = telsiz_hub::RoomName::new(&name);
        name.map(Self).map_err(|_| Expected::RoomName)
    }
}

impl Field for UserName {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let name = value.and_then(text).filter(|name| names::is_user(name));
        let name = name.ok_or(Expected::UserName)?;
        Ok(Self(name.into_owned()))
    }
}

impl Field for Level {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        match value.and_then(text).as_deref() {
            Some("info") => Ok(Self::Info),
            Some("warning") => Ok(Self::Warning),
            Some("error") => Ok(Self::Error),
            _ => Err(Expected::OneOf(&["info", "warning", "error"])),
        }
    }
}

/// A field that may be absent.
impl<T: Field> Field for Option<T> {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        value.map(|value| T::read(Some(value))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Field>(value: &str) -> Result<T, Expected> {
        T::read((value != "absent").then_some(value))
    }

    #[test]
    fn each_type_says_what_it_expects() {
        for wrong in ["absent", "5", "[]"] {
            assert_eq!(read::<String>(wrong), Err(Expected::Text), "{wrong}");
            assert_eq!(read::<RoomName>(wrong), Err(Expected::RoomName), "{wrong}");
            assert_eq!(read::<UserName>(wrong), Err(Expected::UserName), "{wrong}");
        }
        assert_eq!(read(r#""""#), Ok(UserName(String::new())));
        assert_eq!(read::<RoomName>(r#""""#), Err(Expected::RoomName));
        assert_eq!(read::<RoomName>(r#""a\nb""#), Err(Expected::RoomName));
        let name = read::<RoomName>(r#""\u011f""#).expect("a name");
        assert_eq!(name.0.as_str(), "ğ");
    }

    #[test]
    fn a_level_is_one_of_three() {
        assert_eq!(read(r#""info""#), Ok(Level::Info));
        assert_eq!(read(r#""warning""#), Ok(Level::Warning));
        assert_eq!(read(r#""error""#), Ok(Level::Error));
        for wrong in ["absent", "5", r#""loud""#, r#""Info""#, r#"{"info":null}"#] {
            assert!(read::<Level>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_may_be_absent_may_not_be_wrong() {
        assert_eq!(read("absent"), Ok(TextOrEmpty::default()));
        assert_eq!(read::<TextOrEmpty>("5"), Err(Expected::Text));
        assert_eq!(read("absent"), Ok(None::<String>));
        assert_eq!(read::<Option<String>>("5"), Err(Expected::Text));
    }

    #[test]
    fn a_number_is_no_text_and_not_beyond_all_bounds() {
        assert_eq!(read("-1.5e3"), Ok(-1500.0));
        for wrong in ["absent", r#""5""#, "1e999"] {
            assert_eq!(read::<f64>(wrong), Err(Expected::Number), "{wrong}");
        }
    }

    #[test]
    fn anything_stays_as_it_came() {
        for (value, written) in [
            ("1.50", "1.50"),
            (r#"{"a":[ ]}"#, r#"{"a":[ ]}"#),
            ("absent", "null"),
        ] {
            let any = read::<Any>(value).expect("anything");
            assert_eq!(serde_json::to_string(&any).expect("JSON"), written);
        }
    }

    #[test]
    fn a_blank_text_says_nothing() {
        for blank in ["absent", r#""""#, r#"" \n\u3000""#] {
            assert_eq!(read::<NotBlank>(blank), Err(Expected::NotBlank), "{blank}");
        }
        assert_eq!(read::<NotBlank>("5"), Err(Expected::Text));
        assert_eq!(read(r#"" a""#), Ok(NotBlank(" a".into())));
    }
}
