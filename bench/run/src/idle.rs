//! Resident memory of idle connections: the slope between few and many, so that what a server takes once and for all
//! does not count.

use load::{Script, echo_once, open, process};

use crate::Error;
use crate::child::Child;
use crate::options::Options;
use crate::peer::Peer;
use crate::pin;
use crate::report::{Failure, Idle, Report};

const FEW: usize = 2_000;
const MANY: usize = 15_000;

/// The message that is echoed once on each connection.
const SIZE: usize = 128;

/// Measures each server, started anew so that nothing it did before counts, and fills the report.
pub(crate) fn run(
    options: &Options,
    peers: &[&'static Peer],
    report: &mut Report,
) -> Result<(), Error> {
    let script = Script::new(options.kind.into(), SIZE, 1);
    for peer in peers {
        let measured = slope(options, peer, None)
            .and_then(|fresh| Ok((fresh, slope(options, peer, Some(&script))?)));
        match measured {
            Ok((fresh, after_echo)) => report.idle.push(Idle {
                server: (*peer).into(),
                fresh,
                after_echo,
            }),
            Err(error) => report.failures.push(Failure {
                server: peer.name,
                during: "idle connections".into(),
                error: error.to_string(),
            }),
        }
    }
    Ok(())
}

/// Bytes per connection, with an echo on each if there is a script.
fn slope(options: &Options, peer: &'static Peer, script: Option<&Script>) -> Result<f64, Error> {
    pin::to(options.server_cpu)?;
    let server = Child::start(peer, options)?;
    pin::to(options.load_cpu)?;
    let mut connections = Vec::with_capacity(MANY);
    let mut grow = |count: usize| -> Result<f64, Error> {
        let first = connections.len();
        connections.extend(open(server.address, count - first)?);
        if let Some(script) = script {
            echo_once(&mut connections[first..], script)?;
        }
        Ok(process::resident(server.pid())? as f64)
    };
    let few = grow(FEW)?;
    let many = grow(MANY)?;
    Ok((many - few) / (MANY - FEW) as f64)
}
