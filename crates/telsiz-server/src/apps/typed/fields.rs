//! The fields of a message against its schema.

use serde::Serialize;
use serde_json::from_str;

use super::object::Object;
use super::texts;
use crate::lang::Lang;

/// The most code points of a name or an id.
const MAX_NAME: usize = 128;

/// The levels of a system message.
const LEVELS: [&str; 3] = ["info", "warning", "error"];

/// A field that is not as the schema has it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct WrongField {
    /// Its name; empty for the whole message.
    pub(super) field: &'static str,
    /// What it should be.
    pub(super) expected: String,
}

/// Looks at the fields of a message and notes all that are wrong.
pub(super) struct Fields<'a> {
    object: &'a Object<'a>,
    lang: Lang,
    wrong: Vec<WrongField>,
}

impl<'a> Fields<'a> {
    /// Looks at `object` for somebody who reads `lang`.
    pub(super) fn new(object: &'a Object<'a>, lang: Lang) -> Self {
        Self {
            object,
            lang,
            wrong: Vec::new(),
        }
    }

    /// The name of a room.
    pub(super) fn room(&mut self, field: &'static str) -> Option<String> {
        let room = self.string(field).filter(|room| !room.is_empty());
        let room = room.filter(|room| is_name(room));
        self.expect(field, room, texts::ROOM.of(self.lang))
    }

    /// The name or the id of a user.
    pub(super) fn name(&mut self, field: &'static str) -> Option<String> {
        let name = self.string(field).filter(|name| is_name(name));
        self.expect(field, name, texts::NAME.of(self.lang))
    }

    /// A text that may be absent.
    pub(super) fn optional_text(&mut self, field: &'static str) -> Option<String> {
        let text = match self.object.get(field) {
            None => Some(String::new()),
            Some(_) => self.string(field),
        };
        self.expect(field, text, texts::TEXT.of(self.lang))
    }

    /// A text that must say something.
    pub(super) fn said(&mut self, field: &'static str) {
        if let Some(text) = self.optional_text(field)
            && text.trim().is_empty()
        {
            self.is_wrong(field, texts::BLANK.of(self.lang).to_owned());
        }
    }

    /// A level that may be absent.
    pub(super) fn level(&mut self, field: &'static str) {
        if self.object.get(field).is_some() {
            let level = self.string(field);
            let known = level.filter(|level| LEVELS.contains(&level.as_str()));
            self.expect(field, known, &texts::one_of(self.lang, &LEVELS));
        }
    }

    /// Notes that `field` is wrong.
    pub(super) fn is_wrong(&mut self, field: &'static str, expected: String) {
        self.wrong.push(WrongField { field, expected });
    }

    /// What was wrong, unless it was nothing.
    pub(super) fn finish(self) -> Result<(), Vec<WrongField>> {
        match self.wrong.is_empty() {
            true => Ok(()),
            false => Err(self.wrong),
        }
    }

    fn string(&self, field: &str) -> Option<String> {
        self.object
            .get(field)
            .and_then(|value| from_str(value).ok())
    }

    fn expect<T>(&mut self, field: &'static str, value: Option<T>, expected: &str) -> Option<T> {
        if value.is_none() {
            self.is_wrong(field, expected.to_owned());
        }
        value
    }
}

fn is_name(text: &str) -> bool {
    text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_128_code_points_and_no_control_characters() {
        assert!(is_name(""));
        assert!(is_name(&"ğ".repeat(128)));
        assert!(!is_name(&"ğ".repeat(129)));
        assert!(!is_name("a\u{7f}"));
        assert!(!is_name("a\nb"));
    }
}
