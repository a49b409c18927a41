//! The languages that people are spoken to in.

use clap::ValueEnum;

/// A language that people are spoken to in. Both are complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Turkish.
    #[default]
    Tr,
    /// English.
    En,
}

impl Lang {
    /// The language with this tag, or of this tag without its region (`en-GB`).
    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or(tag);
        [Self::Tr, Self::En]
            .into_iter()
            .find(|lang| primary.eq_ignore_ascii_case(lang.tag()))
    }

    /// Its tag, as in the `lang` attribute of HTML.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::Tr => "tr",
            Self::En => "en",
        }
    }

    /// What `?lang=` asks for; another value is ignored.
    pub(crate) fn asked(value: Option<&str>) -> Option<Self> {
        value.and_then(|value| [Self::Tr, Self::En].into_iter().find(|l| l.tag() == value))
    }

    /// The one of the two that an `Accept-Language` header prefers.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        let mut best = None;
        for range in header.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let lang = parts.next().and_then(Self::of_tag);
            let quality = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            if let Some(lang) = lang
                && quality > best.map_or(0.0, |(_, known)| known)
            {
                best = Some((lang, quality));
            }
        }
        best.map(|(lang, _)| lang)
    }
}

/// Something in every language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByLang<T> {
    /// In Turkish.
    pub(crate) tr: T,
    /// In English.
    pub(crate) en: T,
}

impl<T> ByLang<T> {
    /// In `lang`.
    pub(crate) fn get(&self, lang: Lang) -> &T {
        match lang {
            Lang::Tr => &self.tr,
            Lang::En => &self.en,
        }
    }
}

impl<T: Clone> ByLang<T> {
    /// The same in every language.
    pub(crate) fn both(both: T) -> Self {
        Self {
            tr: both.clone(),
            en: both,
        }
    }
}

impl ByLang<&'static str> {
    /// In `lang`.
    pub(crate) fn of(&self, lang: Lang) -> &'static str {
        self.get(lang)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_asks_for_a_known_language_or_for_none() {
        assert_eq!(Lang::asked(Some("en")), Some(Lang::En));
        assert_eq!(Lang::asked(Some("tr")), Some(Lang::Tr));
        for other in [None, Some(""), Some("xx"), Some("EN"), Some("en-GB")] {
            assert_eq!(Lang::asked(other), None, "{other:?}");
        }
    }

    #[test]
    fn accept_language_prefers_by_quality_then_by_order() {
        for (header, expected) in [
            ("en", Some(Lang::En)),
            ("tr-TR,tr;q=0.9,en;q=0.8", Some(Lang::Tr)),
            ("tr;q=0.5, en;q=0.7", Some(Lang::En)),
            ("de, en-GB;q=0.3", Some(Lang::En)),
            ("en;q=0, tr;q=0.1", Some(Lang::Tr)),
            ("EN-us", Some(Lang::En)),
            ("en;q=high", None),
            ("*", None),
            ("de", None),
            ("", None),
        ] {
            assert_eq!(Lang::accepted(header), expected, "{header}");
        }
    }
}
