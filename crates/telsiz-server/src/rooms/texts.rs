//! What members of rooms are told when something is not done.

use std::borrow::Cow;

use telsiz_hub::{PublishError, ReadError};

use crate::lang::{ByLang, Lang};

/// Somebody may not do what it asked for.
pub(crate) const FORBIDDEN: ByLang<&str> = ByLang {
    tr: "Buna izniniz yok",
    en: "You are not allowed to do this",
};

const BUSY: ByLang<&str> = ByLang {
    tr: "Sunucu şu anda çok meşgul, lütfen yeniden deneyin",
    en: "The server is busy, please try again",
};

const NOT_STORED: ByLang<&str> = ByLang {
    tr: "Mesaj kaydedilemedi",
    en: "The message could not be stored",
};

const NOT_READ: ByLang<&str> = ByLang {
    tr: "Oda okunamadı",
    en: "The room could not be read",
};

/// Why something was not published.
pub(crate) fn of_publish_error(error: &PublishError, lang: Lang) -> Cow<'static, str> {
    let text = match error {
        PublishError::Forbidden(_) => FORBIDDEN,
        PublishError::Busy => BUSY,
        PublishError::TooLarge { max } => {
            return match lang {
                Lang::Tr => format!("Mesaj çok büyük: en çok {max} bayt"),
                Lang::En => format!("The message is too large: at most {max} bytes"),
            }
            .into();
        }
        _ => NOT_STORED,
    };
    text.of(lang).into()
}

/// Why something is not shown.
pub(crate) fn of_read_error(error: &ReadError, lang: Lang) -> Cow<'static, str> {
    let text = match error {
        ReadError::Forbidden(_) => FORBIDDEN,
        ReadError::Full { max } => {
            return match lang {
                Lang::Tr => format!("Oda dolu: en çok {max} bağlantı olabilir"),
                Lang::En => format!("The room is full: at most {max} connections may be in it"),
            }
            .into();
        }
        _ => NOT_READ,
    };
    text.of(lang).into()
}
