//! What a key may be set to: values, as text from a flag or a variable and as TOML from a file.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use telsiz_hub::MAX_NAME;
use toml::de::DeValue;
use tracing_subscriber::EnvFilter;

use crate::apps::{APPS, App, NAMES};
use crate::client_address::Network;
use crate::http::ApiKey;
use crate::lang::Lang;
use crate::listen::Listen;
use crate::log::LogFormat;
use crate::names::Characters;
use crate::origin::NamedOrigin;
use crate::rate_limit::{HistoryRate, RateLimit};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number from this one on.
    Number(u64),
    /// `on` or `off`; `true` or `false` in a file.
    Switch,
    /// Any number of texts.
    Texts,
}

/// A value that a key may be set to.
pub(crate) trait Value: Sized {
    /// How it is written.
    const FORM: Form;

    /// Reads what was written in that form, or says what was expected. Only [`Form::Texts`] are not one text.
    fn read(texts: &[String]) -> Result<Self, String>;

    /// What it is where nobody sets it.
    fn unset() -> Option<Self> {
        None
    }
}

/// What stands for a switch in text.
const SWITCH: [&str; 2] = ["on", "off"];

impl Form {
    /// Takes a value out of a file.
    pub(crate) fn of_toml(self, value: &DeValue<'_>) -> Option<Vec<String>> {
        let text = |value: &DeValue<'_>| match value {
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        match (self, value) {
            (Self::Text | Self::OneOf(_), value) => text(value).map(|text| vec![text]),
            // Written in any base, and with lines between its digits.
            (Self::Number(_), DeValue::Integer(number)) => {
                let digits = number.as_str().trim_start_matches('+');
                let number = u64::from_str_radix(digits, number.radix()).ok()?;
                Some(vec![number.to_string()])
            }
            (Self::Switch, DeValue::Boolean(on)) => Some(vec![SWITCH[usize::from(!on)].into()]),
            (Self::Texts, DeValue::Array(values)) => {
                values.iter().map(|value| text(value.get_ref())).collect()
            }
            _ => None,
        }
    }

    /// Takes a value out of a variable.
    pub(crate) fn of_variable(self, text: &str) -> Vec<String> {
        match self {
            Self::Texts => text.split(',').map(|text| text.trim().to_owned()).collect(),
            _ => vec![text.to_owned()],
        }
    }

    /// As it stands in a file.
    pub(crate) fn to_toml(self, texts: &[String]) -> String {
        // As in JSON, but for one letter.
        let quoted = |text: &String| json!(text).to_string().replace('\u{7f}', "\\u007f");
        let first = texts.first().map_or("", String::as_str);
        match self {
            Self::Text | Self::OneOf(_) => texts.first().map(quoted).unwrap_or_default(),
            Self::Number(_) => first.to_owned(),
            Self::Switch => (first == SWITCH[0]).to_string(),
            Self::Texts => {
                let texts: Vec<_> = texts.iter().map(quoted).collect();
                format!("[{}]", texts.join(", "))
            }
        }
    }

    /// What is expected in a file.
    pub(crate) fn expected_in_toml(self) -> String {
        match self {
            Self::Text => "expected a text in quotes".into(),
            Self::Switch => "expected true or false".into(),
            Self::Texts => "expected texts, such as [\"one\", \"two\"]".into(),
            Self::OneOf(_) | Self::Number(_) => self.expected(),
        }
    }

    /// What is expected in text.
    fn expected(self) -> String {
        match self {
            Self::OneOf(texts) => format!("expected one of {}", texts.join(", ")),
            Self::Number(least) => format!("expected a whole number from {least} on"),
            Self::Switch => "expected on or off".into(),
            Self::Text | Self::Texts => "expected a text".into(),
        }
    }

    /// The texts that there are, if they are few.
    pub(crate) fn choices(self) -> Option<&'static [&'static str]> {
        match self {
            Self::OneOf(texts) => Some(texts),
            Self::Switch => Some(&SWITCH),
            Self::Text | Self::Number(_) | Self::Texts => None,
        }
    }

    /// Its JSON schema.
    pub(crate) fn schema(self) -> serde_json::Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::OneOf(texts) => json!({ "enum": texts }),
            Self::Number(least) => json!({ "type": "integer", "minimum": least }),
            Self::Switch => json!({ "type": "boolean" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        }
    }
}

/// Reads a value that is one text.
fn one<T: FromStr>(texts: &[String], expected: impl FnOnce() -> String) -> Result<T, String> {
    let text = texts.first().map_or("", String::as_str);
    text.parse().map_err(|_| expected())
}

/// Values that say themselves what was expected.
macro_rules! texts {
    ($($type:ty),+) => {$(
        impl Value for $type {
            const FORM: Form = Form::Text;

            fn read(texts: &[String]) -> Result<Self, String> {
                let text = texts.first().map_or("", String::as_str);
                text.parse().map_err(|error: <$type as FromStr>::Err| error.to_string())
            }
        }
    )+};
}

texts!(
    Listen,
    Network,
    NamedOrigin,
    RateLimit,
    HistoryRate,
    LogFilter,
    Pattern,
    Period,
    PeriodOrOff
);

macro_rules! numbers {
    ($($type:ty),+) => {$(
        impl Value for $type {
            const FORM: Form = Form::Number(1);

            fn read(texts: &[String]) -> Result<Self, String> {
                one(texts, || Self::FORM.expected())
            }
        }
    )+};
}

numbers!(NonZeroU32, NonZeroUsize);

impl Value for usize {
    const FORM: Form = Form::Number(0);

    fn read(texts: &[String]) -> Result<Self, String> {
        one(texts, || Self::FORM.expected())
    }
}

impl Value for NameLength {
    const FORM: Form = Form::Number(1);

    fn read(texts: &[String]) -> Result<Self, String> {
        let expected = || format!("expected a whole number from 1 to {MAX_NAME}");
        let length = one(texts, expected)?;
        match (1..=MAX_NAME).contains(&length) {
            true => Ok(Self(length)),
            false => Err(expected()),
        }
    }
}

impl Value for Characters {
    const FORM: Form = Form::OneOf(&["any", "ascii", "word"]);

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts.first().map(String::as_str) {
            Some("any") => Ok(Self::Any),
            Some("ascii") => Ok(Self::Ascii),
            Some("word") => Ok(Self::Word),
            _ => Err(Self::FORM.expected()),
        }
    }
}

impl Value for bool {
    const FORM: Form = Form::Switch;

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts.first().map(String::as_str) {
            Some("on" | "true") => Ok(true),
            Some("off" | "false") => Ok(false),
            _ => Err(Self::FORM.expected()),
        }
    }
}

impl Value for String {
    const FORM: Form = Form::Text;

    fn read(texts: &[String]) -> Result<Self, String> {
        Ok(texts.first().cloned().unwrap_or_default())
    }
}

impl Value for PathBuf {
    const FORM: Form = Form::Text;

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts.first().map(String::as_str) {
            None | Some("") => Err("expected a path".into()),
            Some(path) => Ok(path.into()),
        }
    }
}

impl Value for ApiKey {
    const FORM: Form = Form::Text;

    fn read(texts: &[String]) -> Result<Self, String> {
        let key = texts.first().and_then(|key| Self::new(key));
        key.ok_or_else(|| "expected a key that is not blank".into())
    }
}

impl Value for Lang {
    const FORM: Form = Form::OneOf(&["tr", "en"]);

    fn read(texts: &[String]) -> Result<Self, String> {
        let lang = Self::asked(texts.first().map(String::as_str));
        lang.ok_or_else(|| Self::FORM.expected())
    }
}

impl Value for LogFormat {
    const FORM: Form = Form::OneOf(&["human", "json"]);

    fn read(texts: &[String]) -> Result<Self, String> {
        match texts.first().map(String::as_str) {
            Some("human") => Ok(Self::Human),
            Some("json") => Ok(Self::Json),
            _ => Err(Self::FORM.expected()),
        }
    }
}

impl Value for &'static App {
    const FORM: Form = Form::OneOf(&NAMES);

    fn read(texts: &[String]) -> Result<Self, String> {
        let name = texts.first().map_or("", String::as_str);
        let found = APPS.into_iter().find(|app| app.name == name);
        found.ok_or_else(|| Self::FORM.expected())
    }
}

impl<T: Value> Value for Option<T> {
    const FORM: Form = T::FORM;

    fn read(texts: &[String]) -> Result<Self, String> {
        T::read(texts).map(Some)
    }

    fn unset() -> Option<Self> {
        Some(None)
    }
}

impl<T: Value> Value for Vec<T> {
    const FORM: Form = Form::Texts;

    fn read(texts: &[String]) -> Result<Self, String> {
        let one = |text: &String| {
            T::read(std::slice::from_ref(text)).map_err(|expected| format!("{text:?}: {expected}"))
        };
        texts.iter().map(one).collect()
    }

    fn unset() -> Option<Self> {
        Some(Self::new())
    }
}

/// What is logged.
#[derive(Clone, Debug)]
pub(crate) struct LogFilter(String);

impl LogFilter {
    /// As the log reads it.
    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{error}; expected a level, such as debug")),
        }
    }
}

/// A pattern of paths; whether it can be told from others is seen beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

impl FromStr for Pattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What stands in a URL by itself, and means nothing in HTML.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$()*+,;=:@/%{}".contains(c);
        let is_path = text.starts_with('/') && text.chars().all(is_plain);
        match is_path {
            true => Ok(Self(text.to_owned())),
            false => Err("expected a path, such as /chat or /rooms/{client_id}"),
        }
    }
}

/// A time that something takes, more than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period(pub(crate) Duration);

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let period = text.parse::<SignedDuration>().ok();
        let period = period.and_then(|period| Duration::try_from(period).ok());
        let whole_day = Duration::from_secs(24 * 60 * 60);
        match period {
            Some(period) if period >= Duration::from_millis(1) && period <= whole_day => {
                Ok(Self(period))
            }
            _ => Err("expected a time of 1ms to 24h, such as 5s or 100ms"),
        }
    }
}

/// A time, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PeriodOrOff(pub(crate) Option<Duration>);

impl FromStr for PeriodOrOff {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected off or a time of 1ms to 24h, such as 5s or 100ms";
        match text {
            "off" => Ok(Self(None)),
            text => match text.parse() {
                Ok(Period(time)) => Ok(Self(Some(time))),
                Err(_) => Err(EXPECTED),
            },
        }
    }
}

/// How long names may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameLength(pub(crate) usize);

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn of_toml(form: Form, text: &str) -> Option<Vec<String>> {
        let table = format!("value = {text}");
        let table = DeTable::parse(&table).expect("TOML");
        form.of_toml(table.get_ref()["value"].get_ref())
    }

    #[test]
    fn a_value_of_a_file_has_the_type_of_its_form() {
        for (form, text, expected) in [
            (Form::Text, "\"a\"", Some(vec!["a"])),
            (Form::Text, "1", None),
            (Form::OneOf(&["a"]), "true", None),
            (Form::Number(1), "0x1_0", Some(vec!["16"])),
            (Form::Number(1), "+5", Some(vec!["5"])),
            (Form::Number(1), "-5", None),
            (Form::Number(1), "1.5", None),
            (Form::Number(1), "\"1\"", None),
            (Form::Switch, "true", Some(vec!["on"])),
            (Form::Switch, "false", Some(vec!["off"])),
            (Form::Switch, "\"on\"", None),
            (Form::Texts, "[\"a\", \"b\"]", Some(vec!["a", "b"])),
            (Form::Texts, "[]", Some(vec![])),
            (Form::Texts, "[\"a\", 1]", None),
            (Form::Texts, "\"a\"", None),
        ] {
            let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(of_toml(form, text), expected, "{form:?} of {text}");
        }
    }

    #[test]
    fn what_is_written_to_a_file_is_read_back() {
        for (form, texts) in [
            (Form::Text, vec!["a \"b\" \\ ğ\n\u{7f}"]),
            (Form::Number(1), vec!["7"]),
            (Form::Switch, vec!["on"]),
            (Form::Switch, vec!["off"]),
            (Form::Texts, vec!["a, b", "c"]),
            (Form::Texts, vec![]),
        ] {
            let texts: Vec<String> = texts.into_iter().map(str::to_owned).collect();
            assert_eq!(of_toml(form, &form.to_toml(&texts)), Some(texts));
        }
    }

    #[test]
    fn times_have_a_unit_and_bounds() {
        for (text, expected) in [
            ("100ms", Some(100)),
            ("5s", Some(5_000)),
            ("2 minutes", Some(120_000)),
            ("1ms", Some(1)),
            ("0.9ms", None),
            ("0s", None),
            ("-1s", None),
            ("24h", Some(86_400_000)),
            ("24h 1ms", None),
            ("5", None),
            ("", None),
        ] {
            let read = text.parse::<Period>().ok();
            assert_eq!(
                read.map(|Period(time)| time.as_millis()),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_may_be_never() {
        let times: [PeriodOrOff; 2] = ["off", "5s"].map(|text| text.parse().expect("a time"));
        assert_eq!(
            times.map(|PeriodOrOff(time)| time),
            [None, Some(Duration::from_secs(5))]
        );
        for wrong in ["", "0s", "on", "25h"] {
            assert!(wrong.parse::<PeriodOrOff>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_at_most_as_long_as_any_can_be() {
        for (text, valid) in [("0", false), ("1", true), ("128", true), ("129", false)] {
            assert_eq!(NameLength::read(&[text.into()]).is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn a_pattern_is_a_path() {
        for (text, expected) in [
            ("/", true),
            ("/ws/{client_id}", true),
            ("/any/{*rest}", true),
            ("", false),
            ("chat", false),
            ("ws://host/chat", false),
            ("/chat?lang=en", false),
            ("/a b", false),
            ("/çay", false),
            ("/%C3%A7ay", true),
            ("/<b>", false),
        ] {
            assert_eq!(text.parse::<Pattern>().is_ok(), expected, "{text}");
        }
    }
}
