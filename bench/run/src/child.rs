//! A server under measurement, as a child process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use load::Target;

use crate::Error;
use crate::certificate::Certificate;
use crate::options::Places;
use crate::peer::{ADDRESS, CERTIFICATE, DATA, FRAME, Home, KEY, Mode, Peer, Port};

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running server. It is killed when this is dropped.
pub(crate) struct Child {
    pub(crate) peer: &'static Peer,
    pub(crate) mode: Mode,
    pub(crate) target: Target,
    process: Process,
}

/// What stands for words in the arguments of some servers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Given<'a> {
    /// For a mode with TLS.
    pub(crate) certificate: Option<&'a Certificate>,
    /// How long a delivered message has to be.
    pub(crate) frame: usize,
    /// Where messages are stored.
    pub(crate) data: Option<&'a Path>,
}

/// The part that kills, so that no early return forgets to.
struct Process(process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Neither can fail in a way that matters: it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Child {
    /// Starts a server on the processor that this thread runs on and waits until it accepts connections.
    pub(crate) fn start(
        peer: &'static Peer,
        mode: Mode,
        given: Given<'_>,
        places: &Places,
    ) -> Result<Self, Error> {
        Self::start_inner(peer, mode, given, places)
            .map_err(|error| format!("{}: {error}", peer.name).into())
    }

    fn start_inner(
        peer: &'static Peer,
        mode: Mode,
        given: Given<'_>,
        places: &Places,
    ) -> Result<Self, Error> {
        let flags = peer.flags(mode).ok_or("it cannot do that")?;
        let certificate = given.certificate.filter(|_| mode == Mode::Tls);
        let asked = match peer.port {
            Port::Printed => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            Port::Given => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?,
        };
        let mut command = Command::new("setpriv");
        // The kernel ends the server should this program be killed.
        command.args(["--pdeathsig", "KILL", "--"]);
        if peer.home == Home::Node {
            command.arg("node");
        }
        command.arg(places.binary(peer));
        for arg in peer.args.iter().chain(flags) {
            match (*arg, certificate) {
                (ADDRESS, _) => command.arg(asked.to_string()),
                (FRAME, _) => command.arg(given.frame.to_string()),
                (DATA, _) => command.arg(given.data.ok_or("it needs a place for its data")?),
                (CERTIFICATE, Some(certificate)) => command.arg(&certificate.chain),
                (KEY, Some(certificate)) => command.arg(&certificate.key),
                _ => command.arg(arg),
            };
        }
        command.stdin(Stdio::null());
        command.stdout(match peer.port {
            Port::Printed => Stdio::piped(),
            Port::Given => Stdio::null(),
        });
        let child = command
            .spawn()
            .map_err(|error| format!("setpriv (of util-linux) cannot be run: {error}"))?;
        let mut process = Process(child);
        let address = match process.0.stdout.take() {
            Some(stdout) => {
                let mut line = String::new();
                BufReader::new(stdout).read_line(&mut line)?;
                line.trim()
                    .parse()
                    .map_err(|_| format!("it printed {line:?} instead of its address"))?
            }
            None => asked,
        };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = process.0.try_wait()? {
                return Err(format!("it ended with {status}").into());
            }
            if start.elapsed() > PATIENCE {
                return Err("it accepts no connection".into());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self {
            peer,
            mode,
            target: Target {
                address,
                tls: certificate.map(|certificate| certificate.trust.clone()),
            },
            process,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.0.id()
    }
}
