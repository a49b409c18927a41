//! The `id` of a request, by which its answer is known.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Number;

use crate::json::{Expected, Field, text};
use crate::lang::ByLang;

/// The `id` of a request: a number, or a text of at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum RequestId {
    Number(Number),
    Text(String),
}

/// The most bytes of an id that is a text.
const MAX: usize = 64;

impl Field for RequestId {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        const EXPECTED: Expected = Expected::Other(ByLang {
            tr: "bir sayı ya da en çok 64 baytlık bir metin",
            en: "a number or a text of at most 64 bytes",
        });
        let value = value.ok_or(EXPECTED)?;
        let id = match value.starts_with('"') {
            true => text(value)
                .filter(|text| text.len() <= MAX)
                .map(|text| Self::Text(text.into_owned())),
            // Longer ones are no numbers that anybody counts with.
            false => serde_json::from_str(value)
                .ok()
                .filter(|_| value.len() <= MAX)
                .map(Self::Number),
        };
        id.ok_or(EXPECTED)
    }
}

impl JsonSchema for RequestId {
    fn schema_name() -> Cow<'static, str> {
        "RequestId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "maxLength": MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_a_text_of_at_most_64_bytes() {
        for (value, valid) in [
            ("1".to_owned(), true),
            ("-1.5e3".to_owned(), true),
            (r#""""#.to_owned(), true),
            (format!("{:?}", "k".repeat(64)), true),
            (format!("{:?}", "k".repeat(65)), false),
            ("9".repeat(65), false),
            ("true".to_owned(), false),
            ("[]".to_owned(), false),
            ("{}".to_owned(), false),
        ] {
            assert_eq!(RequestId::read(Some(&value)).is_ok(), valid, "{value}");
        }
    }

    #[test]
    fn an_id_comes_back_as_it_was() {
        for value in ["1", "1.50", "\"a\"", "12345678901234567890"] {
            let id = RequestId::read(Some(value)).expect("an id");
            let back = serde_json::to_string(&id).expect("JSON");
            assert_eq!(back.parse::<f64>().ok(), value.parse::<f64>().ok());
            assert_eq!(back.starts_with('"'), value.starts_with('"'));
        }
    }
}
