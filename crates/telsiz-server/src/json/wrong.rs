//! A field that is not as it should be, and how that is told.

use std::borrow::Cow;

use serde::Serialize;

use crate::lang::{ByLang, Lang};
use crate::names::Naming;

/// A field that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongField {
    /// Its name; empty for the whole message.
    pub(crate) field: &'static str,
    /// What it should be.
    pub(crate) expected: Expected,
}

/// What a field should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// A JSON object: the whole message.
    Object,
    /// A text.
    Text,
    /// A number.
    Number,
    /// A text that says something.
    NotBlank,
    /// The name of a room.
    RoomName,
    /// The name or the id of a user.
    UserName,
    /// A name that the server allows.
    Name(Naming),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// Something that only one app knows, put so that it can stand before "bekleniyordu" and
    /// behind "expected".
    Other(ByLang<&'static str>),
}

/// A field that is not as it should be.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub(crate) struct ToldField {
    /// Its name; empty for the whole message.
    field: &'static str,
    /// What it should be.
    expected: Cow<'static, str>,
}

impl Expected {
    /// In words.
    pub(crate) fn of(self, lang: Lang) -> Cow<'static, str> {
        let words = match self {
            Self::Object => ByLang {
                tr: "bir JSON nesnesi",
                en: "a JSON object",
            },
            Self::Text => ByLang {
                tr: "bir metin",
                en: "a text",
            },
            Self::Number => ByLang {
                tr: "bir sayı",
                en: "a number",
            },
            Self::NotBlank => ByLang {
                tr: "Mesaj boş olamaz",
                en: "Message cannot be empty",
            },
            Self::RoomName => ByLang {
                tr: "1-128 karakterlik, denetim karakteri içermeyen bir metin",
                en: "a text of 1 to 128 characters without control characters",
            },
            Self::UserName => ByLang {
                tr: "en çok 128 karakterlik, denetim karakteri içermeyen bir metin",
                en: "a text of at most 128 characters without control characters",
            },
            Self::Name(naming) => return Cow::Owned(naming.expected(lang)),
            Self::OneOf(choices) => {
                let choices = choices.join(", ");
                return Cow::Owned(match lang {
                    Lang::Tr => format!("{choices} değerlerinden biri"),
                    Lang::En => format!("one of {choices}"),
                });
            }
            Self::Other(words) => words,
        };
        Cow::Borrowed(words.of(lang))
    }
}

impl WrongField {
    /// The whole message, which is JSON but no object.
    pub(crate) const NO_OBJECT: Self = Self {
        field: "",
        expected: Expected::Object,
    };

    /// As it is told to somebody who reads `lang`.
    pub(crate) fn told(&self, lang: Lang) -> ToldField {
        ToldField {
            field: self.field,
            expected: self.expected.of(lang),
        }
    }

    /// In one sentence: `room_id: expected a text`.
    pub(crate) fn sentence(&self, lang: Lang) -> String {
        let (field, expected) = (self.field, self.expected.of(lang));
        let colon = if field.is_empty() { "" } else { ": " };
        match (self.expected, lang) {
            // That says it all.
            (Expected::NotBlank, _) => expected.into_owned(),
            (_, Lang::Tr) => format!("{field}{colon}{expected} bekleniyordu"),
            (_, Lang::En) => format!("{field}{colon}expected {expected}"),
        }
    }
}

/// All that is wrong, in one line.
pub(crate) fn sentence(wrong: &[WrongField], lang: Lang) -> String {
    let sentences: Vec<_> = wrong.iter().map(|wrong| wrong.sentence(lang)).collect();
    sentences.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_fields_and_what_was_expected() {
        let wrong = [
            WrongField {
                field: "room_id",
                expected: Expected::Text,
            },
            WrongField {
                field: "type",
                expected: Expected::OneOf(&["chat", "ping"]),
            },
        ];
        assert_eq!(
            sentence(&wrong, Lang::En),
            "room_id: expected a text; type: expected one of chat, ping"
        );
        assert_eq!(
            sentence(&wrong, Lang::Tr),
            "room_id: bir metin bekleniyordu; type: chat, ping değerlerinden biri bekleniyordu"
        );
        let whole = [WrongField::NO_OBJECT];
        assert_eq!(sentence(&whole, Lang::En), "expected a JSON object");
        let blank = WrongField {
            field: "message",
            expected: Expected::NotBlank,
        };
        assert_eq!(blank.sentence(Lang::Tr), "Mesaj boş olamaz");
    }
}
