//! What the command line sets: a flag for each key, with what is documented of it.

use clap::builder::{PossibleValuesParser, StyledStr};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::found::Found;
use super::key::{Flag, Key};
use super::place::Place;
use super::settings::Settings;
use super::value::Form;
use crate::failure::Failure;

/// The keys that the command line sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags(Vec<(&'static Key, Vec<String>)>);

impl Flags {
    /// Adds what they say to `found`.
    pub(super) fn read(&self, found: &mut Found) -> Result<(), Failure> {
        for (key, texts) in &self.0 {
            found.set(key, texts.clone(), Place::Flag)?;
        }
        Ok(())
    }
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(with_flags().map(arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = |key: &&Key| matches.value_source(key.name) == Some(ValueSource::CommandLine);
        let texts = |key: &'static Key| {
            let texts = match key.flag {
                Flag::Bare => vec!["on".to_owned()],
                _ => {
                    let texts = matches.get_many::<String>(key.name);
                    texts.into_iter().flatten().cloned().collect()
                }
            };
            (key, texts)
        };
        Ok(Self(with_flags().filter(given).map(texts).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn with_flags() -> impl Iterator<Item = &'static Key> {
    Settings::KEYS.iter().filter(|key| key.flag != Flag::None)
}

fn arg(key: &'static Key) -> Arg {
    let arg = Arg::new(key.name).long(key.flag()).help(help(key));
    if key.flag == Flag::Bare {
        return arg.action(ArgAction::SetTrue);
    }
    let action = match key.form {
        Form::Texts => ArgAction::Append,
        _ => ArgAction::Set,
    };
    let arg = arg.value_name(key.placeholder).action(action);
    match key.form.choices() {
        Some(choices) => arg.value_parser(PossibleValuesParser::new(choices)),
        None => arg.value_parser(move |text: &str| {
            let text = text.to_owned();
            (key.check)(std::slice::from_ref(&text)).map(|()| text)
        }),
    }
}

fn help(key: &Key) -> StyledStr {
    let default = match (key.flag, key.default, key.form) {
        (Flag::Value, Some(default), _) => format!(" [default: {default}]"),
        (_, _, Form::Texts) => "; may be repeated".to_owned(),
        _ => String::new(),
    };
    format!("{}{default}", key.about()).into()
}
