//! What is asked of rooms in the same words by `rooms` and over HTTP.

use schemars::JsonSchema;
use telsiz_hub::IdempotencyKey;

use crate::json::{Expected, Field, text};
use crate::lang::ByLang;

/// How long a page of the history is, unless somebody says so, and at most.
pub(crate) const HISTORY_PAGE: (usize, usize) = (50, 100);

/// Makes saying it again harmless.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
pub(crate) struct Key(
    #[schemars(with = "String", length(min = 1, max = 64))] pub(crate) IdempotencyKey,
);

impl Field for Key {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let key = value.and_then(text);
        let key = key.and_then(|key| IdempotencyKey::new(&key).ok());
        key.map(Self).ok_or(Expected::Other(ByLang {
            tr: "1-64 baytlık bir metin",
            en: "a text of 1 to 64 bytes",
        }))
    }
}

/// A whole number from 1 to [`MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub(crate) struct Number(#[schemars(range(min = 1, max = MOST))] pub(crate) usize);

/// The greatest whole number that all readers of JSON agree on (RFC 7493, section 2.2).
const MOST: u64 = (1 << 53) - 1;

impl Field for Number {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let number = value.and_then(|value| serde_json::from_str(value).ok());
        let number = number.filter(|number| (1..=MOST).contains(number));
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.map(Self).ok_or(Expected::Other(ByLang {
            tr: "1 ile 9007199254740991 arasında bir tam sayı",
            en: "a whole number from 1 to 9007199254740991",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_that_can_be_counted_with() {
        for (value, valid) in [
            ("0", false),
            ("1", true),
            ("2", true),
            ("9007199254740990", true),
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("1.0", false),
            ("-1", false),
            ("x", false),
        ] {
            assert_eq!(Number::read(Some(value)).is_ok(), valid, "{value}");
        }
        let expected = Number::read(Some("0")).expect_err("wrong");
        assert!(
            expected
                .of(crate::lang::Lang::En)
                .ends_with(&MOST.to_string())
        );
    }
}
