//! What `typed` says.

use crate::lang::{ByLang, Lang};

/// A message breaks its schema.
pub(super) const INVALID: ByLang<&str> = ByLang {
    tr: "Geçersiz mesaj formatı",
    en: "Invalid message format",
};

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
