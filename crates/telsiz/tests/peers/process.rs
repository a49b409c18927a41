//! Starting the peers.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use telsiz::{Connect, WebSocket};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::common::certificates::Certificates;
use crate::common::soon;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Python,
    Node,
}

/// A server in a process of its own, which ends with this.
pub(crate) struct Peer {
    port: u16,
    certificates: Option<Certificates>,
    _process: Child,
    _output: BufReader<ChildStdout>,
    /// Where certificate and key lie.
    folder: PathBuf,
}

fn interop() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop")
}

impl Kind {
    /// The command that starts it, if it is installed.
    fn command(self) -> Option<Command> {
        let servers = interop().join("servers");
        let (interpreter, server, installed) = match self {
            Self::Python => {
                let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
                let python = target.join("tools/interop-python/bin/python");
                let installed = python.exists();
                (python, servers.join("py_websockets.py"), installed)
            }
            Self::Node => {
                let runs = std::process::Command::new("node").arg("--version").output();
                let installed = runs.is_ok() && interop().join("node_modules/ws").exists();
                ("node".into(), servers.join("node_ws.js"), installed)
            }
        };
        let mut command = Command::new(interpreter);
        command.arg(server).arg("--until-stdin-ends");
        installed.then_some(command)
    }
}

impl Peer {
    /// Starts it; `None`, and a message, if it is not installed.
    pub(crate) async fn start(kind: Kind, tls: bool) -> Option<Self> {
        let Some(mut command) = kind.command() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "{kind:?} is not installed: run `cargo xtask test rust`"
            );
            println!("SKIPPED: {kind:?} is not installed; `cargo xtask test rust` installs it");
            return None;
        };
        let test = std::thread::current().name()?.replace("::", "-");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peer-{test}"));
        let certificates = tls.then(Certificates::new);
        if let Some(certificates) = &certificates {
            let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&chain, &certificates.chain).unwrap();
            std::fs::write(&key, &certificates.key).unwrap();
            command.arg("--cert").arg(chain).arg("--key").arg(key);
        }
        let mut process = command
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take()?);
        let mut line = String::new();
        soon(output.read_line(&mut line)).await.unwrap();
        Some(Self {
            port: line.trim().parse().expect("its first line is the port"),
            certificates,
            _process: process,
            _output: output,
            folder,
        })
    }

    pub(crate) fn client(&self, path: &str) -> Connect {
        let port = self.port;
        match &self.certificates {
            Some(certificates) => {
                let uri = format!("wss://127.0.0.1:{port}{path}");
                telsiz::connect(uri).tls(certificates.client())
            }
            None => telsiz::connect(format!("ws://127.0.0.1:{port}{path}")),
        }
    }

    pub(crate) async fn connect(&self, path: &str) -> WebSocket {
        soon(self.client(path)).await.expect("it accepts")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
