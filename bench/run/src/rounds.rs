//! The rounds: every server under every load, again and again, so that what the machine does meanwhile hits all alike.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use load::{Cell, Error as LoadError, Script, Work, process};

use crate::Error;
use crate::child::Child;
use crate::machine;
use crate::options::{Options, Places};
use crate::peer::{PEERS, Role, reference};
use crate::report::{CellReport, Failure, Report, Sample};

/// Before each measurement, not counted.
const WARM_UP: Duration = Duration::from_millis(50);

/// The share of the processors that other programs may take before the figures come with a warning.
pub(crate) const TOLERATED: f64 = 0.03;

/// Measures and fills the report.
pub(crate) fn run(
    options: &Options,
    cells: &[Cell],
    servers: &[Child],
    report: &mut Report,
) -> Result<(), Error> {
    let cpus = Occupied::now(&options.places, servers)?;
    let mut runs = cells
        .iter()
        .map(|cell| Run::new(options, *cell, servers))
        .collect::<Result<Vec<_>, _>>()?;
    for round in 0..options.rounds {
        for run in &mut runs {
            run.round(options, round, report)?;
        }
    }
    progress_end();
    report.others = cpus.by_others(&Occupied::now(&options.places, servers)?);
    report.cells.extend(runs.into_iter().map(Run::finish));
    Ok(())
}

/// A cell and all servers that do its work.
struct Run<'a> {
    cell: Cell,
    script: Script,
    /// What the others are divided by.
    reference: Lane<'a>,
    others: Vec<Lane<'a>>,
}

struct Lane<'a> {
    server: &'a Child,
    samples: Vec<Sample>,
}

impl<'a> Run<'a> {
    fn new(options: &Options, cell: Cell, servers: &'a [Child]) -> Result<Self, Error> {
        let lanes = servers
            .iter()
            .filter(|server| server.peer.mode(cell.work) == Some(server.mode))
            .map(|server| Lane {
                server,
                samples: Vec::new(),
            });
        let name = reference(cell);
        let (mut reference, others): (Vec<_>, Vec<_>) =
            lanes.partition(|lane| lane.server.peer.name == name);
        Ok(Self {
            cell,
            script: Script::new(options.kind.into(), cell).skimmed(options.skim),
            reference: reference.pop().ok_or("no server to measure")?,
            others,
        })
    }

    /// Every server once, in random order, the reference first and last.
    fn round(&mut self, options: &Options, round: u32, report: &mut Report) -> Result<(), Error> {
        let (cell, script) = (self.cell, &self.script);
        let measure = |server: &Child| {
            progress(options, round, cell, server.peer.name);
            measure(options, round, cell, script, server)
        };
        let reference = self.reference.server;
        let at_reference = |error: LoadError| format!("{} at {cell}: {error}", reference.peer.name);
        let first = measure(reference).map_err(at_reference)?;
        fastrand::shuffle(&mut self.others);
        let mut declined = Vec::new();
        for lane in &mut self.others {
            let name = lane.server.peer.name;
            match measure(lane.server) {
                Ok(sample) => lane.samples.push(sample),
                Err(LoadError::Declined(error)) if lane.server.peer.role == Role::Theirs => {
                    eprintln!("\n{name} is left out of {cell}: {error}");
                    declined.push(name);
                    report.left_out.push(Failure {
                        server: name,
                        during: cell.to_string(),
                        error,
                    });
                }
                Err(error) => {
                    let failure = Failure {
                        server: name,
                        during: format!("{cell}, round {}", round + 1),
                        error: error.to_string(),
                    };
                    eprintln!("\n{} at {}: {error}", failure.server, failure.during);
                    report.failures.push(failure);
                }
            }
        }
        self.others
            .retain(|lane| !declined.contains(&lane.server.peer.name));
        let last = measure(reference).map_err(at_reference)?;
        self.reference.samples.push(first.mean(last));
        Ok(())
    }

    fn finish(mut self) -> CellReport {
        let place = |lane: &Lane| {
            PEERS
                .iter()
                .position(|peer| peer.name == lane.server.peer.name)
        };
        self.others.sort_by_key(place);
        let mut report = CellReport::new(self.cell);
        let reference = self.reference.samples.clone();
        for lane in std::iter::once(self.reference).chain(self.others) {
            report.add(lane.server.peer.into(), &reference, lane.samples);
        }
        report
    }
}

fn measure(
    options: &Options,
    round: u32,
    cell: Cell,
    script: &Script,
    server: &Child,
) -> Result<Sample, LoadError> {
    let (target, pid) = (&server.target, server.pid());
    let (duration, waiting) = (options.duration(), options.waiting());
    match cell.work {
        Work::Open => load::handshakes(target, pid, cell, WARM_UP, duration, waiting)
            .map(|measured| Sample::new(round, measured)),
        Work::Echo | Work::Json | Work::Tls => {
            load::echo(target, pid, cell, script, WARM_UP, duration, waiting)
                .map(|measured| Sample::new(round, measured))
        }
        Work::Fanout => load::fanout(target, pid, cell, WARM_UP, duration, waiting)
            .map(|fanned| Sample::fanned(round, fanned)),
    }
}

/// Who has had the two processors up to a moment.
pub(crate) struct Occupied {
    when: Instant,
    all: Duration,
    measured: Duration,
}

impl Occupied {
    pub(crate) fn now(places: &Places, servers: &[Child]) -> Result<Self, Error> {
        let mut measured = process::cpu_time(std::process::id())?;
        for server in servers {
            // One that died is a failure already.
            measured += process::cpu_time(server.pid()).unwrap_or_default();
        }
        Ok(Self {
            when: Instant::now(),
            all: machine::busy([places.server_cpu, places.load_cpu])?,
            measured,
        })
    }

    /// The share of the two processors that went neither to the servers nor to the load from then to a later moment.
    pub(crate) fn by_others(&self, later: &Self) -> f64 {
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
