//! The command line.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::apps::{APPS, App};
use crate::engine::Storage;
use crate::failure::Failure;
use crate::lang::Lang;
use crate::limits::Limits;
use crate::listen::Listen;
use crate::origin::NamedOrigin;

/// What the command is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve.
    Serve(Serve),
    /// Talk to a server.
    Connect(Connect),
}

/// A realtime messaging server on WebSocket
#[derive(Parser)]
#[command(name = "telsiz", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    serve: ServeFlags,
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
}

/// `telsiz serve`.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Serve this app alone, on every path
    #[arg(value_parser = app_parser())]
    pub(crate) app: Option<&'static App>,
    #[command(flatten)]
    pub(crate) flags: ServeFlags,
}

/// The flags of `telsiz serve`, which `telsiz` alone takes too.
#[derive(Args, Debug)]
pub(crate) struct ServeFlags {
    /// Where to listen
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8000")]
    pub(crate) listen: Listen,
    /// The language of those who ask for none
    #[arg(long, value_enum, default_value_t)]
    pub(crate) lang: Lang,
    /// The certificate chain (PEM): serve wss: and https:
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where what is said in rooms is kept
    #[arg(long, value_name = "DIR", default_value = "telsiz-data")]
    data: PathBuf,
    /// Keep what is said in rooms in memory: it ends with the server
    #[arg(long, conflicts_with = "data")]
    memory: bool,
    /// Threads that serve connections [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroUsize>,
    /// The largest message that is accepted
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    max_message_size: NonZeroUsize,
    /// The most fragments that a message may have besides its last
    #[arg(long, value_name = "N", default_value = "16384")]
    max_fragments: NonZeroU32,
    /// Whether messages are compressed with clients that offer to
    #[arg(long, action = ArgAction::Set, value_parser = switch(), default_value = "on")]
    deflate: bool,
    /// Pages of this origin may use the server too, such as https://example.com; may be
    /// repeated. `*` stands for every one, `null` for files
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<NamedOrigin>,
    /// Whether clients are limited in how many messages they may send
    #[arg(long, action = ArgAction::Set, value_parser = switch(), default_value = "on")]
    pub(crate) rate_limit: bool,
}

impl ServeFlags {
    /// Where what is said in rooms is kept.
    pub(crate) fn storage(&self) -> Storage {
        match self.memory {
            true => Storage::Memory,
            false => Storage::Directory(self.data.clone()),
        }
    }

    /// What a connection may send and how.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_message_size: self.max_message_size.get(),
            max_fragments: self.max_fragments.get(),
            deflate: self.deflate,
        }
    }
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

fn app_parser() -> impl TypedValueParser<Value = &'static App> {
    PossibleValuesParser::new(APPS.map(|app| app.name)).try_map(|name| {
        let found = APPS.into_iter().find(|app| app.name == name);
        found.ok_or("no such app")
    })
}

fn switch() -> impl TypedValueParser<Value = bool> {
    PossibleValuesParser::new(["on", "off"]).map(|value| value == "on")
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
            None => Command::Serve(Serve {
                app: None,
                flags: self.serve,
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

    #[test]
    fn without_a_command_it_serves_with_the_same_flags() {
        for line in ["telsiz --lang en", "telsiz serve --lang en"] {
            let serve = serve(line);
            assert!(serve.app.is_none());
            assert_eq!(serve.flags.lang, Lang::En);
        }
        assert_eq!(serve("telsiz").flags.lang, Lang::Tr);
    }

    #[test]
    fn limits_are_those_of_the_contract_by_default() {
        let limits = serve("telsiz").flags.limits();
        assert_eq!(limits.max_message_size, 65_536);
        assert_eq!(limits.max_fragments, 16_384);
        assert!(limits.deflate);
    }

    #[test]
    fn compression_can_be_switched_off() {
        assert!(!serve("telsiz --deflate off").flags.limits().deflate);
        assert!(
            serve("telsiz serve echo --deflate on")
                .flags
                .limits()
                .deflate
        );
        assert!(parsed("telsiz --deflate maybe").is_err());
    }

    #[test]
    fn rates_are_limited_unless_that_is_switched_off() {
        assert!(serve("telsiz").flags.rate_limit);
        assert!(!serve("telsiz --rate-limit off").flags.rate_limit);
    }

    #[test]
    fn origins_may_be_allowed_one_by_one() {
        assert!(serve("telsiz").flags.allow_origin.is_empty());
        let line = "telsiz --allow-origin https://example.com --allow-origin null";
        let allowed = serve(line).flags.allow_origin;
        assert_eq!(allowed.len(), 2);
        assert_eq!(allowed[1], NamedOrigin::Null);
        let error = parsed("telsiz --allow-origin example.com").expect_err("no origin");
        assert!(error.contains("https://example.com"), "{error}");
        assert_eq!(error.lines().count(), 1);
    }

    #[test]
    fn rooms_are_kept_in_a_directory_unless_it_is_to_be_memory() {
        let storage = |line| serve(line).flags.storage();
        assert_eq!(storage("telsiz"), Storage::Directory("telsiz-data".into()));
        assert_eq!(storage("telsiz --data /d"), Storage::Directory("/d".into()));
        assert_eq!(storage("telsiz --memory"), Storage::Memory);
        assert!(parsed("telsiz --memory --data /d").is_err(), "either or");
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
