//! Measures servers against each other: see `bench/README.md`.

mod against;
mod bounds;
mod certificate;
mod child;
mod disk;
mod idle;
mod machine;
mod options;
mod peer;
mod pin;
mod publish;
mod report;
mod rounds;
mod select;
mod stats;
mod svg;
mod table;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use load::{Cell, Waiting, Work};

use crate::against::Earlier;
use crate::bounds::Verdict;
use crate::certificate::Certificate;
use crate::child::{Child, Given};
use crate::options::{Arguments, Fanout, Options, Other};
use crate::peer::{Mode, Peer, ROOMS};
use crate::report::Report;

type Error = Box<dyn std::error::Error>;

/// How long the peers make a delivered message if ours does not run, which is about as long.
const FRAME: usize = 330;

fn main() -> ExitCode {
    let Arguments { other, options } = Arguments::parse();
    let done = match &other {
        None => echoes(&options),
        Some(Other::Fanout(fanout)) => self::fanout(fanout),
        Some(Other::Publish(options)) => publish::run(options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing went wrong and, if asked for, all bounds are met.
fn echoes(options: &Options) -> Result<bool, Error> {
    let cells = select::cells(&options.cells, select::CELLS)?;
    let earlier = options.against.as_deref().map(Earlier::read).transpose()?;
    let peers = built(options, &cells)?;
    machine::raise_file_limit()?;
    let mut report = Report::new(options);

    let certificate = cells
        .iter()
        .any(|cell| cell.work == Work::Tls)
        .then(|| Certificate::create(&options.places.folder()))
        .transpose()?;
    let given = Given {
        certificate: certificate.as_ref(),
        ..Given::default()
    };
    measure(options, &cells, &peers, given, &mut report)?;
    drop(certificate);
    if options.idle() {
        idle::run(options, &peers, &mut report)?;
    }
    let mut verdicts = bounds::judge(&report);
    if let Some(earlier) = &earlier {
        verdicts.extend(earlier.judge(&report));
    }
    finish(options, report, verdicts)
}

/// The same of a fan-out.
fn fanout(fanout: &Fanout) -> Result<bool, Error> {
    let options = &fanout.options;
    let all = select::fanout_cells(fanout.members.into());
    let cells = select::cells(&options.cells, &all)?;
    let earlier = options.against.as_deref().map(Earlier::read).transpose()?;
    let peers = built(options, &cells)?;
    machine::raise_file_limit()?;
    let mut report = Report::new(options);

    let given = Given {
        frame: match fanout.frame {
            Some(frame) => frame,
            None => frame(options, &peers)?,
        },
        ..Given::default()
    };
    measure(options, &cells, &peers, given, &mut report)?;
    if options.idle() {
        idle::rooms(options, &peers, given.frame, &mut report)?;
    }
    let mut verdicts = bounds::judge_fanout(&report);
    if let Some(earlier) = &earlier {
        verdicts.extend(earlier.judge(&report));
    }
    finish(options, report, verdicts)
}

/// Runs the rounds with all servers that the cells need.
fn measure(
    options: &Options,
    cells: &[Cell],
    peers: &[&'static Peer],
    given: Given<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    // Children inherit the processor they are started on.
    pin::to(options.places.server_cpu)?;
    let servers = select::servers(peers, cells)
        .map(|(peer, mode)| Child::start(peer, mode, given, &options.places))
        .collect::<Result<Vec<_>, _>>()?;
    pin::to(options.places.load_cpu)?;
    rounds::run(options, cells, &servers, report)
}

/// How long a message is that ours delivers.
fn frame(options: &Options, peers: &[&'static Peer]) -> Result<usize, Error> {
    /// Of a frame between 126 bytes and 64 KiB.
    const HEADER: u64 = 4;
    let Some(peer) = peers.iter().find(|peer| peer.name == ROOMS) else {
        return Ok(FRAME);
    };
    let server = Child::start(peer, Mode::Rooms, Given::default(), &options.places)?;
    let moment = Duration::from_millis(20);
    let cell = Cell::of(Work::Fanout, 128, 1, 1);
    let (target, pid) = (&server.target, server.pid());
    let fanned = load::fanout(target, pid, cell, moment, moment, Waiting::Asleep)?;
    let mean = fanned.measured.bytes / fanned.measured.messages;
    Ok(usize::try_from(mean - HEADER)?)
}

/// Prints and writes what was found.
fn finish(options: &Options, mut report: Report, verdicts: Vec<Verdict>) -> Result<bool, Error> {
    report.verdicts = verdicts;
    print!("{}", table::render(&report, options.check));
    if let Some(file) = &options.json {
        fs::write(file, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    if let Some(file) = &options.svg {
        fs::write(file, svg::render(&report))?;
    }
    let whole = options.cells.is_empty() && options.servers.is_empty() && options.idle();
    Ok(report.failures.is_empty() && (!options.check || bounds::hold(&report.verdicts, whole)))
}

/// The servers that were chosen, as far as they are built.
fn built(options: &Options, cells: &[Cell]) -> Result<Vec<&'static Peer>, Error> {
    let mut built = Vec::new();
    for peer in select::peers(&options.servers, cells)? {
        if options.places.is_built(peer) {
            built.push(peer);
        } else if select::is_needed(peer, cells)
            || options.servers.iter().any(|name| name == peer.name)
        {
            return Err(format!("{} is not built: see bench/README.md", peer.name).into());
        } else {
            eprintln!("{} is not built and left out", peer.name);
        }
    }
    Ok(built)
}
