//! Starts the command and talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use serde_json::Value;
use telsiz::{CloseFrame, Message, WebSocket};
use tokio::time::timeout;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The command, without what the environment says.
pub(crate) fn telsiz() -> Command {
    as_ever(Command::new(env!("CARGO_BIN_EXE_telsiz")))
}

fn as_ever(mut command: Command) -> Command {
    let ours = env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("TELSIZ_")) {
        command.env_remove(name);
    }
    command
}

/// The arguments of `telsiz serve`.
pub(crate) fn serve(arguments: &str) -> impl Iterator<Item = &str> {
    // Servers of several tests must not want the same directory.
    let kept = arguments.contains("--data");
    let memory = (!kept).then_some("--memory");
    ["serve"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .chain(memory)
}

/// A running `telsiz serve`, which ends with the test.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// What it printed when it had started.
    pub(crate) banner: String,
    /// Kept open, for it may print more.
    _stdout: BufReader<ChildStdout>,
    /// The lines that it logs.
    log: mpsc::Receiver<String>,
}

impl Server {
    /// Starts one on a free port of loopback: `Server::start("echo --lang en")`.
    pub(crate) fn start(arguments: &str) -> Self {
        Self::with(arguments, "127.0.0.1:0", &[])
    }

    /// Starts one that listens there and finds these variables in its environment.
    pub(crate) fn with(arguments: &str, listen: &str, variables: &[(&str, &str)]) -> Self {
        Self::of(
            telsiz()
                .args(serve(arguments))
                .args(["--listen", listen])
                .envs(variables.iter().copied()),
        )
    }

    /// Starts one after `ulimit` with these arguments.
    pub(crate) fn limited(ulimit: &str, arguments: &str) -> Self {
        let script = format!("ulimit {ulimit} && exec \"$0\" \"$@\"");
        Self::of(
            as_ever(Command::new("sh"))
                .args(["-c", &script, env!("CARGO_BIN_EXE_telsiz")])
                .args(serve(arguments))
                .args(["--listen", "127.0.0.1:0"]),
        )
    }

    /// Starts what `command` starts.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("its output"));
        let mut banner = String::new();
        // The last line tells how to stop it.
        while !banner.contains("Ctrl-C") {
            let read = stdout.read_line(&mut banner).expect("a line");
            assert_ne!(read, 0, "the server ended; it said:\n{banner}");
        }
        let stderr = BufReader::new(child.stderr.take().expect("its log"));
        let (logged, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Nobody may want it.
                let _ = logged.send(line);
            }
        });
        let (_, rest) = banner.split_once("://").expect("an address");
        let (address, _) = rest.split_once('/').expect("an address");
        Self {
            child,
            address: address.parse().expect("an address"),
            banner,
            _stdout: stdout,
            log,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        address
    }

    /// The URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address())
    }

    /// Connects to `path`.
    pub(crate) async fn open(&self, path: &str) -> Client {
        let connect = telsiz::connect(self.url(path)).max_message_size(1 << 24);
        Client(connect.await.expect("a connection"))
    }

    /// Connects to `path` through something else that listens there.
    pub(crate) async fn open_through(&self, address: SocketAddr, path: &str) -> Client {
        Client(
            telsiz::connect(format!("ws://{address}{path}"))
                .await
                .expect("a connection"),
        )
    }

    /// How often clients hit a limit.
    pub(crate) fn limits_hit(&self, limit: &str) -> u64 {
        let metrics = self.get("/metrics").body;
        let start = format!("telsiz_limits_hit_total{{limit=\"{limit}\"}} ");
        let mut values = metrics.lines().filter_map(|line| line.strip_prefix(&start));
        let value = values.next().expect("a figure");
        value.parse().expect("a number")
    }

    /// Connects to `path` without a library: dropped, it is lost without a Close frame.
    pub(crate) fn open_bare(&self, path: &str) -> TcpStream {
        let mut stream = self.tcp();
        self.ask_to_upgrade(&mut stream, path, &[]);
        stream
    }

    /// What an upgrade of `path` is answered; its `Host` is that of the server unless `headers`
    /// have one.
    pub(crate) fn upgrade(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.upgrade_over(self.tcp(), path, headers).0
    }

    /// A bare connection.
    pub(crate) fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address()).expect("a connection")
    }

    /// The same over a connection that is there, which is open for as long as it is kept.
    pub(crate) fn upgrade_over(
        &self,
        mut stream: TcpStream,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (Reply, TcpStream) {
        self.ask_to_upgrade(&mut stream, path, headers);
        Self::answer_of(stream)
    }

    /// What an upgrade is answered that was asked for.
    pub(crate) fn answer_of(mut stream: TcpStream) -> (Reply, TcpStream) {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a reply");
            reply.extend(byte);
        }
        if !reply.starts_with(b"HTTP/1.1 101") {
            stream.read_to_end(&mut reply).expect("a reply");
        }
        let reply = Reply::parse(&String::from_utf8(reply).expect("text"));
        (reply, stream)
    }

    fn ask_to_upgrade(&self, stream: &mut TcpStream, path: &str, headers: &[(&str, &str)]) {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        self.add_headers(&mut request, headers);
        stream.write_all(request.as_bytes()).expect("sent");
        stream.write_all(b"\r\n").expect("sent");
    }

    /// Adds `headers` to a request, and a `Host` if there is none among them.
    fn add_headers(&self, request: &mut String, headers: &[(&str, &str)]) {
        let host = self.address().to_string();
        let has_host = headers.iter().any(|(name, _)| *name == "Host");
        let host = (!has_host).then_some(("Host", host.as_str()));
        for (name, value) in headers.iter().copied().chain(host) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
    }

    /// The next line of its log that says something about `what`.
    pub(crate) fn logged(&self, what: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("a line in time");
            if line.contains(what) {
                return line;
            }
        }
    }

    /// What it logged besides, until it ended.
    pub(crate) fn rest_of_log(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return lines,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it has not ended: {lines:?}"),
            }
        }
    }

    /// Sends it a signal: `TERM`, `INT`, `HUP` or `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        ended(&mut self.child).await
    }

    /// Sends a request over a connection of its own. Its `Host` is that of the server
    /// unless `headers` have one.
    pub(crate) fn http(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        self.http_over(self.tcp(), method, path, headers, body)
    }

    /// The same over a connection that is there.
    pub(crate) fn http_over(
        &self,
        mut stream: TcpStream,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        self.add_headers(&mut request, headers);
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("a reply");
        Reply::parse(&reply)
    }

    /// `GET path`.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.http("GET", path, &[], "")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status();
    assert!(status.expect("kill").success());
}

/// Waits until a process has ended.
pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    let waiting = async {
        loop {
            if let Some(status) = child.try_wait().expect("a status") {
                return status;
            }
            // Nothing here wakes us when a process ends.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("ended in time")
}

/// An HTTP answer.
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    head: String,
    /// The body.
    pub(crate) body: String,
}

impl Reply {
    fn parse(reply: &str) -> Self {
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status");
        Self {
            status: status.parse().expect("a status"),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The value of a header, whose name is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// What an error says.
    pub(crate) fn detail(&self) -> String {
        let detail = &self.json()["detail"];
        detail.as_str().expect("a detail").to_owned()
    }
}

/// A client that waits only so long.
pub(crate) struct Client(pub WebSocket);

impl Client {
    /// Sends a message.
    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.0.send(message.into()).await.expect("sent");
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Message {
        let message = timeout(PATIENCE, self.0.recv()).await.expect("in time");
        let message = message.expect("no error");
        message.unwrap_or_else(|| panic!("closed: {:?}", self.0.outcome()))
    }

    /// The next message, which must be text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// Sends a text; the text that comes next.
    pub(crate) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await
    }

    /// The same in JSON.
    pub(crate) async fn ask_json(&mut self, message: &Value) -> Value {
        self.send_json(message).await;
        self.json().await
    }

    /// The Close frame, which must come next.
    pub(crate) async fn closed(&mut self) -> CloseFrame {
        let message = timeout(PATIENCE, self.0.recv()).await.expect("in time");
        assert_eq!(message.expect("no error"), None);
        let outcome = self.0.outcome().expect("an outcome");
        outcome.received.expect("a Close frame")
    }

    /// The Close frame, whatever comes before it.
    pub(crate) async fn ended(&mut self) -> CloseFrame {
        while timeout(PATIENCE, self.0.recv())
            .await
            .expect("in time")
            .expect("no error")
            .is_some()
        {}
        let outcome = self.0.outcome().expect("an outcome");
        outcome.received.expect("a Close frame")
    }

    /// Sends JSON.
    pub(crate) async fn send_json(&mut self, message: &Value) {
        self.send(message.to_string()).await;
    }

    /// The next message, which must be JSON.
    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).expect("JSON")
    }

    /// Closes, politely.
    pub(crate) async fn leave(mut self) {
        let closing = self.0.close(telsiz::CloseCode::NORMAL);
        timeout(PATIENCE, closing).await.expect("in time");
    }
}
