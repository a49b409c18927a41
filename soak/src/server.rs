//! The server: the released command as a process of its own, started, stopped and killed.

use std::fs::{self, OpenOptions};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::http;
use crate::process::Held;

/// How long a start may take until the server is ready.
const START: Duration = Duration::from_secs(15);

/// How long a stop may take: the server waits 10 s for clients that do not answer.
const STOP: Duration = Duration::from_secs(15);

/// Ports that the kernel gives to no connection: otherwise a client that tries while the server is down could
/// take its port, or talk to itself.
const PORTS: std::ops::Range<u16> = 21_000..29_000;

/// The mounts: all apps where they usually are, and some with a limit to run into.
const CONFIGURATION: &str = r#"lang = "en"
workers = 4

[[mount]]
path = "/echo"
app = "echo"
[[mount]]
path = "/broadcast"
app = "broadcast"
[[mount]]
path = "/relay"
app = "relay"
[[mount]]
path = "/chat"
app = "lobby"
[[mount]]
path = "/ws/chat/{room_id}"
app = "room"
[[mount]]
path = "/ws/{client_id}"
app = "rooms"
[[mount]]
path = "/envelope"
app = "envelope"
[[mount]]
path = "/typed"
app = "typed"
[[mount]]
path = "/numbered"
app = "numbered"
[[mount]]
path = "/stats"
app = "stats"
[[mount]]
path = "/reject"
app = "echo"
rate_limit = "reject 20/10s"
[[mount]]
path = "/close"
app = "echo"
rate_limit = "close 20/10s"
[[mount]]
path = "/throttle"
app = "echo"
rate_limit = "throttle 10ms"
"#;

/// The server.
#[derive(Debug)]
pub(crate) struct Server {
    binary: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    child: Option<Child>,
}

impl Server {
    /// Prepares one that keeps its data and its log in `folder`.
    pub(crate) fn new(binary: &Path, folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("telsiz.toml"), CONFIGURATION)?;
        let first = u16::try_from(std::process::id() % u32::from(PORTS.end - PORTS.start));
        let first = PORTS.start + first.unwrap_or(0);
        let ports = (first..PORTS.end).chain(PORTS.start..first);
        let address = ports
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
            .find(|address| TcpListener::bind(address).is_ok())
            .ok_or_else(|| io::Error::other("no port is free"))?;
        Ok(Self {
            binary: binary.into(),
            folder: folder.into(),
            address,
            child: None,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&mut self) -> Result<(), String> {
        let told = |error: io::Error| format!("the server cannot be started: {error}");
        let mut options = OpenOptions::new();
        let log = options.create(true).append(true).open(self.log());
        let log = log.map_err(told)?;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TELSIZ_") {
                command.env_remove(name);
            }
        }
        command
            .args(["serve", "--listen", &self.address.to_string()])
            .arg("--config")
            .arg(self.folder.join("telsiz.toml"))
            .arg("--data")
            .arg(self.folder.join("data"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(told)?)
            .stderr(log)
            .kill_on_drop(true);
        self.child = Some(command.spawn().map_err(told)?);
        let deadline = Instant::now() + START;
        let patience = Duration::from_secs(1);
        loop {
            if let Some(status) = self.ended() {
                return Err(format!("the server ended at its start, with {status}"));
            }
            match http::ask(self.address, "GET", "/ready", "", patience).await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                _ if Instant::now() > deadline => {
                    return Err(format!("the server is not ready after {START:?}"));
                }
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// How it ended, if it did so by itself.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok()?
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> Result<(), String> {
        if let Some(mut child) = self.child.take() {
            let killed = child.kill().await;
            killed.map_err(|error| format!("the server cannot be killed: {error}"))?;
        }
        Ok(())
    }

    /// SIGTERM: it has to end in time, and well.
    pub(crate) async fn stop(&mut self) -> Result<Duration, String> {
        let Some(mut child) = self.child.take() else {
            return Ok(Duration::ZERO);
        };
        let begun = Instant::now();
        let id = child.id().unwrap_or_default().to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().await;
        signalled.map_err(|error| format!("the server cannot be told to stop: {error}"))?;
        match timeout(STOP, child.wait()).await {
            // 3: some clients did not answer in time, and here some never do.
            Ok(Ok(status)) if matches!(status.code(), Some(0 | 3)) => Ok(begun.elapsed()),
            Ok(Ok(status)) => Err(format!("told to stop, the server ended with {status}")),
            Ok(Err(error)) => Err(format!("nobody knows how the server ended: {error}")),
            Err(_) => Err(format!(
                "told to stop, the server still runs after {STOP:?}"
            )),
        }
    }

    /// What it holds now.
    pub(crate) fn held(&self) -> Result<Held, String> {
        let id = self.child.as_ref().and_then(Child::id);
        let held = id.map_or_else(|| Err(io::ErrorKind::NotFound.into()), Held::by);
        held.map_err(|error| format!("what the server holds cannot be told: {error}"))
    }

    /// The line of its log in which it panicked.
    pub(crate) fn panicked(&self) -> Option<String> {
        let log = self.read_log();
        let mut lines = log.lines();
        lines
            .find(|line| line.contains("panicked at"))
            .map(Into::into)
    }

    /// How many lines of its log are warnings, and how many errors.
    pub(crate) fn complaints(&self) -> (usize, usize) {
        let log = self.read_log();
        let of = |level: &str| log.lines().filter(|line| line.contains(level)).count();
        (of(" WARN "), of("ERROR "))
    }

    /// The end of its log.
    pub(crate) fn last_lines(&self) -> String {
        let log = self.read_log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn read_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }
}
