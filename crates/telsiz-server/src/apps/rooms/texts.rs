//! What `rooms` says to people.

use crate::lang::{ByLang, Lang};

/// It was no JSON.
pub(super) const NO_JSON: ByLang<&str> = ByLang {
    tr: "JSON formatında mesaj göndermelisiniz",
    en: "You must send a message in JSON format",
};

/// It needs a member of the room.
pub(super) const NOT_MEMBER: ByLang<&str> = ByLang {
    tr: "Bu odada değilsiniz",
    en: "You are not in this room",
};

pub(super) fn you_joined(lang: Lang, room: &str) -> String {
    match lang {
        Lang::Tr => format!("'{room}' odasına katıldınız"),
        Lang::En => format!("You joined room '{room}'"),
    }
}

pub(super) fn you_left(lang: Lang, room: &str) -> String {
    match lang {
        Lang::Tr => format!("'{room}' odasından ayrıldınız"),
        Lang::En => format!("You left room '{room}'"),
    }
}

pub(super) fn joined(lang: Lang, name: &str) -> String {
    match lang {
        Lang::Tr => format!("{name} odaya katıldı"),
        Lang::En => format!("{name} joined the room"),
    }
}

pub(super) fn left(lang: Lang, name: &str) -> String {
    match lang {
        Lang::Tr => format!("{name} odadan ayrıldı"),
        Lang::En => format!("{name} left the room"),
    }
}

pub(super) fn too_many_rooms(lang: Lang, max: usize) -> String {
    match lang {
        Lang::Tr => format!("En çok {max} odada olabilirsiniz"),
        Lang::En => format!("You may be in at most {max} rooms"),
    }
}

pub(super) fn history_too_often(lang: Lang, retry_after: u64) -> String {
    match lang {
        Lang::Tr => {
            format!("Geçmişi çok sık istediniz; {retry_after} saniye sonra yeniden deneyin")
        }
        Lang::En => {
            format!("You asked for the history too often; try again in {retry_after} seconds")
        }
    }
}
