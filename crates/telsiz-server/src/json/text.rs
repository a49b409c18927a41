//! Texts in JSON, copied only if something in them is escaped.

use std::borrow::Cow;

use serde::Deserialize;

/// A text as serde reads it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text that a value in JSON is, if it is one.
pub(crate) fn text(value: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str(value).ok().map(|Text(text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_escaped_is_copied() {
        assert!(matches!(text(r#""ğ a""#), Some(Cow::Borrowed("ğ a"))));
        let copied = text(r#""\u011f\n""#);
        assert!(matches!(copied, Some(Cow::Owned(text)) if text == "ğ\n"));
    }

    #[test]
    fn other_values_are_no_texts() {
        for other in [
            "5",
            "null",
            "[]",
            r#"{"a":"b"}"#,
            r#""a"#,
            r#""\ud800""#,
            "",
        ] {
            assert_eq!(text(other), None, "{other}");
        }
    }
}
