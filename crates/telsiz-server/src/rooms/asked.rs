//! What is asked of rooms in the same words by `rooms` and over HTTP.

use schemars::JsonSchema;
use telsiz_hub::IdempotencyKey;

use crate::json::{Expected, Field};
use crate::lang::ByLang;

/// How long a page of the history is, unless somebody says so, and at most.
pub(crate) const HISTORY_PAGE: (usize, usize) = (50, 100);

/// Makes saying it again harmless.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub(crate) struct Key(#[schemars(length(min = 1, max = 64))] String);

impl From<Key> for Option<IdempotencyKey> {
    fn from(key: Key) -> Self {
        IdempotencyKey::new(&key.0).ok()
    }
}

impl Field for Key {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let key = value.and_then(|value| serde_json::from_str::<String>(value).ok());
        let key = key.filter(|key| IdempotencyKey::new(key).is_ok());
        key.map(Self).ok_or(Expected::Other(ByLang {
            tr: "1-64 baytlık bir metin",
            en: "a text of 1 to 64 bytes",
        }))
    }
}

/// A whole number from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub(crate) struct Number(#[schemars(range(min = 1))] pub(crate) usize);

impl Field for Number {
    fn read(value: Option<&str>) -> Result<Self, Expected> {
        let number = value.and_then(|value| serde_json::from_str(value).ok());
        let number = number.filter(|number| *number > 0);
        number.map(Self).ok_or(Expected::Other(ByLang {
            tr: "1 ya da daha büyük bir tam sayı",
            en: "a whole number from 1",
        }))
    }
}
