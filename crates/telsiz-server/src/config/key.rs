//! Keys: what can be set, each documented once, where it is declared.

use super::value::Form;

/// A key, and all that is told of it: in the help, in the commented file, on the page about the
/// configuration and in the schema.
#[derive(Debug)]
pub(crate) struct Key {
    /// What it is called in a file.
    pub(crate) name: &'static str,
    /// The heading that it stands below.
    pub(crate) section: &'static str,
    /// The lines of its documentation.
    pub(crate) lines: &'static [&'static str],
    /// How its values are written.
    pub(crate) form: Form,
    /// Whether it can be set to this; what was expected if not.
    pub(crate) check: fn(&[String]) -> Result<(), String>,
    /// What it is if nobody sets it.
    pub(crate) default: Option<&'static str>,
    /// What it may look like, if there is no default to tell that.
    pub(crate) example: &'static [&'static str],
    /// How it is set on the command line.
    pub(crate) flag: Flag,
    /// What stands for its value in the help.
    pub(crate) placeholder: &'static str,
    /// Whether a running server can be told anew.
    pub(crate) live: bool,
    /// Whether it must not be shown.
    pub(crate) secret: bool,
    /// The app that alone takes it.
    pub(crate) only: Option<&'static str>,
}

/// How a key is set on the command line. The flag is called as the key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// With a value behind it.
    Value,
    /// By its name alone.
    Bare,
    /// Not at all.
    None,
}

impl Key {
    /// One of which nothing is known yet.
    pub(super) const NEW: Self = Self {
        name: "",
        section: "",
        lines: &[],
        form: Form::Text,
        check: |_| Ok(()),
        default: None,
        example: &[],
        flag: Flag::Value,
        placeholder: "TEXT",
        live: false,
        secret: false,
        only: None,
    };

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("{VARIABLES}{}", self.name.to_uppercase())
    }

    /// The flag that sets it, without the dashes before it.
    pub(crate) fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// What it does.
    pub(crate) fn about(&self) -> String {
        let lines = self.lines.iter().map(|line| line.trim());
        lines.collect::<Vec<_>>().join(" ")
    }

    /// What it is if nobody sets it, as text.
    pub(crate) fn default_texts(&self) -> Option<Vec<String>> {
        self.default.map(|default| vec![default.to_owned()])
    }

    /// Its default in a file, or else what it may look like there.
    pub(crate) fn sample(&self) -> String {
        let example = || self.example.iter().map(|text| (*text).to_owned()).collect();
        self.form
            .to_toml(&self.default_texts().unwrap_or_else(example))
    }
}

/// The start of every variable.
pub(crate) const VARIABLES: &str = "TELSIZ_";

/// Declares keys: a struct of their values, and [`Key`]s that document them. The first is
///
/// ```text
/// section "Network" {
///     /// Where to listen
///     listen: Listen = "127.0.0.1:8000" { placeholder: "HOST:PORT" },
/// }
/// ```
///
/// The default is text, as a flag would set it; the braces hold fields of [`Key`]. A key without a
/// default is an `Option` or a `Vec`, or it has to be set.
macro_rules! keys {
    (
        $(#[$meta:meta])* $struct:ident
        $(section $section:literal {$(
            $(#[doc = $line:literal])+
            $name:ident: $type:ty $(= $default:literal)? { $($field:ident: $value:expr),* $(,)? },
        )+})+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub(crate) struct $struct {
            $($($(#[doc = $line])+ pub(crate) $name: $type,)+)+
        }

        impl $struct {
            /// The keys, in the order in which they are shown.
            pub(crate) const KEYS: &'static [$crate::config::key::Key] = &[$($(
                $crate::config::key::Key {
                    name: stringify!($name),
                    section: $section,
                    lines: &[$($line),+],
                    form: <$type as $crate::config::value::Value>::FORM,
                    check: |texts| <$type as $crate::config::value::Value>::read(texts).map(drop),
                    $(default: Some($default),)?
                    $($field: $value,)*
                    ..$crate::config::key::Key::NEW
                },
            )+)+];

            /// Their values, as they were found.
            pub(super) fn of(
                found: &$crate::config::found::Found,
            ) -> Result<Self, $crate::failure::Failure> {
                Ok(Self { $($($name: found.value(stringify!($name))?,)+)+ })
            }
        }
    };
}

pub(super) use keys;

#[cfg(test)]
mod tests {
    use crate::config::mount::MountKeys;
    use crate::config::settings::Settings;

    #[test]
    fn defaults_and_examples_are_what_their_keys_take() {
        for key in Settings::KEYS.iter().chain(MountKeys::KEYS) {
            let texts: Vec<_> = match key.default_texts() {
                Some(texts) => texts,
                None => key.example.iter().map(|text| (*text).to_owned()).collect(),
            };
            assert!(
                !texts.is_empty(),
                "{} has a default or an example",
                key.name
            );
            assert_eq!((key.check)(&texts), Ok(()), "{}", key.name);
        }
    }

    #[test]
    fn every_key_is_documented_and_there_is_one_of_each_name() {
        for keys in [Settings::KEYS, MountKeys::KEYS] {
            for (index, key) in keys.iter().enumerate() {
                assert!(!key.about().is_empty(), "{}", key.name);
                let rest = &keys[index + 1..];
                assert!(
                    rest.iter().all(|other| other.name != key.name),
                    "{}",
                    key.name
                );
            }
        }
    }
}
