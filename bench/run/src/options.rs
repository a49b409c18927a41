//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::peer::{Home, Peer};
use crate::publish;

/// Measures servers against each other, on two processors of one machine: echoes, if nothing else is named.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) other: Option<Other>,

    #[command(flatten)]
    pub(crate) options: Options,
}

/// What else than echoes is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Other {
    /// Messages of one publisher to all members of a room, and what a member costs
    Fanout(Fanout),
    /// Publishing to rooms whose messages are stored: acknowledgements and the disk
    Publish(publish::Options),
}

/// What a fan-out is measured with.
#[derive(Debug, Args)]
pub(crate) struct Fanout {
    /// Members of the room, of which one publishes.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=15_000))]
    pub(crate) members: u16,

    /// How long the peers make each delivered message; as long as ours by default, which is asked for one.
    #[arg(long, value_name = "BYTES")]
    pub(crate) frame: Option<usize>,

    #[command(flatten)]
    pub(crate) options: Options,
}

/// How echoes and fan-out are measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds: how often every server runs every cell.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// Cells to run, SIZE/CONNECTIONS/IN_FLIGHT with or without `json-`, `tls-`, `open-` or `fanout-` in front,
    /// comma-separated; `*` stands for any text, as in `128/*/16`.
    #[arg(long, value_delimiter = ',', value_name = "CELLS")]
    pub(crate) cells: Vec<String>,

    /// Servers to run beside those that the others are divided by, comma-separated; `*` stands for any text.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) servers: Vec<String>,

    /// Seconds of one measurement.
    #[arg(long, default_value_t = 0.4, value_name = "S", value_parser = seconds)]
    pub(crate) seconds: f64,

    /// The load does not sleep while it waits: no server has to wake it.
    #[arg(long)]
    spin: bool,

    /// The load looks at one read of eight only: it is faster than every server, and all of them are saturated. Not
    /// what the bounds are for.
    #[arg(long, conflicts_with_all = ["check", "against"])]
    pub(crate) skim: bool,

    /// What the messages are, in all cells but those of `json-` and `fanout-`.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kind: Kind,

    /// Write everything measured to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a chart to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Measure the memory of idle connections, which is left out when only some cells run.
    #[arg(long, overrides_with = "no_idle")]
    idle: bool,

    /// Do not measure the memory of idle connections.
    #[arg(long, overrides_with = "idle")]
    no_idle: bool,

    /// Compare our ratios with those of an earlier run, which this file has: its JSON, or `baseline.json`.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Option<PathBuf>,

    /// Fail if a bound is not met.
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) places: Places,
}

/// Where programs are, and where they run.
#[derive(Debug, Args)]
pub(crate) struct Places {
    /// The processor of the servers.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) server_cpu: usize,

    /// The processor of the load.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) load_cpu: usize,

    /// Where the servers are; beside this program by default.
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,

    /// The `telsiz` program; `../telsiz/release/telsiz` beside the servers by default.
    #[arg(long, value_name = "FILE")]
    telsiz: Option<PathBuf>,
}

/// Text or binary messages.
#[derive(Debug, Clone, Copy, Default, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// ASCII that looks like JSON
    #[default]
    Text,
    /// Random bytes
    Binary,
}

impl From<Kind> for load::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

impl Options {
    /// What the load does while no echo is there.
    pub(crate) fn waiting(&self) -> load::Waiting {
        match self.spin {
            true => load::Waiting::Spinning,
            false => load::Waiting::Asleep,
        }
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    pub(crate) fn idle(&self) -> bool {
        self.idle || (self.cells.is_empty() && !self.no_idle)
    }
}

impl Places {
    /// Where the servers are.
    pub(crate) fn folder(&self) -> PathBuf {
        let beside = || {
            let own = std::env::current_exe().unwrap_or_default();
            own.parent().map(PathBuf::from).unwrap_or_default()
        };
        self.bin_dir.clone().unwrap_or_else(beside)
    }

    /// Where the program of a server is, built or not.
    pub(crate) fn binary(&self, peer: &Peer) -> PathBuf {
        match (peer.home, &self.telsiz) {
            (Home::Bench, _) => self.folder().join(peer.binary),
            (Home::Telsiz, Some(file)) => file.clone(),
            (Home::Telsiz, None) => self.folder().join("../telsiz/release").join(peer.binary),
            (Home::Node, _) => {
                let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../servers");
                servers.join(peer.binary)
            }
        }
    }

    /// Whether a server can be started.
    pub(crate) fn is_built(&self, peer: &Peer) -> bool {
        let binary = self.binary(peer);
        match peer.home {
            Home::Bench | Home::Telsiz => binary.exists(),
            Home::Node => binary.with_file_name("node_modules").exists(),
        }
    }
}

pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.01..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number from 0.01 to 3600".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        Arguments::parse_from([&["bench"], args].concat()).options
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_fan_out_has_the_options_of_echoes() {
        let parsed = |args: &[&str]| {
            let arguments = Arguments::parse_from([&["bench", "fanout"], args].concat());
            match arguments.other {
                Some(Other::Fanout(fanout)) => fanout,
                other => panic!("{other:?}"),
            }
        };
        let fanout = parsed(&["--members", "50", "--rounds", "3"]);
        assert_eq!((fanout.members, fanout.options.rounds), (50, 3));
        assert!(fanout.options.idle());
        assert_eq!(parsed(&[]).members, 1000);
    }

    #[test]
    fn idle_memory_belongs_to_a_full_run() {
        assert!(options(&[]).idle());
        assert!(!options(&["--no-idle"]).idle());
        assert!(!options(&["--cells", "128/1/1"]).idle());
        assert!(options(&["--cells", "128/1/1", "--idle"]).idle());
    }
}
