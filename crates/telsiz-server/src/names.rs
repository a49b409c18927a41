//! What rooms and users may be called, and their ids.

use telsiz_hub::{MAX_NAME, Named, RoomName};

use crate::json::{Expected, WrongField};
use crate::lang::{ByLang, Lang};

/// What rooms and users of a server may be called, and their ids, if that is less than what they can
/// be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Naming {
    /// The most code points.
    pub(crate) max_length: usize,
    /// Which ones.
    pub(crate) characters: Characters,
}

/// The characters that may be in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Characters {
    /// All but control characters, which are in no name.
    Any,
    /// What can be seen of ASCII, and the space.
    Ascii,
    /// Letters and digits of all scripts, `_`, `-` and `.`.
    Word,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            max_length: MAX_NAME,
            characters: Characters::Any,
        }
    }
}

impl Naming {
    /// Whether something may be called so.
    pub(crate) fn allows(self, name: &str) -> bool {
        let is_allowed = |letter: char| match self.characters {
            Characters::Any => true,
            Characters::Ascii => letter == ' ' || letter.is_ascii_graphic(),
            Characters::Word => letter.is_alphanumeric() || "_-.".contains(letter),
        };
        self == Self::default()
            || name.chars().count() <= self.max_length && name.chars().all(is_allowed)
    }

    /// What is to be in the place of another name: put so that it can stand before "bekleniyordu" and
    /// behind "expected".
    pub(crate) fn expected(self, lang: Lang) -> String {
        let most = self.max_length;
        let of = match self.characters {
            Characters::Any => ByLang { tr: "", en: "" },
            Characters::Ascii => ByLang {
                tr: ", yalnızca ASCII karakterleri içeren",
                en: " of ASCII",
            },
            Characters::Word => ByLang {
                tr: ", yalnızca harf, rakam, _, - ve . içeren",
                en: ", all of them letters, digits, _, - or .",
            },
        };
        let of = of.of(lang);
        match lang {
            Lang::Tr => format!("en çok {most} karakterlik{of} bir ad"),
            Lang::En => format!("a name of at most {most} characters{of}"),
        }
    }
}

/// Whether a user, or an id, can be that: it may be empty.
pub(crate) fn is_user(name: &str) -> bool {
    Named::User.check(name).is_ok()
}

/// The room whose name `field` gives.
pub(crate) fn room(field: &'static str, name: &str) -> Result<RoomName, WrongField> {
    let expected = Expected::RoomName;
    RoomName::new(name).map_err(|_| WrongField { field, expected })
}

/// Checks the name or the id of a user that `field` gives.
pub(crate) fn check_user(field: &'static str, name: &str) -> Result<(), WrongField> {
    let expected = Expected::UserName;
    let wrong = WrongField { field, expected };
    is_user(name).then_some(()).ok_or(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_at_most_128_code_points_and_no_control_characters() {
        for len in [1, 127, 128] {
            let name = "ğ".repeat(len);
            assert!(is_user(&name) && room("", &name).is_ok(), "{len}");
        }
        for bad in [&"ğ".repeat(129), "a\u{7f}", "a\nb", "\u{85}"] {
            assert!(!is_user(bad) && room("", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_may_want_shorter_names() {
        let naming = Naming {
            max_length: 3,
            ..Naming::default()
        };
        for (name, allowed) in [("", true), ("ğğ", true), ("ğğğ", true), ("ğğğğ", false)] {
            assert_eq!(naming.allows(name), allowed, "{name}");
        }
        assert!(Naming::default().allows(&"ğ".repeat(128)));
    }

    #[test]
    fn a_server_may_want_plain_names() {
        let naming = |characters| Naming {
            characters,
            ..Naming::default()
        };
        let (ascii, word) = (naming(Characters::Ascii), naming(Characters::Word));
        for (name, is_ascii, is_word) in [
            ("User-1_a.b", true, true),
            ("a b", true, false),
            ("<a>", true, false),
            ("Ayşe", false, true),
            ("عائشة٣", false, true),
            ("a\u{202e}b", false, false),
            ("🎈", false, false),
        ] {
            let allowed = [ascii, word].map(|naming| naming.allows(name));
            assert_eq!(allowed, [is_ascii, is_word], "{name}");
        }
    }

    #[test]
    fn only_a_room_needs_a_name() {
        assert!(is_user(""));
        assert!(room("", "").is_err());
    }

    #[test]
    fn who_checks_learns_the_field() {
        assert_eq!(check_user("username", ""), Ok(()));
        let wrong = room("room_id", "").expect_err("no name");
        assert_eq!(
            (wrong.field, wrong.expected),
            ("room_id", Expected::RoomName)
        );
        let wrong = check_user("user_id", "\n").expect_err("no name");
        assert_eq!(
            (wrong.field, wrong.expected),
            ("user_id", Expected::UserName)
        );
    }
}
