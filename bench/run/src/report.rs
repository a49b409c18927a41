//! Everything a run found out, as it goes into the JSON file.

use load::{Cell, Fanned, Measured};
use serde::{Serialize, Serializer};

use crate::bounds::Verdict;
use crate::machine::Machine;
use crate::options::{Kind, Options};
use crate::peer::{self, Mode, Peer};
use crate::stats::{self, Estimate};

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) rounds: u32,
    pub(crate) seconds: f64,
    pub(crate) kind: Kind,
    /// How much of the two processors other programs took meanwhile, from 0 to 1.
    pub(crate) others: f64,
    pub(crate) cells: Vec<CellReport>,
    pub(crate) idle: Vec<Idle>,
    pub(crate) members: Vec<Member>,
    /// Servers that declined the compression of a cell.
    pub(crate) left_out: Vec<Failure>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) verdicts: Vec<Verdict>,
}

/// All servers under one load.
#[derive(Debug, Serialize)]
pub(crate) struct CellReport {
    #[serde(serialize_with = "as_text")]
    pub(crate) cell: Cell,
    /// The server that the others are divided by: the first.
    pub(crate) reference: &'static str,
    pub(crate) servers: Vec<ServerReport>,
}

/// One server under one load.
#[derive(Debug, Serialize)]
pub(crate) struct ServerReport {
    #[serde(flatten)]
    pub(crate) server: Name,
    /// The median.
    pub(crate) cpu_ns_per_message: f64,
    /// The median.
    pub(crate) messages_per_second: f64,
    /// The median of the bytes of an echo, or of the answer to a handshake.
    pub(crate) bytes_per_message: f64,
    /// How many messages were not compressed although that was agreed on, from 0 to 1: the median.
    pub(crate) uncompressed: f64,
    /// The medians, if it was measured.
    pub(crate) latency: Option<Latency>,
    /// Of processor time per message to that of the reference in the same round.
    pub(crate) ratio: Estimate,
    pub(crate) samples: Vec<Sample>,
}

/// What a server is called and which version of its crate it shows.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Name {
    #[serde(rename = "server")]
    pub(crate) name: &'static str,
    pub(crate) version: Option<&'static str>,
}

/// One measurement; that of a reference is the mean of its two in a round. In cells without messages it is connections that
/// are counted, in a room it is deliveries.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    pub(crate) round: u32,
    pub(crate) cpu_ns_per_message: f64,
    pub(crate) messages_per_second: f64,
    pub(crate) bytes_per_message: f64,
    pub(crate) uncompressed: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
}

/// From publishing a message until the last member had it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Latency {
    pub(crate) median_ms: f64,
    /// 99 % were faster.
    pub(crate) p99_ms: f64,
}

/// Resident memory of a server, bytes per idle connection.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    #[serde(flatten)]
    pub(crate) server: Name,
    /// Whether compression was agreed on, and the echo compressed.
    pub(crate) mode: Mode,
    /// After the handshake.
    pub(crate) fresh: f64,
    /// After one echo on each.
    pub(crate) after_echo: f64,
}

/// Resident memory of a server, bytes per connection that has joined a room.
#[derive(Debug, Serialize)]
pub(crate) struct Member {
    #[serde(flatten)]
    pub(crate) server: Name,
    pub(crate) bytes: f64,
}

/// A measurement without a result.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    pub(crate) server: &'static str,
    /// The cell and the round, or what else was measured.
    pub(crate) during: String,
    pub(crate) error: String,
}

impl Report {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            machine: Machine::here(),
            rounds: options.rounds,
            seconds: options.seconds,
            kind: options.kind,
            others: 0.0,
            cells: Vec::new(),
            idle: Vec::new(),
            members: Vec::new(),
            left_out: Vec::new(),
            failures: Vec::new(),
            verdicts: Vec::new(),
        }
    }
}

impl CellReport {
    pub(crate) fn new(cell: Cell) -> Self {
        Self {
            cell,
            reference: peer::reference(cell),
            servers: Vec::new(),
        }
    }

    pub(crate) fn server(&self, name: &str) -> Option<&ServerReport> {
        self.servers
            .iter()
            .find(|report| report.server.name == name)
    }

    /// Adds a server, whose samples are paired with those of the reference; none without a sample.
    pub(crate) fn add(&mut self, server: Name, reference: &[Sample], samples: Vec<Sample>) {
        let all = |value: fn(&Sample) -> f64| {
            let values: Vec<f64> = samples.iter().map(value).collect();
            stats::median(&values)
        };
        if let (Some(cpu), Some(rate), Some(bytes), Some(uncompressed), Some(ratio)) = (
            all(|sample| sample.cpu_ns_per_message),
            all(|sample| sample.messages_per_second),
            all(|sample| sample.bytes_per_message),
            all(|sample| sample.uncompressed),
            ratio(&samples, reference),
        ) {
            self.servers.push(ServerReport {
                server,
                cpu_ns_per_message: cpu,
                messages_per_second: rate,
                bytes_per_message: bytes,
                uncompressed,
                latency: Latency::median(&samples),
                ratio,
                samples,
            });
        }
    }
}

impl Latency {
    /// The medians of samples, if they have any.
    fn median(samples: &[Sample]) -> Option<Self> {
        let median = |value: fn(&Self) -> f64| {
            let all = samples.iter().filter_map(|sample| sample.latency);
            stats::median(&all.map(|latency| value(&latency)).collect::<Vec<_>>())
        };
        Some(Self {
            median_ms: median(|latency| latency.median_ms)?,
            p99_ms: median(|latency| latency.p99_ms)?,
        })
    }
}

/// Processor time per message of one server to another's, within rounds.
pub(crate) fn ratio(samples: &[Sample], others: &[Sample]) -> Option<Estimate> {
    let ratios: Vec<f64> = samples
        .iter()
        .filter_map(|sample| {
            let other = others.iter().find(|other| other.round == sample.round)?;
            Some(sample.cpu_ns_per_message / other.cpu_ns_per_message)
        })
        .collect();
    Estimate::of(&ratios)
}

impl Sample {
    pub(crate) fn new(round: u32, measured: Measured) -> Self {
        let messages = measured.messages as f64;
        Self {
            round,
            cpu_ns_per_message: measured.cpu.as_nanos() as f64 / messages,
            messages_per_second: messages / measured.elapsed.as_secs_f64(),
            bytes_per_message: measured.bytes as f64 / messages,
            uncompressed: measured.uncompressed as f64 / messages,
            latency: None,
        }
    }

    pub(crate) fn fanned(round: u32, fanned: Fanned) -> Self {
        let [median, p99] = fanned.latency.map(|latency| 1e3 * latency.as_secs_f64());
        Self {
            latency: Some(Latency {
                median_ms: median,
                p99_ms: p99,
            }),
            ..Self::new(round, fanned.measured)
        }
    }

    /// The mean of two of one round.
    pub(crate) fn mean(self, other: Self) -> Self {
        let mean = |value: fn(&Self) -> f64| f64::midpoint(value(&self), value(&other));
        Self {
            round: self.round,
            cpu_ns_per_message: mean(|sample| sample.cpu_ns_per_message),
            messages_per_second: mean(|sample| sample.messages_per_second),
            bytes_per_message: mean(|sample| sample.bytes_per_message),
            uncompressed: mean(|sample| sample.uncompressed),
            latency: self.latency.zip(other.latency).map(|(one, other)| Latency {
                median_ms: f64::midpoint(one.median_ms, other.median_ms),
                p99_ms: f64::midpoint(one.p99_ms, other.p99_ms),
            }),
        }
    }
}

impl From<&Peer> for Name {
    fn from(peer: &Peer) -> Self {
        Self {
            name: peer.name,
            version: peer.package.and_then(peer::version),
        }
    }
}

fn as_text<S: Serializer>(cell: &Cell, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(cell)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Samples of rounds 0, 1, 2 and so on.
    pub(crate) fn samples(cpu: &[f64]) -> Vec<Sample> {
        (0..)
            .zip(cpu)
            .map(|(round, cpu)| Sample {
                round,
                cpu_ns_per_message: *cpu,
                messages_per_second: 1e9 / cpu,
                bytes_per_message: 100.0,
                uncompressed: 0.0,
                latency: None,
            })
            .collect()
    }

    pub(crate) fn name(name: &'static str) -> Name {
        Name {
            name,
            version: None,
        }
    }

    /// One cell, the servers with their processor times; the reference first.
    pub(crate) fn report(cell: Cell, servers: &[(&'static str, &[f64])]) -> Report {
        use clap::Parser;

        use crate::options::Arguments;

        let mut report = Report::new(&Arguments::parse_from(["bench"]).options);
        let mut all = CellReport::new(cell);
        for (server, cpu) in servers {
            all.add(name(server), &samples(servers[0].1), samples(cpu));
        }
        report.cells.push(all);
        report
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        // The machine slows down tenfold; the ratio stays.
        let floor = samples(&[100.0, 200.0, 1000.0]);
        let server = samples(&[150.0, 300.0, 1500.0]);
        let ratio = ratio(&server, &floor).expect("a ratio");
        assert_eq!((ratio.low, ratio.median, ratio.high), (1.5, 1.5, 1.5));
    }

    #[test]
    fn rounds_without_both_do_not_count() {
        let floor = samples(&[100.0, 100.0]);
        let mut server = samples(&[900.0, 200.0]);
        server.remove(0);
        assert_eq!(ratio(&server, &floor).map(|ratio| ratio.median), Some(2.0));
        assert_eq!(ratio(&[], &floor), None);
    }
}
