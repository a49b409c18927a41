//! The configuration: defaults, below a file, below the environment, below flags.

use std::path::PathBuf;

use clap::Args;

use self::file::MountTable;
use self::flags::Flags;
use self::found::Found;
use crate::apps::App;
use crate::engine::Storage;
use crate::failure::Failure;

pub(crate) use self::command::ConfigCommand;
pub(crate) use self::environment::Environment;
pub(crate) use self::mount::{Mount, MountKeys, Mounts};
pub(crate) use self::settings::Settings;
pub(crate) use self::value::{LogFilter, Period};

mod command;
mod document;
mod environment;
mod file;
mod flags;
mod found;
mod key;
mod mount;
mod nearest;
mod place;
mod settings;
mod value;

/// Where a configuration is to be read from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Sources {
    /// The configuration file (TOML); `telsiz config init` makes one. Flags and variables go
    /// before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// What a server is told, by whomever.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The values of its keys.
    pub(crate) settings: Settings,
    /// Where they were found.
    pub(crate) found: Found,
    /// The file that was read.
    pub(crate) file: Option<PathBuf>,
    /// Which app is where.
    pub(crate) mounts: Mounts,
    /// Whether there is one app, on every path.
    pub(crate) alone: bool,
    /// Where what is said in rooms is kept.
    pub(crate) storage: Storage,
    /// Variables that are called as ours are and set nothing.
    pub(crate) strangers: Vec<String>,
}

impl Sources {
    /// Reads the configuration; `app`, if there is one, is served alone.
    pub(crate) fn read(&self, app: Option<&'static App>) -> Result<Config, Failure> {
        self.read_with(&Environment::of_process(), app)
    }

    /// As [`Sources::read`], in an environment.
    pub(crate) fn read_with(
        &self,
        environment: &Environment,
        app: Option<&'static App>,
    ) -> Result<Config, Failure> {
        let mut found = Found::defaults(Settings::KEYS);
        let file = self.config.clone().or_else(|| environment.file());
        let tables = match &file {
            Some(path) => file::read(path, &mut found)?,
            None => None,
        };
        let strangers = environment.read(&mut found)?;
        self.flags.read(&mut found)?;
        let settings = Settings::of(&found)?;
        settings.check_tls(&found)?;
        settings.check_proxies(&found)?;
        let mounts = mounts(tables)?;
        Ok(Config {
            storage: settings.storage(&found)?,
            mounts: match app {
                Some(app) => Mounts::new(vec![Mount::of(app)?])?,
                None => mounts,
            },
            alone: app.is_some(),
            settings,
            found,
            file,
            strangers,
        })
    }
}

impl Config {
    /// Logs what is most likely a mistake.
    pub(crate) fn warn(&self) {
        for stranger in &self.strangers {
            tracing::warn!("the variable {stranger} sets nothing");
        }
    }
}

/// What a command logs that has no other configuration.
pub(crate) fn log_of_environment() -> Result<LogFilter, Failure> {
    let mut found = Found::defaults(Settings::KEYS);
    Environment::of_process().read_key("log", &mut found)?;
    found.value("log")
}

/// The mounts of a file, or all apps where they are by themselves.
fn mounts(tables: Option<Vec<MountTable>>) -> Result<Mounts, Failure> {
    let mounts = match tables {
        Some(tables) => tables
            .into_iter()
            .map(Mount::read)
            .collect::<Result<_, _>>()?,
        None => Mount::defaults()?,
    };
    Mounts::new(mounts)
}
