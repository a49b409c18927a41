//! The keys of a server.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use super::found::Found;
use super::key::{Flag, keys};
use super::value::{LogFilter, NameLength, Period, PeriodOrOff};
use crate::admission::Bounds;
use crate::client_address::Network;
use crate::engine::Storage;
use crate::failure::Failure;
use crate::heartbeat::Heartbeat;
use crate::http::ApiKey;
use crate::lang::Lang;
use crate::limits::Limits;
use crate::listen::Listen;
use crate::log::LogFormat;
use crate::names::{Characters, Naming};
use crate::origin::NamedOrigin;
use crate::rate_limit::{HistoryRate, RateLimit};
use crate::rooms::RoomLimits;
use crate::stop::StopTimes;

keys! {
    /// What a server is told.
    Settings

    section "Network" {
        /// Where to listen, unless a service manager hands over a socket
        listen: Listen = "127.0.0.1:8000" { placeholder: "HOST:PORT" },
        /// The certificate chain (PEM): serve wss: and https:
        tls_cert: Option<PathBuf> { placeholder: "FILE", example: &["cert.pem"], live: true },
        /// The private key of the certificate (PEM)
        tls_key: Option<PathBuf> { placeholder: "FILE", example: &["key.pem"], live: true },
        /// Threads that serve connections; one per core unless it is set
        workers: Option<NonZeroUsize> { placeholder: "N", example: &["4"] },
        /// Proxies in front of the server: addresses and networks. From these, `Forwarded` and
        /// `X-Forwarded-For` tell whose requests they pass on
        trusted_proxies: Vec<Network> {
            placeholder: "NETWORK", example: &["127.0.0.1", "10.0.0.0/8"], live: true
        },
        /// Whether connections from them begin with a header of the PROXY protocol, version 2
        proxy_protocol: bool = "off" { placeholder: "on|off" },
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
        /// The most WebSockets that may be open; no bound unless it is set
        max_connections: Option<NonZeroUsize> { placeholder: "N", example: &["10000"], live: true },
        /// The most of them from one address, which is a network of /64 in IPv6
        max_connections_per_address: Option<NonZeroUsize> {
            placeholder: "N", example: &["100"], live: true
        },
        /// The most of them that may be opened in a second
        max_handshakes_per_second: Option<NonZeroU32> {
            placeholder: "N", example: &["500"], live: true
        },
        /// The most rooms that a connection to rooms may be in
        max_rooms_per_connection: Option<NonZeroUsize> { placeholder: "N", example: &["100"] },
        /// The most connections that may be in a room
        max_members_per_room: Option<NonZeroUsize> { placeholder: "N", example: &["1000"] },
        /// The most characters of what rooms and users are called, and of their ids; at most 128
        max_name_length: NameLength = "128" { placeholder: "N" },
        /// The characters of that: `any` but control characters, `ascii` (what can be seen of it, and the
        /// space), or `word` (letters and digits of all scripts, `_`, `-` and `.`)
        name_characters: Characters = "any" { placeholder: "WHICH" },
        /// The largest text that may be published in a room, over HTTP too
        max_publish_size: Option<NonZeroUsize> { placeholder: "BYTES", example: &["4096"] },
        /// How often a connection to rooms may read the history, such as 20/60s; `off` limits nothing
        history_rate: HistoryRate = "off" { placeholder: "N/TIME" },
        /// In rooms of more connections it is not announced who comes, goes or types
        announce_limit: usize = "500" { placeholder: "N" },
    }

    section "Signs of life" {
        /// The time between pings, the first of which is sent at a random moment; `off`: there are none
        ping_interval: PeriodOrOff = "20s" { placeholder: "TIME" },
        /// The time in which something has to come from a client that was pinged, else it is dropped with
        /// 1011; `off`: it never is
        ping_timeout: PeriodOrOff = "20s" { placeholder: "TIME" },
        /// The time in which a client has to say something, else it is closed with 1001, at most a quarter
        /// of that time later; `off`: it never is. Messages say something, those that are pings in JSON
        /// too; pings of the protocol do not
        idle_timeout: PeriodOrOff = "off" { placeholder: "TIME" },
        /// Whether clients of apps that speak JSON are sent `{"type":"ping"}` when they connect and every
        /// 30 seconds
        json_ping: bool = "off" { placeholder: "on|off" },
        /// The time that a client may take to finish closing
        close_timeout: Period = "10s" { placeholder: "TIME" },
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

    section "Stopping" {
        /// Over how long a stop spreads the closing of the connections, so that clients do not all come
        /// back at once. Meanwhile /ready and upgrades are answered with 503; unless it is set, all are
        /// closed together
        stop_window: Option<Period> { placeholder: "TIME", example: &["30s"] },
        /// How long a stop may take from the end of that window; what is not done then is left, and the
        /// exit code is 3
        stop_timeout: Period = "10s" { placeholder: "TIME" },
    }

    section "Logs" {
        /// What is logged to standard error: `error`, `warn`, `info`, `debug` or `trace`, of all or of
        /// some parts, such as `warn,telsiz=debug`
        log: LogFilter = "warn,telsiz=info" { placeholder: "FILTER" },
        /// How it is logged: `human` for people, `json` with an object in each line for programs
        log_format: LogFormat = "human" { placeholder: "human|json" },
    }
}

impl Settings {
    /// How long a stop may take.
    pub(crate) fn stop_times(&self) -> StopTimes {
        StopTimes::new(self.stop_window, self.stop_timeout)
    }

    /// What a connection may send and how, unless its mount says otherwise.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            max_message_size: self.max_message_size.get(),
            max_fragments: self.max_fragments.get(),
            deflate: self.deflate,
            heartbeat: Heartbeat {
                ping_interval: self.ping_interval.0,
                ping_timeout: self.ping_timeout.0,
                idle_timeout: self.idle_timeout.0,
                close_timeout: self.close_timeout.0,
                json_ping: self.json_ping,
            },
        }
    }

    /// How rooms are limited.
    pub(crate) fn room_limits(&self) -> RoomLimits {
        RoomLimits {
            max_rooms: self.max_rooms_per_connection,
            max_members: self.max_members_per_room,
            max_publish_size: self.max_publish_size,
            history_rate: self.history_rate.0,
            naming: Naming {
                max_length: self.max_name_length.0,
                characters: self.name_characters,
            },
        }
    }

    /// How many connections may come.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            connections: self.max_connections,
            per_address: self.max_connections_per_address,
            handshakes: self.max_handshakes_per_second,
        }
    }

    /// Without proxies that are trusted nobody is asked for a header.
    pub(super) fn check_proxies(&self, found: &Found) -> Result<(), Failure> {
        match self.proxy_protocol && self.trusted_proxies.is_empty() {
            true => Err(found.wrong(
                "proxy_protocol",
                "needs the addresses of the proxies as trusted_proxies (--trusted-proxies) beside it",
            )),
            false => Ok(()),
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
