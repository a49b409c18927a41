//! The rounds: every server under every load, again and again, so that what the machine does meanwhile hits all alike.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use load::{Cell, Error as LoadError, Script, process};

use crate::Error;
use crate::child::Child;
use crate::machine;
use crate::options::Options;
use crate::report::{CellReport, Failure, Report, Sample};

/// Before each measurement, not counted.
const WARM_UP: Duration = Duration::from_millis(50);

/// Measures and fills the report. The floor comes first among the servers.
pub(crate) fn run(
    options: &Options,
    cells: &[Cell],
    servers: &[Child],
    report: &mut Report,
) -> Result<(), Error> {
    let cpus = Occupied::now(options, servers)?;
    let (floor, others) = servers.split_first().ok_or("no server to measure")?;
    let scripts: Vec<Script> = cells
        .iter()
        .map(|cell| Script::new(options.kind.into(), cell.size, cell.in_flight))
        .collect();
    // By cell, then by server, the floor first.
    let mut samples = vec![vec![Vec::new(); servers.len()]; cells.len()];
    for round in 0..options.rounds {
        for ((cell, script), samples) in cells.iter().zip(&scripts).zip(&mut samples) {
            let measure = |server: &Child| {
                progress(options, round, *cell, server.peer.name);
                load::echo(
                    server.address,
                    server.pid(),
                    *cell,
                    script,
                    WARM_UP,
                    options.duration(),
                    options.waiting(),
                )
                .map(|measured| Sample::new(round, measured))
            };
            let at_floor = |error: LoadError| format!("{} at {cell}: {error}", floor.peer.name);
            let first = measure(floor).map_err(at_floor)?;
            let mut order: Vec<usize> = (0..others.len()).collect();
            fastrand::shuffle(&mut order);
            for index in order {
                let server = &others[index];
                match measure(server) {
                    Ok(sample) => samples[index + 1].push(sample),
                    Err(error) => {
                        let failure = Failure {
                            server: server.peer.name,
                            during: format!("{cell}, round {}", round + 1),
                            error: error.to_string(),
                        };
                        eprintln!("\n{} at {}: {error}", failure.server, failure.during);
                        report.failures.push(failure);
                    }
                }
            }
            let last = measure(floor).map_err(at_floor)?;
            samples[0].push(first.mean(last));
        }
    }
    progress_end();
    report.others = cpus.by_others(&Occupied::now(options, servers)?);
    for (cell, samples) in cells.iter().zip(samples) {
        let mut all = CellReport {
            cell: *cell,
            servers: Vec::new(),
        };
        let floor = samples[0].clone();
        for (server, samples) in servers.iter().zip(samples) {
            all.add(server.peer.into(), &floor, samples);
        }
        report.cells.push(all);
    }
    Ok(())
}

/// Who has had the two processors up to a moment.
struct Occupied {
    when: Instant,
    all: Duration,
    measured: Duration,
}

impl Occupied {
    fn now(options: &Options, servers: &[Child]) -> Result<Self, Error> {
        let mut measured = process::cpu_time(std::process::id())?;
        for server in servers {
            // One that died is a failure already.
            measured += process::cpu_time(server.pid()).unwrap_or_default();
        }
        Ok(Self {
            when: Instant::now(),
            all: machine::busy([options.server_cpu, options.load_cpu])?,
            measured,
        })
    }

    /// The share of the two processors that went neither to the servers nor to the load from then to a later moment.
    fn by_others(&self, later: &Self) -> f64 {
        let all = later.all.saturating_sub(self.all);
        let others = all.saturating_sub(later.measured.saturating_sub(self.measured));
        let capacity = later.when.duration_since(self.when) * 2;
        others.as_secs_f64() / capacity.as_secs_f64()
    }
}

fn progress(options: &Options, round: u32, cell: Cell, server: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let rounds = options.rounds;
        // A progress line that cannot be written is no reason to stop.
        let _ = write!(
            err,
            "\r\x1b[Kround {} of {rounds}  {cell}  {server}",
            round + 1
        );
        let _ = err.flush();
    }
}

fn progress_end() {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K");
    }
}
