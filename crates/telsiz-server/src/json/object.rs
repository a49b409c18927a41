//! A JSON object whose values stay as they came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::text::{Text, text};

/// A JSON object whose values stay as they came, in their order, whether they are
/// known or not. Of a name that comes twice the last value counts.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, RawValue>)>,
}

impl Object<'_> {
    /// Its `type`; empty, which is none, if it is no text.
    pub(crate) fn kind(&self) -> Option<Cow<'_, str>> {
        Some(text(self.get("type")?).unwrap_or_default())
    }

    /// The value of `name` in JSON; nothing if it is absent or `null`.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().rev().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.get())
            .filter(|value| *value != "null")
    }

    /// Gives `name` a value if it has none.
    pub(crate) fn fill(&mut self, name: &str, value: &str) {
        if self.get(name).is_some() {
            return;
        }
        // A string can always be written.
        let Ok(value) = to_raw_value(value).map(Cow::Owned) else {
            return;
        };
        match self
            .fields
            .iter_mut()
            .rev()
            .find(|(known, _)| known == name)
        {
            Some((_, null)) => *null = value,
            None => self.fields.push((name.to_owned().into(), value)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((Text(name), value)) =
                    map.next_entry::<Text<'de>, &'de RawValue>()?
                {
                    fields.push((name, Cow::Borrowed(value)));
                }
                Ok(Object { fields })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields.iter().map(|(name, value)| (name, value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object<'_> {
        serde_json::from_str(text).expect("an object")
    }

    fn written(object: &Object<'_>) -> String {
        serde_json::to_string(object).expect("JSON")
    }

    #[test]
    fn values_come_back_as_they_were() {
        let text = r#"{"b":1.10,"a":12345678901234567890123,"c":1e999,"d":{"z":[ ]},"e":"\u011f"}"#;
        assert_eq!(written(&object(text)), text);
    }

    #[test]
    fn what_is_absent_or_null_is_filled() {
        let mut known = object(r#"{"a":"x","b":null,"c":0}"#);
        for name in ["a", "b", "d"] {
            known.fill(name, "new");
        }
        assert_eq!(written(&known), r#"{"a":"x","b":"new","c":0,"d":"new"}"#);
    }

    #[test]
    fn of_a_name_that_comes_twice_the_last_counts() {
        assert_eq!(object(r#"{"a":1,"a":2}"#).get("a"), Some("2"));
        assert_eq!(object(r#"{"a":1,"a":null}"#).get("a"), None);
        assert_eq!(object(r#"{"a":1,"\u0061":2}"#).get("a"), Some("2"));
    }

    #[test]
    fn its_kind_is_a_text() {
        for (text, kind) in [
            (r#"{"type":"chat"}"#, Some("chat")),
            (r#"{"type":"\u0063hat"}"#, Some("chat")),
            (r#"{"type":5}"#, Some("")),
            (r#"{"type":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(object(text).kind().as_deref(), kind, "{text}");
        }
    }

    #[test]
    fn names_and_its_kind_are_not_copied() {
        let object = object(r#"{"type":"chat","message":""}"#);
        assert!(matches!(object.kind(), Some(Cow::Borrowed("chat"))));
        for (name, _) in &object.fields {
            assert!(matches!(name, Cow::Borrowed(_)), "{name}");
        }
    }

    #[test]
    fn only_an_object_is_one() {
        for text in ["[]", "5", "null", "\"a\"", "{", "", "{\"a\":1}x", "{\"a\"}"] {
            assert!(serde_json::from_str::<Object<'_>>(text).is_err(), "{text}");
        }
    }
}
