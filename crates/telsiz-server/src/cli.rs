//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap::{Args, Parser, Subcommand};

use crate::apps::{APPS, App, NAMES};
use crate::config::{Config, ConfigCommand, Sources};
use crate::failure::Failure;

/// What the command is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve.
    Serve(Serve),
    /// Talk to a server.
    Connect(Connect),
    /// Make, check or show a configuration.
    Config(ConfigCommand),
}

/// A realtime messaging server on WebSocket
#[derive(Parser)]
#[command(name = "telsiz", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Subcommand)]
enum Sub {
    /// Serve all apps, or one of them on every path [default]
    Serve(Serve),
    /// Talk to a WebSocket server by hand or through a pipe
    ///
    /// Sends each line of standard input as a text message and prints what comes. After the last
    /// line of a pipe or file it waits for answers until the server has been silent for a second,
    /// after Ctrl-D in a terminal for a second, and then closes with 1000. Ctrl-C closes at once.
    ///
    /// When the output is no terminal, it is the messages alone, one a line, binary ones in
    /// hexadecimal; all else goes to standard error.
    Connect(Connect),
    /// Make, check or show a configuration
    #[command(subcommand, arg_required_else_help = false)]
    Config(ConfigCommand),
}

/// `telsiz serve`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// Serve this app alone, on every path
    #[arg(value_parser = app_parser())]
    pub(crate) app: Option<&'static App>,
    #[command(flatten)]
    pub(crate) sources: Sources,
}

/// `telsiz connect`.
#[derive(Args, Debug)]
pub(crate) struct Connect {
    /// ws://HOST[:PORT]/PATH or wss://…
    pub(crate) url: String,
    /// A header of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(crate) headers: Vec<(String, String)>,
    /// Trust the certificate authorities in this file (PEM) in place of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

impl Serve {
    /// Reads the configuration.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        self.sources.read(self.app)
    }
}

fn app_parser() -> impl TypedValueParser<Value = &'static App> {
    PossibleValuesParser::new(NAMES).try_map(|name| {
        let found = APPS.into_iter().find(|app| app.name == name);
        found.ok_or("no such app")
    })
}

fn header(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected 'NAME: VALUE'"),
    }
}

/// Reads the command line; nothing is left to do if it asked for help.
pub(crate) fn parse() -> Result<Option<Command>, Failure> {
    match Cli::try_parse() {
        Ok(cli) => Ok(Some(cli.chosen())),
        Err(error) if error.use_stderr() => Err(Failure::Usage(one_line(&error.to_string()))),
        Err(help) => {
            // Nobody is there to read it.
            let _ = help.print();
            Ok(None)
        }
    }
}

impl Cli {
    fn chosen(self) -> Command {
        match self.command {
            Some(Sub::Serve(serve)) => Command::Serve(serve),
            Some(Sub::Connect(connect)) => Command::Connect(connect),
            Some(Sub::Config(config)) => Command::Config(config),
            None => Command::Serve(Serve {
                app: None,
                sources: self.sources,
            }),
        }
    }
}

/// What a report of clap says, without its usage and in one line.
fn one_line(report: &str) -> String {
    let lines = report
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty());
    let said = lines.collect::<Vec<_>>().join(" ");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    format!("{said}; see telsiz --help")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::{Environment, Settings};
    use crate::engine::Storage;
    use crate::lang::Lang;
    use crate::origin::NamedOrigin;
    use crate::rate::Rate;
    use crate::rate_limit::RateLimit;

    fn parsed(line: &str) -> Result<Command, String> {
        let cli = Cli::try_parse_from(line.split(' '));
        cli.map(Cli::chosen)
            .map_err(|error| one_line(&error.to_string()))
    }

    fn serve(line: &str) -> Serve {
        match parsed(line) {
            Ok(Command::Serve(serve)) => serve,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// The configuration that a line alone makes.
    fn config(line: &str) -> Result<Config, String> {
        let Serve { app, sources } = serve(line);
        match sources.read_with(&Environment::default(), app) {
            Ok(config) => Ok(config),
            Err(Failure::Usage(said)) => Err(said),
            Err(Failure::Failed(said)) => panic!("{said}"),
        }
    }

    fn settings(line: &str) -> Settings {
        config(line).expect("sound").settings
    }

    #[test]
    fn without_a_command_it_serves_with_the_same_flags() {
        for line in ["telsiz --lang en", "telsiz serve --lang en"] {
            assert!(serve(line).app.is_none());
            assert_eq!(settings(line).lang, Lang::En);
        }
        assert_eq!(settings("telsiz").lang, Lang::Tr);
    }

    #[test]
    fn limits_are_those_of_the_contract_by_default() {
        let limits = settings("telsiz").limits();
        assert_eq!(limits.max_message_size, 65_536);
        assert_eq!(limits.max_fragments, 16_384);
        assert!(limits.deflate);
    }

    #[test]
    fn compression_can_be_switched_off() {
        assert!(!settings("telsiz --deflate off").deflate);
        assert!(settings("telsiz serve echo --deflate on").deflate);
        assert!(parsed("telsiz --deflate maybe").is_err());
    }

    #[test]
    fn rates_are_limited_unless_that_is_switched_off() {
        assert_eq!(settings("telsiz").rate_limit, RateLimit::On);
        let off = RateLimit::As(Rate::Off);
        assert_eq!(settings("telsiz --rate-limit off").rate_limit, off);
    }

    #[test]
    fn origins_may_be_allowed_one_by_one() {
        assert!(settings("telsiz").allow_origin.is_empty());
        let line = "telsiz --allow-origin https://example.com --allow-origin null";
        let allowed = settings(line).allow_origin;
        assert_eq!(allowed.len(), 2);
        assert_eq!(allowed[1], NamedOrigin::Null);
        let error = parsed("telsiz --allow-origin example.com").expect_err("no origin");
        assert!(error.contains("https://example.com"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn rooms_are_kept_in_a_directory_unless_it_is_to_be_memory() {
        let storage = |line| config(line).expect("sound").storage;
        assert_eq!(storage("telsiz"), Storage::Directory("telsiz-data".into()));
        assert_eq!(storage("telsiz --data /d"), Storage::Directory("/d".into()));
        assert_eq!(storage("telsiz --memory"), Storage::Memory);
        let said = config("telsiz --memory --data /d").expect_err("either or");
        assert_eq!(said, "--memory: cannot be used with --data");
    }

    #[test]
    fn an_app_is_known_by_its_name() {
        let serve = serve("telsiz serve relay");
        assert_eq!(serve.app.map(|app| app.name), Some("relay"));
    }

    #[test]
    fn an_unknown_app_is_told_in_one_line_that_names_the_known_ones() {
        let error = parsed("telsiz serve radio").expect_err("no such app");
        assert_eq!(error.lines().count(), 1);
        for app in APPS {
            assert!(error.contains(app.name), "{error}");
        }
    }

    #[test]
    fn a_bad_address_is_told_what_is_expected() {
        let error = parsed("telsiz serve --listen 8000").expect_err("no address");
        assert!(error.contains("HOST:PORT"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn a_header_has_a_name_and_a_value() {
        let known = header("Authorization: Bearer a:b").expect("a header");
        assert_eq!(known, ("Authorization".into(), "Bearer a:b".into()));
        assert!(header("no colon").is_err());
        assert!(header(": no name").is_err());
    }
}
