//! What a server prints when it has started.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use crate::config::{Mount, Settings};
use crate::engine::Storage;
use crate::lang::{ByLang, Lang};
use crate::listen::reachable;
use crate::serve::workers;

/// Files that are open besides connections: the log, the engine, the listener, and some to spare.
const FILES: u64 = 32;

/// Those that a worker has open: its runtime and its event loop.
const FILES_OF_A_WORKER: u64 = 8;

/// What is where, and how to try it.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// The address that is listened on.
    pub(crate) address: SocketAddr,
    /// Whether it is served with TLS.
    pub(crate) tls: bool,
    /// What is where.
    pub(crate) mounts: &'a [Mount],
    /// Whether there is one, on every path.
    pub(crate) alone: bool,
    /// Where what is said in rooms is kept.
    pub(crate) storage: &'a Storage,
    /// How many connections there is room for, as far as it is known.
    pub(crate) room: Option<Room>,
    /// In which language.
    pub(crate) lang: Lang,
}

/// How many connections there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    connections: u64,
    open_files: u64,
}

impl Room {
    /// What is left of the files that may be open.
    pub(crate) fn of(open_files: Option<u64>, settings: &Settings) -> Option<Self> {
        let open_files = open_files?;
        let besides = FILES + FILES_OF_A_WORKER * workers(settings) as u64;
        let most = settings
            .max_connections
            .map_or(u64::MAX, |most| most.get() as u64);
        Some(Self {
            connections: open_files.saturating_sub(besides).min(most),
            open_files,
        })
    }
}

impl Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LISTENS: ByLang<&str> = ByLang {
            tr: "şu adreste dinliyor:",
            en: "listens on",
        };
        const EVERY_PATH: ByLang<&str> = ByLang {
            tr: "(her yol)",
            en: "(any path)",
        };
        const TRY: ByLang<&str> = ByLang {
            tr: "Denemek için:",
            en: "To try it:",
        };
        const STOP: ByLang<&str> = ByLang {
            tr: "Durdurmak için: Ctrl-C",
            en: "To stop it: Ctrl-C",
        };
        let lang = self.lang;
        let (http, ws) = match self.tls {
            true => ("https", "wss"),
            false => ("http", "ws"),
        };
        let version = env!("CARGO_PKG_VERSION");
        let at = reachable(self.address);
        writeln!(
            f,
            "Telsiz {version} {} {http}://{}/\n",
            LISTENS.of(lang),
            self.address
        )?;
        let rows: Vec<_> = self
            .mounts
            .iter()
            .map(|mount| {
                let path = match self.alone {
                    true => EVERY_PATH.of(lang),
                    false => mount.path(),
                };
                (path, mount.app().name, mount.app().about.of(lang))
            })
            .collect();
        let width = |texts: &dyn Fn(&(&str, &str, &str)) -> usize| {
            rows.iter().map(texts).max().unwrap_or(0)
        };
        let paths = width(&|(path, ..)| path.chars().count());
        let names = width(&|(_, name, _)| name.chars().count());
        for (path, name, about) in rows {
            writeln!(f, "  {path:paths$}  {name:names$}  {about}")?;
        }
        let kept = match (self.storage, lang) {
            (Storage::Directory(directory), Lang::Tr) => {
                format!(
                    "Odalarda söylenenler {} dizininde saklanır",
                    directory.display()
                )
            }
            (Storage::Directory(directory), Lang::En) => {
                format!("What is said in rooms is kept in {}", directory.display())
            }
            (Storage::Memory, Lang::Tr) => {
                "Odalarda söylenenler bellekte tutulur, sunucu durunca silinir".to_owned()
            }
            (Storage::Memory, Lang::En) => {
                "What is said in rooms is kept in memory and ends with the server".to_owned()
            }
        };
        writeln!(f, "\n{kept}")?;
        if let Some(Room {
            connections,
            open_files,
        }) = self.room
        {
            match lang {
                Lang::Tr => writeln!(
                    f,
                    "Aynı anda {connections} bağlantıya yer var (açık dosya sınırı: {open_files})"
                )?,
                Lang::En => writeln!(
                    f,
                    "There is room for {connections} connections at a time (limit of open files: {open_files})"
                )?,
            }
        }
        let first = self.mounts.first().map_or("/", Mount::path);
        writeln!(f, "{} telsiz connect {ws}://{at}{first}", TRY.of(lang))?;
        writeln!(f, "{}", STOP.of(lang))
    }
}
