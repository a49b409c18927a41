//! The keys of a server.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use super::found::Found;
use super::key::{Flag, keys};
use super::value::LogFilter;
use crate::engine::Storage;
use crate::failure::Failure;
use crate::http::ApiKey;
use crate::lang::Lang;
use crate::limits::Limits;
use crate::listen::Listen;
use crate::origin::NamedOrigin;
use crate::rate_limit::RateLimit;

keys! {
    /// What a server is told.
    Settings

    section "Network" {
        /// Where to listen
        listen: Listen = "127.0.0.1:8000" { placeholder: "HOST:PORT" },
        /// The certificate chain (PEM): serve wss: and https:
        tls_cert: Option<PathBuf> { placeholder: "FILE", example: &["cert.pem"], live: true },
        /// The private key of the certificate (PEM)
        tls_key: Option<PathBuf> { placeholder: "FILE", example: &["key.pem"], live: true },
        /// Threads that serve connections; one per core unless it is set
        workers: Option<NonZeroUsize> { placeholder: "N", example: &["4"] },
    }

    section "Who may use it" {
        /// Pages of these origins may use the server too, such as https://example.com; `*` stands for
        /// every one, `null` for files
        allow_origin: Vec<NamedOrigin> {
            placeholder: "ORIGIN", example: &["https://example.com"], live: true
        },
        /// What who writes over HTTP has to know, sent as `Authorization: Bearer KEY`. Without it only
        /// this machine may write, while the server listens on a loopback address
        api_key: Option<ApiKey> {
            flag: Flag::None, placeholder: "KEY", example: &["a long secret"], live: true, secret: true
        },
    }

    section "Limits" {
        /// The largest message that is accepted
        max_message_size: NonZeroUsize = "65536" { placeholder: "BYTES" },
        /// The most fragments that a message may have besides its last
        max_fragments: NonZeroU32 = "16384" { placeholder: "N" },
        /// Whether clients are limited in how many messages they may send, and how: `on` (1,200 in a
        /// minute), `off`, `reject 20/60s`, `close 20/1s` or `throttle 100ms`. It holds in all apps but
        /// echo, broadcast and relay; a mount may say otherwise
        rate_limit: RateLimit = "on" { placeholder: "LIMIT", live: true },
    }

    section "Messages" {
        /// The language of those who ask for none
        lang: Lang = "tr" { placeholder: "LANG", live: true },
        /// Whether messages are compressed with clients that offer to
        deflate: bool = "on" { placeholder: "on|off" },
    }

    section "Rooms" {
        /// Where what is said in rooms is kept
        data: PathBuf = "telsiz-data" { placeholder: "DIR" },
        /// Keep what is said in rooms in memory: it ends with the server
        memory: bool = "off" { flag: Flag::Bare },
    }

    section "Logs" {
        /// What is logged to standard error: `error`, `warn`, `info`, `debug` or `trace`, of all or of
        /// some parts, such as `warn,telsiz=debug`
        log: LogFilter = "warn,telsiz=info" { placeholder: "FILTER" },
    }
}

impl Settings {
    /// What a connection may send and how, unless its mount says otherwise.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_message_size: self.max_message_size.get(),
            max_fragments: self.max_fragments.get(),
            deflate: self.deflate,
        }
    }

    /// A certificate and its key come together.
    pub(super) fn check_tls(&self, found: &Found) -> Result<(), Failure> {
        let alone = |name, other: &str| {
            found.wrong(
                name,
                &format!(
                    "needs a file as {other} (--{}) beside it",
                    other.replace('_', "-")
                ),
            )
        };
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => Err(alone("tls_cert", "tls_key")),
            (None, Some(_)) => Err(alone("tls_key", "tls_cert")),
            (None, None) | (Some(_), Some(_)) => Ok(()),
        }
    }

    /// Where what is said in rooms is kept: of the two keys what was set in the place that counts
    /// more.
    pub(super) fn storage(&self, found: &Found) -> Result<Storage, Failure> {
        let directory = || Ok(Storage::Directory(self.data.clone()));
        let (data, memory) = (found.rank("data"), found.rank("memory"));
        match self.memory {
            true if data > memory => directory(),
            true if data == memory => Err(found.wrong(
                "memory",
                &format!("cannot be used with {}", found.naming("data")),
            )),
            true => Ok(Storage::Memory),
            false => directory(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::place::Place;

    #[test]
    fn rooms_are_kept_where_it_was_said_in_the_place_that_counts_more() {
        let directory = Some(Storage::Directory("d".into()));
        let file = || Place::File(Path::new("a.toml").into(), 1);
        for (memory, on, data, expected) in [
            (file(), "on", Place::Default, Some(Storage::Memory)),
            (file(), "on", file(), None),
            (file(), "on", Place::Variable, directory.clone()),
            (Place::Variable, "on", file(), Some(Storage::Memory)),
            (Place::Variable, "on", Place::Flag, directory.clone()),
            (Place::Flag, "on", Place::Variable, Some(Storage::Memory)),
            (Place::Flag, "on", Place::Flag, None),
            (Place::Flag, "off", file(), directory),
        ] {
            let mut found = Found::defaults(Settings::KEYS);
            for (name, text, place) in [("memory", on, &memory), ("data", "d", &data)] {
                let key = Settings::KEYS.iter().find(|key| key.name == name);
                let key = key.expect(name);
                found
                    .set(key, vec![text.to_owned()], place.clone())
                    .expect("sound");
            }
            let settings = Settings::of(&found).expect("sound");
            assert_eq!(
                settings.storage(&found).ok(),
                expected,
                "{memory:?} {data:?}"
            );
        }
    }
}
