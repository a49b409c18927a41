//! What `lobby` says.

use crate::lang::{ByLang, Lang};

/// The nick of the server.
pub(super) const SERVER: &str = "server";

/// The nick of who gives none, in every language.
pub(super) const NOBODY: &str = "anonim";

/// The first message has to be a join.
pub(super) const JOIN_FIRST: ByLang<&str> = ByLang {
    tr: r#"Önce odaya katılın: {"type":"join","nick":"…"}"#,
    en: r#"Join first: {"type":"join","nick":"…"}"#,
};

/// Nobody joins twice.
pub(super) const IN_ALREADY: ByLang<&str> = ByLang {
    tr: "Odaya zaten katıldınız",
    en: "You have joined already",
};

/// A nick cannot be that.
pub(super) const INVALID_NICK: ByLang<&str> = ByLang {
    tr: "nick: denetim karakteri içermeyen bir metin bekleniyordu",
    en: "nick: expected a text without control characters",
};

/// Somebody else has the nick.
pub(super) fn taken(nick: &str, lang: Lang) -> String {
    match lang {
        Lang::Tr => format!("'{nick}' takma adı zaten kullanımda."),
        Lang::En => format!("The nick '{nick}' is already in use."),
    }
}

/// To who came in; `count` are there now.
pub(super) fn welcome(nick: &str, count: usize, lang: Lang) -> String {
    match (lang, count) {
        (Lang::Tr, _) => format!("Hoşgeldin {nick}! Odada {count} kişi var."),
        (Lang::En, 1) => format!("Welcome {nick}! There is 1 person in the room."),
        (Lang::En, _) => format!("Welcome {nick}! There are {count} people in the room."),
    }
}
