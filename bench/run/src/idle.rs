//! Resident memory of idle connections: the slope between few and many, so that what a server takes once and for all
//! does not count.

use load::{Cell, Crowd, Script, Waiting, Work, echo_once, open, process};

use crate::Error;
use crate::child::{Child, Given};
use crate::options::Options;
use crate::peer::{Mode, Peer};
use crate::pin;
use crate::report::{Failure, Idle, Member, Report};

const FEW: usize = 2_000;
const MANY: usize = 15_000;

/// The message that is echoed once on each connection, and the one with compression.
const ECHOES: [(Mode, Cell); 2] = [
    (Mode::Plain, Cell::new(128, 1, 1)),
    (Mode::Deflate, Cell::of(Work::Json, 1024, 1, 1)),
];

/// Measures each server, started anew so that nothing it did before counts, and fills the report.
pub(crate) fn run(
    options: &Options,
    peers: &[&'static Peer],
    report: &mut Report,
) -> Result<(), Error> {
    for (mode, cell) in ECHOES {
        let script = Script::new(options.kind.into(), cell);
        for peer in peers.iter().filter(|peer| peer.flags(mode).is_some()) {
            let slope = |echo| slope(options, peer, mode, &script, echo);
            match slope(false).and_then(|fresh| Ok((fresh, slope(true)?))) {
                Ok((fresh, after_echo)) => report.idle.push(Idle {
                    server: (*peer).into(),
                    mode,
                    fresh,
                    after_echo,
                }),
                Err(error) => report.failures.push(Failure {
                    server: peer.name,
                    during: match mode {
                        Mode::Deflate => "idle connections that compress".into(),
                        _ => "idle connections".into(),
                    },
                    error: error.to_string(),
                }),
            }
        }
    }
    Ok(())
}

/// Bytes per connection, with or without an echo on each.
fn slope(
    options: &Options,
    peer: &'static Peer,
    mode: Mode,
    script: &Script,
    echo: bool,
) -> Result<f64, Error> {
    pin::to(options.places.server_cpu)?;
    let server = Child::start(peer, mode, Given::default(), &options.places)?;
    pin::to(options.places.load_cpu)?;
    let mut connections = Vec::with_capacity(MANY);
    let mut grow = |count: usize| -> Result<f64, Error> {
        let first = connections.len();
        connections.extend(open(&server.target, script.offer(), count - first)?);
        if echo {
            echo_once(&mut connections[first..], script)?;
        }
        Ok(process::resident(server.pid())? as f64)
    };
    let few = grow(FEW)?;
    let many = grow(MANY)?;
    Ok((many - few) / (MANY - FEW) as f64)
}

/// A process may often open no more than 20,000 files.
const MANY_MEMBERS: usize = 18_000;

/// Measures what a connection takes that has joined a room, all in the same one, and fills the report.
pub(crate) fn rooms(
    options: &Options,
    peers: &[&'static Peer],
    frame: usize,
    report: &mut Report,
) -> Result<(), Error> {
    for peer in peers {
        match member(options, peer, frame) {
            Ok(bytes) => report.members.push(Member {
                server: (*peer).into(),
                bytes,
            }),
            Err(error) => report.failures.push(Failure {
                server: peer.name,
                during: "idle members of a room".into(),
                error: error.to_string(),
            }),
        }
    }
    Ok(())
}

/// Bytes per member.
fn member(options: &Options, peer: &'static Peer, frame: usize) -> Result<f64, Error> {
    let given = Given {
        frame,
        ..Given::default()
    };
    pin::to(options.places.server_cpu)?;
    let server = Child::start(peer, Mode::Rooms, given, &options.places)?;
    pin::to(options.places.load_cpu)?;
    let mut crowd = Crowd::new(&server.target, Waiting::Asleep)?;
    let mut grow = |count: usize| -> Result<f64, Error> {
        crowd.grow(count, |_| "genel".into())?;
        Ok(process::resident(server.pid())? as f64)
    };
    let few = grow(FEW)?;
    let many = grow(MANY_MEMBERS)?;
    Ok((many - few) / (MANY_MEMBERS - FEW) as f64)
}
