//! What a relay says.

use std::time::Duration;

use crate::config::{MountKeys, Period};
use crate::lang::{ByLang, Lang};

/// What stands for the text of a message.
const PLACEHOLDER: &str = "{}";

/// What a relay says, in every language. `{}` stands for the text of the message;
/// from an empty text follows that nothing is sent.
#[derive(Clone, Debug)]
pub(crate) struct RelayOptions {
    /// To the sender.
    pub(crate) receipt: ByLang<String>,
    /// To everyone else.
    pub(crate) others: ByLang<String>,
    /// What the server says by itself, one of them at random.
    pub(crate) announcements: ByLang<Vec<String>>,
    /// How often it does so; never by default.
    pub(crate) period: Option<Duration>,
}

impl Default for RelayOptions {
    fn default() -> Self {
        let strings = |texts: [&str; 5]| texts.map(str::to_owned).to_vec();
        Self {
            receipt: ByLang {
                tr: "Mesajınız: {}".into(),
                en: "Your message: {}".into(),
            },
            others: ByLang {
                tr: "Başka bir istemciden: {}".into(),
                en: "From another client: {}".into(),
            },
            announcements: ByLang {
                tr: strings([
                    "Sunucudan otomatik mesaj: Merhaba!",
                    "Sunucudan bilgi: Sistem çalışıyor.",
                    "Sunucudan uyarı: Bakım zamanı yaklaşıyor.",
                    "Sunucudan duyuru: Yeni özellikler eklendi!",
                    "Sunucudan bildirim: Şu an aktif kullanıcı sayısı artıyor.",
                ]),
                en: strings([
                    "Automatic message from the server: Hello!",
                    "Information from the server: the system is running.",
                    "Warning from the server: maintenance is coming up.",
                    "Announcement from the server: new features were added!",
                    "Notice from the server: the number of active users is rising.",
                ]),
            },
            period: None,
        }
    }
}

impl RelayOptions {
    /// Those of a mount. What it says is the same in every language.
    pub(super) fn of(keys: &MountKeys) -> Self {
        let mut options = Self::default();
        if let Some(receipt) = &keys.receipt {
            options.receipt = ByLang::both(receipt.clone());
        }
        if let Some(others) = &keys.others {
            options.others = ByLang::both(others.clone());
        }
        if !keys.announcements.is_empty() {
            options.announcements = ByLang::both(keys.announcements.clone());
        }
        options.period = keys.announce_every.map(|Period(time)| time);
        options
    }

    /// What the sender of `text` gets.
    pub(super) fn receipt(&self, lang: Lang, text: &str) -> Option<String> {
        fill(self.receipt.get(lang), text)
    }

    /// What the others get.
    pub(super) fn others(&self, lang: Lang, text: &str) -> Option<String> {
        fill(self.others.get(lang), text)
    }

    /// The announcement with this number, counted round and round, at this time of day.
    pub(super) fn announcement(&self, lang: Lang, number: u64, time: &str) -> Option<String> {
        const FROM: ByLang<&str> = ByLang {
            tr: "SUNUCU",
            en: "SERVER",
        };
        let texts = self.announcements.get(lang);
        let count = u64::try_from(texts.len()).ok()?;
        let index = usize::try_from(number.checked_rem(count)?).ok()?;
        let text = texts.get(index)?;
        Some(format!("{}: {text} [{time}]", FROM.of(lang)))
    }
}

fn fill(template: &str, text: &str) -> Option<String> {
    match template {
        "" => None,
        template => Some(template.replace(PLACEHOLDER, text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_contract() {
        let options = RelayOptions::default();
        let tr = |text| {
            (
                options.receipt(Lang::Tr, text),
                options.others(Lang::Tr, text),
            )
        };
        let expected = (
            Some("Mesajınız: a".into()),
            Some("Başka bir istemciden: a".into()),
        );
        assert_eq!(tr("a"), expected);
        let en = (
            options.receipt(Lang::En, "a"),
            options.others(Lang::En, "a"),
        );
        let expected = (
            Some("Your message: a".into()),
            Some("From another client: a".into()),
        );
        assert_eq!(en, expected);
    }

    #[test]
    fn only_the_placeholder_of_the_template_is_filled() {
        assert_eq!(fill("echo: {}", "{} {0}"), Some("echo: {} {0}".into()));
        assert_eq!(fill("got it", "a"), Some("got it".into()));
        assert_eq!(fill("{}", ""), Some(String::new()));
    }

    #[test]
    fn an_empty_template_sends_nothing() {
        assert_eq!(fill("", "a"), None);
    }

    #[test]
    fn announcements_are_off_and_complete_in_both_languages() {
        let options = RelayOptions::default();
        assert_eq!(options.period, None);
        assert_eq!(
            options.announcements.tr.len(),
            options.announcements.en.len()
        );
    }

    #[test]
    fn an_announcement_says_who_and_when() {
        let options = RelayOptions::default();
        assert_eq!(
            options.announcement(Lang::Tr, 0, "09:05:03").as_deref(),
            Some("SUNUCU: Sunucudan otomatik mesaj: Merhaba! [09:05:03]")
        );
        assert_eq!(
            options.announcement(Lang::En, 6, "09:05:03").as_deref(),
            Some("SERVER: Information from the server: the system is running. [09:05:03]")
        );
    }

    #[test]
    fn without_texts_nothing_is_announced() {
        let options = RelayOptions {
            announcements: ByLang::default(),
            ..RelayOptions::default()
        };
        assert_eq!(options.announcement(Lang::Tr, 3, "09:05:03"), None);
    }
}
