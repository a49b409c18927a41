//! Publishing to rooms whose messages are stored: how many are acknowledged, how soon, and what the disk gives alone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use load::{Published, Waiting};
use serde::Serialize;

use crate::Error;
use crate::bounds::{self, Verdict};
use crate::child::{Child, Given};
use crate::disk::{self, Folder, Syncs};
use crate::machine::{self, Machine};
use crate::options::{Places, seconds};
use crate::peer::{Mode, PEERS, ROOMS};
use crate::pin;
use crate::rounds::{Occupied, TOLERATED};
use crate::stats;

/// Payload of a message.
const SIZE: usize = 128;

/// Before each measurement, not counted.
const WARM_UP: Duration = Duration::from_millis(300);

/// Acknowledged publishes a second, and the milliseconds below which 99 % of them are acknowledged.
const RATE: f64 = 40_000.0;
const P99: f64 = 10.0;

/// How publishing is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds, all with one server.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds of one round.
    #[arg(long, default_value_t = 2.0, value_name = "S", value_parser = seconds)]
    seconds: f64,

    /// Connections that publish, each to a room of its own with one subscriber.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4000))]
    publishers: u16,

    /// Where to store messages, in a folder that is removed again; beside the servers by default.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Write everything measured to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Fail if a bound is not met.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    places: Places,
}

/// A whole run.
#[derive(Debug, Serialize)]
struct Report {
    machine: Machine,
    publishers: u16,
    seconds: f64,
    /// How much of the two processors other programs took meanwhile, from 0 to 1.
    others: f64,
    /// Before the rounds and after them.
    disk: [Vec<Syncs>; 2],
    rounds: Vec<Sample>,
    median: Sample,
    verdicts: Vec<Verdict>,
}

/// What one round found, or the medians of all.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    per_second: f64,
    cpu_ns_per_publish: f64,
    median_ms: f64,
    p99_ms: f64,
    longest_ms: f64,
}

/// Whether nothing went wrong and, if asked for, all bounds are met.
pub(crate) fn run(options: &Options) -> Result<bool, Error> {
    let places = &options.places;
    let peer = PEERS.iter().find(|peer| peer.name == ROOMS);
    let peer = peer.filter(|peer| places.is_built(peer));
    let peer = peer.ok_or_else(|| format!("{ROOMS} is not built: see bench/README.md"))?;
    machine::raise_file_limit()?;
    let folder = Folder::create(&options.data.clone().unwrap_or_else(|| places.folder()))?;
    let data = folder.path().join("data");
    let given = Given {
        data: Some(&data),
        ..Given::default()
    };

    pin::to(places.server_cpu)?;
    let before = disk::measure(folder.path())?;
    let server = [Child::start(peer, Mode::Durable, given, places)?];
    pin::to(places.load_cpu)?;
    let cpus = Occupied::now(places, &server)?;
    let rounds = (0..options.rounds)
        .map(|_| {
            let [server] = &server;
            let published = load::publish(
                &server.target,
                server.pid(),
                options.publishers.into(),
                SIZE,
                WARM_UP,
                Duration::from_secs_f64(options.seconds),
                Waiting::Asleep,
            )?;
            Ok(Sample::from(published))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let others = cpus.by_others(&Occupied::now(places, &server)?);
    drop(server);
    pin::to(places.server_cpu)?;
    let after = disk::measure(folder.path())?;

    let median = Sample::median(&rounds).ok_or("no round")?;
    let report = Report {
        machine: Machine::here(),
        publishers: options.publishers,
        seconds: options.seconds,
        others,
        disk: [before, after],
        rounds,
        median,
        verdicts: judge(&median),
    };
    report.print(options.check);
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(!options.check || bounds::hold(&report.verdicts, true))
}

fn judge(median: &Sample) -> Vec<Verdict> {
    let Sample {
        per_second, p99_ms, ..
    } = median;
    vec![
        Verdict::new(
            *per_second >= RATE,
            format!("{ROOMS}: {per_second:.0} acknowledged a second, at least {RATE:.0}"),
        ),
        Verdict::new(
            *p99_ms < P99,
            format!("{ROOMS}: 99 % acknowledged within {p99_ms:.2} ms, below {P99:.0}"),
        ),
    ]
}

impl From<Published> for Sample {
    fn from(published: Published) -> Self {
        let messages = published.messages as f64;
        let [median, p99, longest] = published.latency.map(|latency| 1e3 * latency.as_secs_f64());
        Self {
            per_second: messages / published.elapsed.as_secs_f64(),
            cpu_ns_per_publish: published.cpu.as_nanos() as f64 / messages,
            median_ms: median,
            p99_ms: p99,
            longest_ms: longest,
        }
    }
}

impl Sample {
    /// The median of each figure by itself.
    fn median(samples: &[Self]) -> Option<Self> {
        let median =
            |value: fn(&Self) -> f64| stats::median(&samples.iter().map(value).collect::<Vec<_>>());
        Some(Self {
            per_second: median(|sample| sample.per_second)?,
            cpu_ns_per_publish: median(|sample| sample.cpu_ns_per_publish)?,
            median_ms: median(|sample| sample.median_ms)?,
            p99_ms: median(|sample| sample.p99_ms)?,
            longest_ms: median(|sample| sample.longest_ms)?,
        })
    }

    fn print(&self, name: &str) {
        println!(
            "  {name:<10} {:>14.0} {:>16.0} {:>9.2} {:>9.2} {:>9.2}",
            self.per_second, self.cpu_ns_per_publish, self.median_ms, self.p99_ms, self.longest_ms
        );
    }
}

impl Report {
    fn print(&self, all_bounds: bool) {
        println!(
            "\n{} publishers, each with a room and a subscriber, {SIZE} bytes, one under way on each",
            self.publishers
        );
        println!(
            "  {:<10} {:>14} {:>16} {:>9} {:>9} {:>9}",
            "round", "acknowledged/s", "CPU ns/publish", "p50 ms", "p99 ms", "max ms"
        );
        for (number, sample) in self.rounds.iter().enumerate() {
            sample.print(&(number + 1).to_string());
        }
        self.median.print("median");
        println!("\nthe disk alone: writes that are each followed by fdatasync");
        println!(
            "  {:<10} {:<10} {:>9} {:>12} {:>9} {:>9}",
            "", "", "bytes", "a second", "p50 ms", "max ms"
        );
        for (when, disk) in ["before", "after"].iter().zip(&self.disk) {
            for syncs in disk {
                let place = format!("{:?}", syncs.place).to_lowercase();
                println!(
                    "  {when:<10} {place:<10} {:>9} {:>12.0} {:>9.2} {:>9.2}",
                    syncs.bytes, syncs.per_second, syncs.median_ms, syncs.longest_ms
                );
            }
        }
        if self.others > TOLERATED {
            println!(
                "\nother programs took {:.0} % of the two processors meanwhile: do not trust these figures",
                self.others * 100.0
            );
        }
        let shown = |verdict: &&Verdict| all_bounds || verdict.outcome == bounds::Outcome::Missed;
        for verdict in self.verdicts.iter().filter(shown) {
            println!("  {:<13} {}", verdict.outcome.word(), verdict.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Outcome;

    fn sample(per_second: f64, p99_ms: f64) -> Sample {
        Sample {
            per_second,
            cpu_ns_per_publish: 1.0,
            median_ms: 1.0,
            p99_ms,
            longest_ms: 99.0,
        }
    }

    #[test]
    fn bounds_hold_up_to_their_values() {
        let outcomes = |rate, p99| {
            let verdicts = judge(&sample(rate, p99));
            verdicts
                .iter()
                .map(|verdict| verdict.outcome)
                .collect::<Vec<_>>()
        };
        assert_eq!(outcomes(40_000.0, 9.99), [Outcome::Met, Outcome::Met]);
        assert_eq!(outcomes(39_999.0, 10.0), [Outcome::Missed, Outcome::Missed]);
    }

    #[test]
    fn each_figure_has_a_median_of_its_own() {
        let samples = [sample(1.0, 9.0), sample(2.0, 8.0), sample(3.0, 1.0)];
        let median = Sample::median(&samples).expect("a median");
        assert_eq!((median.per_second, median.p99_ms), (2.0, 8.0));
        assert!(Sample::median(&[]).is_none());
    }
}
