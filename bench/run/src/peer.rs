//! The servers that are measured: the one table to add another to.

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
    pub(crate) port: Port,
    /// In the chart: to be told from the others on white and on black.
    pub(crate) colour: &'static str,
}

/// Replaced by an address in [`Peer::args`].
pub(crate) const ADDRESS: &str = "ADDRESS";

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

/// Which workspace a program is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// This one.
    Bench,
    /// The one that ships.
    Telsiz,
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
    pub(crate) fn is_floor(&self) -> bool {
        self.role == Role::Floor
    }
}

/// All servers, the floor first.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        role: Role::Floor,
        ..peer("floor", "echo-floor")
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
        ],
        port: Port::Given,
        colour: "#e8590c",
        ..peer("telsiz", "telsiz")
    },
    Peer {
        role: Role::Ours,
        colour: "#f2a541",
        ..peer("telsiz-recv", "telsiz-recv")
    },
    Peer {
        package: Some("tokio-tungstenite"),
        args: &["--tuned", ADDRESS],
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
        colour: "#0c99a8",
        ..peer("yawc", "echo-yawc")
    },
];

const fn peer(name: &'static str, binary: &'static str) -> Peer {
    Peer {
        name,
        package: None,
        role: Role::Theirs,
        home: Home::Bench,
        binary,
        args: &[ADDRESS],
        port: Port::Printed,
        colour: "#868e96",
    }
}

/// The version of a crate that this workspace is locked to.
pub(crate) fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = lock.split_once(&entry)?;
    rest.split_once('"').map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_is_first_and_alone() {
        let floors: Vec<bool> = PEERS.iter().map(Peer::is_floor).collect();
        assert!(floors[0]);
        assert!(!floors[1..].contains(&true));
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
}
