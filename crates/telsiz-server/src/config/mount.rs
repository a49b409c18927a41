//! Mounts: which app is on which path, and its options there.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Deref;

use matchit::{InsertError, Router};

use super::file::MountTable;
use super::found::Found;
use super::key::keys;
use super::place::Place;
use super::value::{Pattern, Period, PeriodOrOff};
use crate::apps::{APPS, App};
use crate::failure::Failure;
use crate::heartbeat::Heartbeat;
use crate::limits::Limits;
use crate::rate_limit::RateLimit;

keys! {
    /// What is told of a mount.
    MountKeys

    section "Mounts" {
        /// The path: {name} stands for one segment of it, {*name} for all the rest. room reads the
        /// room from {room_id} (it is genel where there is none), rooms the client from {client_id}
        path: Pattern { placeholder: "PATH", example: &["/ws"] },
        /// What is said there
        app: &'static App { placeholder: "APP", example: &["relay"] },
        /// What `rate_limit` of the server is, for this mount alone: in echo, broadcast and relay too
        rate_limit: Option<RateLimit> {
            placeholder: "LIMIT", example: &["close 20/1s"], live: true
        },
        /// What `max_message_size` of the server is, for this mount alone
        max_message_size: Option<NonZeroUsize> { placeholder: "BYTES", example: &["4096"] },
        /// What `max_fragments` of the server is, for this mount alone
        max_fragments: Option<NonZeroU32> { placeholder: "N", example: &["16"] },
        /// What `deflate` of the server is, for this mount alone
        deflate: Option<bool> { placeholder: "on|off", example: &["off"] },
        /// What `ping_interval` of the server is, for this mount alone
        ping_interval: Option<PeriodOrOff> { placeholder: "TIME", example: &["5s"] },
        /// What `ping_timeout` of the server is, for this mount alone
        ping_timeout: Option<PeriodOrOff> { placeholder: "TIME", example: &["5s"] },
        /// What `idle_timeout` of the server is, for this mount alone
        idle_timeout: Option<PeriodOrOff> { placeholder: "TIME", example: &["60s"] },
        /// What `json_ping` of the server is, for this mount alone; of apps that speak JSON
        json_ping: Option<bool> { placeholder: "on|off", example: &["off"] },
        /// What the sender of a text gets, whatever its language; {} stands for the text, from an empty
        /// one follows that nothing is sent
        receipt: Option<String> { only: Some("relay"), example: &["Your message: {}"] },
        /// What everyone else gets, likewise
        others: Option<String> { only: Some("relay"), example: &["From another client: {}"] },
        /// What the server says by itself, one of these at random
        announcements: Vec<String> { only: Some("relay"), example: &["Maintenance at noon."] },
        /// How often it does so; never unless it is set
        announce_every: Option<Period> {
            only: Some("relay"), placeholder: "TIME", example: &["5s"]
        },
    }
}

/// An app on a path.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// What is told of it.
    pub(crate) keys: MountKeys,
    /// Where that was found.
    pub(crate) found: Found,
    /// Where it stands.
    pub(crate) place: Place,
}

impl Mount {
    /// `app` on the path of its own.
    pub(super) fn of(app: &'static App) -> Result<Self, Failure> {
        let mut found = Found::defaults(MountKeys::KEYS);
        for (name, text) in [("path", app.pattern), ("app", app.name)] {
            if let Some(key) = MountKeys::KEYS.iter().find(|key| key.name == name) {
                found.set(key, vec![text.to_owned()], Place::Default)?;
            }
        }
        Self::new(found, Place::Default)
    }

    /// All apps, each on the path of its own.
    pub(super) fn defaults() -> Result<Vec<Self>, Failure> {
        APPS.into_iter().map(Self::of).collect()
    }

    /// What a table of a file says.
    pub(super) fn read(table: MountTable) -> Result<Self, Failure> {
        for name in ["path", "app"] {
            let is_set = table
                .found
                .get(name)
                .is_some_and(|known| known.texts.is_some());
            if !is_set {
                let place = table.place.line_of_file();
                return Err(Failure::Usage(format!("{place}: a mount needs {name}")));
            }
        }
        Self::new(table.found, table.place)
    }

    fn new(found: Found, place: Place) -> Result<Self, Failure> {
        let keys = MountKeys::of(&found)?;
        let mount = Self { keys, found, place };
        mount.check()?;
        Ok(mount)
    }

    /// What is said there.
    pub(crate) fn app(&self) -> &'static App {
        self.keys.app
    }

    /// The pattern of its paths.
    pub(crate) fn path(&self) -> &str {
        &self.keys.path.0
    }

    /// The patterns of all its paths: where the client may leave out its id, that is one more.
    pub(crate) fn patterns(&self) -> impl Iterator<Item = &str> {
        let nameless = self.path().strip_suffix(CLIENT);
        let nameless = nameless.filter(|_| self.app().pattern.ends_with(CLIENT));
        [self.path()].into_iter().chain(nameless)
    }

    /// What its connections may send and how, if those of all may send so.
    pub(crate) fn limits(&self, all: Limits) -> Limits {
        let MountKeys {
            max_message_size,
            max_fragments,
            deflate,
            ping_interval,
            ping_timeout,
            idle_timeout,
            json_ping,
            ..
        } = self.keys;
        let or = |own: Option<PeriodOrOff>, all| own.map_or(all, |PeriodOrOff(time)| time);
        let speaks_json = self.app().schema.is_some();
        Limits {
            max_message_size: max_message_size.map_or(all.max_message_size, NonZeroUsize::get),
            max_fragments: max_fragments.map_or(all.max_fragments, NonZeroU32::get),
            deflate: deflate.unwrap_or(all.deflate),
            heartbeat: Heartbeat {
                ping_interval: or(ping_interval, all.heartbeat.ping_interval),
                ping_timeout: or(ping_timeout, all.heartbeat.ping_timeout),
                idle_timeout: or(idle_timeout, all.heartbeat.idle_timeout),
                json_ping: speaks_json && json_ping.unwrap_or(all.heartbeat.json_ping),
                ..all.heartbeat
            },
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let app = self.app();
        for setting in self.found.settings() {
            let others = setting.key.only.filter(|only| *only != app.name);
            if let Some(only) = others
                && setting.place != Place::Default
            {
                let what = format!("only {only} takes it, not {}", app.name);
                return Err(setting.place.wrong(setting.key, what));
            }
        }
        if self.keys.json_ping == Some(true) && app.schema.is_none() {
            let what = format!("{} does not speak JSON", app.name);
            return Err(self.found.wrong("json_ping", &what));
        }
        // A parameter of another name would be read as one that is absent.
        let named = app.pattern.find('{').map(|at| &app.pattern[at..]);
        match named.filter(|name| self.path().contains('{') && !self.path().contains(name)) {
            Some(name) => {
                let what = format!(
                    "{} reads {name}, which {} does not have",
                    app.name,
                    self.path()
                );
                Err(self.found.wrong("path", &what))
            }
            None => Ok(()),
        }
    }
}

/// What stands for the id of a client.
const CLIENT: &str = "{client_id}";

/// Mounts, no two of which have a path in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mounts {
    mounts: Vec<Mount>,
    paths: Router<()>,
}

impl Mounts {
    /// These, unless two of them clash.
    pub(super) fn new(mounts: Vec<Mount>) -> Result<Self, Failure> {
        let mut paths = Router::new();
        let mut known: Vec<(&str, &Mount)> = Vec::new();
        for mount in &mounts {
            for pattern in mount.patterns() {
                let inserted = paths.insert(pattern, ());
                inserted.map_err(|error| clash(mount, pattern, &error, &known))?;
                known.push((pattern, mount));
            }
        }
        Ok(Self { mounts, paths })
    }

    /// Whether one of them has this path.
    pub(crate) fn have(&self, path: &str) -> bool {
        self.paths.at(path).is_ok()
    }
}

impl Deref for Mounts {
    type Target = [Mount];

    fn deref(&self) -> &[Mount] {
        &self.mounts
    }
}

fn clash(mount: &Mount, pattern: &str, error: &InsertError, known: &[(&str, &Mount)]) -> Failure {
    let what = match error {
        InsertError::Conflict { with } => {
            let other = known.iter().find(|(pattern, _)| pattern == with);
            let place = other.map_or_else(String::new, |(_, other)| other.place.line_of_file());
            format!("{pattern} and {with} of the mount at {place} cannot be told apart")
        }
        error => format!("{pattern}: {error}"),
    };
    mount.found.wrong("path", &what)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::file::read_text;
    use crate::config::settings::Settings;
    use crate::testing;

    fn mounts(text: &str) -> Result<Mounts, String> {
        let mut found = Found::defaults(Settings::KEYS);
        let mut read = || {
            let tables = read_text(Path::new("a.toml"), text.to_owned(), &mut found)?;
            let mounts = tables.unwrap_or_default().into_iter().map(Mount::read);
            Mounts::new(mounts.collect::<Result<_, _>>()?)
        };
        match read() {
            Ok(mounts) => Ok(mounts),
            Err(Failure::Usage(said)) => Err(said),
            Err(Failure::Failed(said)) => panic!("{said}"),
        }
    }

    #[test]
    fn an_app_may_be_on_many_paths_with_its_own_options_on_each() {
        let mounts = mounts(
            "[[mount]]\npath = \"/a\"\napp = \"relay\"\nreceipt = \"\"\n\
             [[mount]]\npath = \"/b/{client_id}\"\napp = \"rooms\"\nmax_message_size = 10\n\
             [[mount]]\npath = \"/c\"\napp = \"relay\"\n",
        )
        .expect("sound");
        let names: Vec<_> = mounts.iter().map(|mount| mount.app().name).collect();
        assert_eq!(names, ["relay", "rooms", "relay"]);
        assert_eq!(mounts[0].keys.receipt.as_deref(), Some(""));
        assert_eq!(mounts[2].keys.receipt, None);
        let all = Limits {
            max_message_size: 5,
            max_fragments: 7,
            deflate: true,
            heartbeat: testing::HEARTBEAT,
        };
        assert_eq!(mounts[0].limits(all).max_message_size, 5);
        assert_eq!(mounts[1].limits(all).max_message_size, 10);
        assert_eq!(mounts[1].limits(all).max_fragments, 7);
        let patterns: Vec<_> = mounts[1].patterns().collect();
        assert_eq!(patterns, ["/b/{client_id}", "/b/"]);
        assert_eq!(mounts[0].patterns().count(), 1);
    }

    #[test]
    fn signs_of_life_can_be_those_of_a_mount() {
        let mounts = mounts(
            "[[mount]]\npath = \"/a\"\napp = \"echo\"\nping_interval = \"off\"\n\
             [[mount]]\npath = \"/b\"\napp = \"typed\"\njson_ping = true\nidle_timeout = \"5s\"\n\
             ping_timeout = \"1s\"\n\
             [[mount]]\npath = \"/c\"\napp = \"typed\"\n",
        )
        .expect("sound");
        let second = |number| Some(Duration::from_secs(number));
        let all = Limits {
            max_message_size: 5,
            max_fragments: 7,
            deflate: true,
            heartbeat: Heartbeat {
                idle_timeout: second(60),
                json_ping: true,
                ..testing::HEARTBEAT
            },
        };
        let heartbeats: Vec<_> = mounts
            .iter()
            .map(|mount| mount.limits(all).heartbeat)
            .collect();
        let expected = [
            Heartbeat {
                ping_interval: None,
                // It speaks no JSON.
                json_ping: false,
                ..all.heartbeat
            },
            Heartbeat {
                idle_timeout: second(5),
                ping_timeout: second(1),
                ..all.heartbeat
            },
            all.heartbeat,
        ];
        assert_eq!(heartbeats, expected);
    }

    #[test]
    fn an_app_that_speaks_no_json_sends_no_pings_in_json() {
        let said = mounts("[[mount]]\npath = \"/a\"\napp = \"echo\"\njson_ping = true\n");
        assert_eq!(
            said.expect_err("wrong"),
            "a.toml:4: json_ping: echo does not speak JSON"
        );
    }

    #[test]
    fn the_defaults_do_not_clash() {
        let mounts = Mounts::new(Mount::defaults().expect("sound"));
        let mounts = mounts.expect("no clash");
        assert_eq!(mounts.len(), APPS.len());
        for (path, expected) in [
            ("/echo", true),
            ("/ws/", true),
            ("/ws/chat/genel", true),
            ("/", false),
            ("/echo/more", false),
        ] {
            assert_eq!(mounts.have(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_mount_is_told_with_its_line() {
        for (text, expected) in [
            (
                "[[mount]]\npath = \"/a\"\napp = \"echo\"\n\n[[mount]]\napp = \"lobby\"\npath = \"/a\"",
                "a.toml:7: path: /a and /a of the mount at a.toml:1 cannot be told apart",
            ),
            (
                "[[mount]]\npath = \"/{x}\"\napp = \"echo\"\n[[mount]]\npath = \"/{y}\"\napp = \"echo\"",
                "a.toml:5: path: /{y} and /{x} of the mount at a.toml:1 cannot be told apart",
            ),
            (
                "[[mount]]\npath = \"/w/\"\napp = \"echo\"\n\
                 [[mount]]\npath = \"/w/{client_id}\"\napp = \"rooms\"",
                "a.toml:5: path: /w/ and /w/ of the mount at a.toml:1 cannot be told apart",
            ),
            ("[[mount]]\npath = \"/a\"", "a.toml:1: a mount needs app"),
            (
                "\n[[mount]]\napp = \"echo\"",
                "a.toml:2: a mount needs path",
            ),
            (
                "[[mount]]\npath = \"/a\"\napp = \"echo\"\nreceipt = \"\"",
                "a.toml:4: receipt: only relay takes it, not echo",
            ),
            (
                "[[mount]]\npath = \"/a/{roomid}\"\napp = \"room\"",
                "a.toml:2: path: room reads {room_id}, which /a/{roomid} does not have",
            ),
        ] {
            assert_eq!(mounts(text).expect_err(text), expected);
        }
        for bad in ["/a/{", "/{*rest}/b", "/{a}{b}"] {
            let text = format!("[[mount]]\npath = \"{bad}\"\napp = \"echo\"");
            let said = mounts(&text).expect_err(bad);
            assert!(said.starts_with("a.toml:2: path: "), "{said}");
        }
    }
}
