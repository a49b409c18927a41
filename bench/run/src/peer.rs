//! The servers that are measured: the one table to add another to.

use load::{Cell, Work};
use serde::Serialize;

/// One server.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What tables, filters and files call it.
    pub(crate) name: &'static str,
    /// The crate it shows, whose version is reported.
    pub(crate) package: Option<&'static str>,
    pub(crate) role: Role,
    pub(crate) home: Home,
    /// The name of its program.
    pub(crate) binary: &'static str,
    /// Its arguments; [`ADDRESS`] stands for where it listens.
    pub(crate) args: &'static [&'static str],
    /// What is added for it to echo, if it does.
    plain: Option<&'static [&'static str]>,
    /// What is added for it to compress, if it can.
    deflate: Option<&'static [&'static str]>,
    /// What is added for it to serve TLS, if it can; [`CERTIFICATE`] and [`KEY`] stand for files.
    tls: Option<&'static [&'static str]>,
    /// What is added for it to have rooms, if it has; [`FRAME`] stands for how long a delivered message has to be.
    rooms: Option<&'static [&'static str]>,
    /// What is added for it to store what is published, if it can; [`DATA`] stands for a folder.
    durable: Option<&'static [&'static str]>,
    pub(crate) port: Port,
    /// In the chart: to be told from the others on white and on black.
    pub(crate) colour: &'static str,
}

/// Replaced in arguments by an address, the files of a certificate and its key, a number of bytes, and a folder.
pub(crate) const ADDRESS: &str = "ADDRESS";
pub(crate) const CERTIFICATE: &str = "CERTIFICATE";
pub(crate) const KEY: &str = "KEY";
pub(crate) const FRAME: &str = "FRAME";
pub(crate) const DATA: &str = "DATA";

/// What a server is measured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// What all others are divided by.
    Floor,
    /// What this project makes.
    Ours,
    /// What others make.
    Theirs,
}

/// How a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// TCP; it is not asked to compress, and as far as it can be told it would not.
    Plain,
    /// TCP, and it compresses if a client asks for that.
    Deflate,
    /// TLS.
    Tls,
    /// TCP, with rooms whose messages are kept in memory or not at all.
    Rooms,
    /// TCP, with rooms whose messages are stored.
    Durable,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// This workspace.
    Bench,
    /// The one that ships.
    Telsiz,
    /// A folder in `servers`, for Node.
    Node,
}

/// Who chooses the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// The server, which prints its address as the first line.
    Printed,
    /// We, hoping that it is still free when the server starts.
    Given,
}

impl Peer {
    /// What is added to its arguments in a mode, if it has that.
    pub(crate) fn flags(&self, mode: Mode) -> Option<&'static [&'static str]> {
        match mode {
            Mode::Plain => self.plain,
            Mode::Deflate => self.deflate,
            Mode::Tls => self.tls,
            Mode::Rooms => self.rooms,
            Mode::Durable => self.durable,
        }
    }

    /// How it is started for some work, if it can do that. Connections are opened by clients that ask for compression,
    /// so those that can agree to it.
    pub(crate) fn mode(&self, work: Work) -> Option<Mode> {
        let modes: &[Mode] = match work {
            Work::Echo => &[Mode::Plain],
            Work::Json => &[Mode::Deflate],
            Work::Tls => &[Mode::Tls],
            Work::Open => &[Mode::Deflate, Mode::Plain],
            Work::Fanout => &[Mode::Rooms],
        };
        modes
            .iter()
            .copied()
            .find(|mode| self.flags(*mode).is_some())
    }
}

/// The server that all others are divided by in a cell: the floor, or ours where the floor cannot do the work.
pub(crate) fn reference(cell: Cell) -> &'static str {
    match cell.work {
        Work::Echo | Work::Open => FLOOR,
        Work::Json | Work::Tls => LEADER,
        // One message has nothing to be gathered with.
        Work::Fanout if cell.in_flight == 1 => FLOOR_EACH,
        Work::Fanout => FLOOR_COALESCED,
    }
}

const FLOOR: &str = "floor";
const FLOOR_EACH: &str = "floor-each";
const FLOOR_COALESCED: &str = "floor-coalesced";

/// The one of ours that no server of others may be ahead of.
pub(crate) const LEADER: &str = "telsiz";

/// The one of ours that has rooms.
pub(crate) const ROOMS: &str = "telsiz-rooms";

/// All servers, the floor first, then those that have rooms.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        role: Role::Floor,
        tls: None,
        ..peer(FLOOR, "echo-floor")
    },
    Peer {
        role: Role::Ours,
        home: Home::Telsiz,
        args: &[
            "serve",
            "echo",
            "--listen",
            ADDRESS,
            "--workers",
            "1",
            "--max-message-size",
            "16777216",
            "--memory",
        ],
        deflate: Some(&["--deflate", "on"]),
        tls: Some(&["--tls-cert", CERTIFICATE, "--tls-key", KEY]),
        port: Port::Given,
        colour: "#e8590c",
        ..peer(LEADER, "telsiz")
    },
    Peer {
        role: Role::Ours,
        deflate: DEFLATE,
        colour: "#f2a541",
        ..peer("telsiz-recv", "telsiz-recv")
    },
    Peer {
        package: Some("tokio-tungstenite"),
        args: &[ADDRESS, "--tuned"],
        colour: "#1c7ed6",
        ..peer("tungstenite-tuned", "echo-tungstenite")
    },
    Peer {
        package: Some("tokio-tungstenite"),
        colour: "#74a9d8",
        ..peer("tungstenite-default", "echo-tungstenite")
    },
    Peer {
        package: Some("fastwebsockets"),
        colour: "#2f9e44",
        ..peer("fastwebsockets", "echo-fastwebsockets")
    },
    Peer {
        package: Some("tokio-websockets"),
        colour: "#9c4fc4",
        ..peer("tokio-websockets", "echo-tokio-websockets")
    },
    Peer {
        package: Some("yawc"),
        deflate: DEFLATE,
        colour: "#0c99a8",
        ..peer("yawc", "echo-yawc")
    },
    Peer {
        package: Some("sockudo-ws"),
        deflate: DEFLATE,
        colour: "#c2255c",
        ..peer("sockudo-ws", "echo-sockudo-ws")
    },
    Peer {
        package: Some("ws"),
        home: Home::Node,
        deflate: DEFLATE,
        colour: "#868e96",
        ..peer("npm-ws", "npm-ws/main.js")
    },
    Peer {
        role: Role::Floor,
        ..room(FLOOR_EACH, "fanout-floor")
    },
    Peer {
        role: Role::Floor,
        rooms: Some(&[FRAME, "--coalesce"]),
        colour: "#adb5bd",
        ..room(FLOOR_COALESCED, "fanout-floor")
    },
    Peer {
        role: Role::Ours,
        home: Home::Telsiz,
        args: &[
            "serve",
            "rooms",
            "--listen",
            ADDRESS,
            "--workers",
            "1",
            "--rate-limit",
            "off",
        ],
        rooms: Some(&["--memory"]),
        durable: Some(&["--data", DATA]),
        port: Port::Given,
        colour: "#e8590c",
        ..room(ROOMS, "telsiz")
    },
    Peer {
        package: Some("tokio-tungstenite"),
        colour: "#1c7ed6",
        ..room("tungstenite-broadcast", "broadcast-tungstenite")
    },
    Peer {
        package: Some("ws"),
        home: Home::Node,
        colour: "#2f9e44",
        ..room("npm-ws-broadcast", "npm-ws/broadcast.js")
    },
];

/// What the servers in this workspace take, those in Node too.
const DEFLATE: Option<&[&str]> = Some(&["--deflate"]);
const TLS: Option<&[&str]> = Some(&["--tls", CERTIFICATE, KEY]);

const fn peer(name: &'static str, binary: &'static str) -> Peer {
    Peer {
        name,
        package: None,
        role: Role::Theirs,
        home: Home::Bench,
        binary,
        args: &[ADDRESS],
        plain: Some(&[]),
        deflate: None,
        tls: TLS,
        rooms: None,
        durable: None,
        port: Port::Printed,
        colour: "#868e96",
    }
}

/// One that has rooms and does not echo.
const fn room(name: &'static str, binary: &'static str) -> Peer {
    Peer {
        plain: None,
        tls: None,
        rooms: Some(&[FRAME]),
        ..peer(name, binary)
    }
}

/// The version of a crate, or of a package of npm, that this workspace is locked to.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    let crates = include_str!("../../Cargo.lock");
    let packages = include_str!("../../servers/npm-ws/package-lock.json");
    let found = |lock: &'static str, entry: &str| {
        let (_, rest) = lock.split_once(entry)?;
        rest.split_once('"').map(|(version, _)| version)
    };
    found(crates, &format!("name = \"{package}\"\nversion = \"")).or_else(|| {
        let entry = format!("\"node_modules/{package}\": {{\n      \"version\": \"");
        found(packages, &entry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::select::{CELLS, fanout_cells};

    #[test]
    fn the_floor_is_first_and_alone() {
        for mode in [Mode::Plain, Mode::Rooms] {
            let peers = PEERS.iter().filter(|peer| peer.flags(mode).is_some());
            let floors: Vec<bool> = peers.map(|peer| peer.role == Role::Floor).collect();
            let count = 1 + usize::from(mode == Mode::Rooms);
            assert!(!floors[..count].contains(&false), "{mode:?}");
            assert!(!floors[count..].contains(&true), "{mode:?}");
        }
    }

    #[test]
    fn knows_the_versions_measured() {
        for peer in PEERS {
            if let Some(package) = peer.package {
                assert!(version(package).is_some(), "{package}");
            }
        }
        assert_eq!(version("no such crate"), None);
    }

    #[test]
    fn every_reference_is_a_server_that_does_the_work() {
        for cell in CELLS.iter().copied().chain(fanout_cells(1000)) {
            let peer = PEERS.iter().find(|peer| peer.name == reference(cell));
            assert!(
                peer.is_some_and(|peer| peer.mode(cell.work).is_some()),
                "{cell}"
            );
        }
    }
}
