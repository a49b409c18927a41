//! What a server prints when it has started.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use crate::config::Mount;
use crate::engine::Storage;
use crate::lang::{ByLang, Lang};
use crate::listen::reachable;

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
    /// In which language.
    pub(crate) lang: Lang,
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
        let first = self.mounts.first().map_or("/", Mount::path);
        writeln!(f, "{} telsiz connect {ws}://{at}{first}", TRY.of(lang))?;
        writeln!(f, "{}", STOP.of(lang))
    }
}
