//! What `typed` says.

use crate::lang::{ByLang, Lang};

/// A message breaks its schema.
pub(super) const INVALID: ByLang<&str> = ByLang {
    tr: "Geçersiz mesaj formatı",
    en: "Invalid message format",
};

/// The message of a chat must say something.
pub(super) const BLANK: ByLang<&str> = ByLang {
    tr: "Mesaj boş olamaz",
    en: "Message cannot be empty",
};

/// An object was expected.
pub(super) const OBJECT: ByLang<&str> = ByLang {
    tr: "bir JSON nesnesi",
    en: "a JSON object",
};

/// A text was expected.
pub(super) const TEXT: ByLang<&str> = ByLang {
    tr: "bir metin",
    en: "a text",
};

/// The name of a room was expected.
pub(super) const ROOM: ByLang<&str> = ByLang {
    tr: "1-128 karakterlik, denetim karakteri içermeyen bir metin",
    en: "a text of 1 to 128 characters without control characters",
};

/// The name or id of a user was expected.
pub(super) const NAME: ByLang<&str> = ByLang {
    tr: "en çok 128 karakterlik, denetim karakteri içermeyen bir metin",
    en: "a text of at most 128 characters without control characters",
};

/// One of these was expected.
pub(super) fn one_of(lang: Lang, choices: &[&str]) -> String {
    let choices = choices.join(", ");
    match lang {
        Lang::Tr => format!("şunlardan biri: {choices}"),
        Lang::En => format!("one of {choices}"),
    }
}

/// A room was joined.
pub(super) fn joined(lang: Lang, room: &str) -> String {
    match lang {
        Lang::Tr => format!("{room} odasına katılma işlemi başarılı"),
        Lang::En => format!("Joining the room {room} succeeded"),
    }
}

/// A room was left. The Turkish is as other servers have it.
pub(super) fn left(lang: Lang, room: &str) -> String {
    match lang {
        Lang::Tr => format!("{room} odasına ayrılma işlemi başarılı"),
        Lang::En => format!("Leaving the room {room} succeeded"),
    }
}
