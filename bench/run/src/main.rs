//! Measures the echo servers against each other: see `bench/README.md`.

mod against;
mod bounds;
mod certificate;
mod child;
mod idle;
mod machine;
mod options;
mod peer;
mod pin;
mod report;
mod rounds;
mod select;
mod stats;
mod svg;
mod table;

use std::fs;
use std::process::ExitCode;

use clap::Parser;
use load::{Cell, Work};

use crate::against::Earlier;
use crate::certificate::Certificate;
use crate::child::Child;
use crate::options::Options;
use crate::peer::Peer;
use crate::report::Report;

type Error = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing went wrong and, if asked for, all bounds are met.
fn run(options: &Options) -> Result<bool, Error> {
    let cells = select::cells(&options.cells)?;
    let earlier = options.against.as_deref().map(Earlier::read).transpose()?;
    let peers = built(options, &cells)?;
    machine::raise_file_limit()?;
    let mut report = Report::new(options);

    let certificate = cells
        .iter()
        .any(|cell| cell.work == Work::Tls)
        .then(|| Certificate::create(&options.folder()))
        .transpose()?;
    // Children inherit the processor they are started on.
    pin::to(options.server_cpu)?;
    let servers = select::servers(&peers, &cells)
        .map(|(peer, mode)| Child::start(peer, mode, certificate.as_ref(), options))
        .collect::<Result<Vec<_>, _>>()?;
    pin::to(options.load_cpu)?;
    rounds::run(options, &cells, &servers, &mut report)?;
    drop(servers);
    drop(certificate);
    if options.idle() {
        idle::run(options, &peers, &mut report)?;
    }

    report.verdicts = bounds::judge(&report);
    if let Some(earlier) = &earlier {
        report.verdicts.extend(earlier.judge(&report));
    }
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
        if options.is_built(peer) {
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
