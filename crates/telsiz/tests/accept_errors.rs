//! A server that runs out of file descriptors says so to who comes, does not spin, and
//! serves again.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::http::Answer;
use common::raw::request;
use common::soon;
use telsiz::ConnectError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The test runs its own binary again under a limit, as the server.
const AS_SERVER: &str = "TELSIZ_TEST_AS_SERVER";

#[test]
fn the_server_under_a_limit() {
    if std::env::var_os(AS_SERVER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let server = common::server::Running::echo().await;
        println!("listening on {}", server.address);
        // It ends with whoever started it.
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        ended.await.unwrap().unwrap();
    });
}

/// The server's process; killed when dropped.
struct Limited(Child);

impl Limited {
    /// Starts one that may open `files` files.
    fn start(files: u32) -> (Self, SocketAddr) {
        let test = std::env::current_exe().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\"")])
            .arg(test)
            .args(["--exact", "the_server_under_a_limit", "--nocapture"])
            .env(AS_SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let this = Self(child);
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
        (this, address.expect("an address").parse().unwrap())
    }

    /// The processor time that it used.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields: Vec<&str> = fields.split(' ').collect();
        // utime and stime, in hundredths of a second.
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn too_many_open_files_are_told_to_who_comes_and_survived_without_spinning() {
    let (server, address) = tokio::task::spawn_blocking(|| Limited::start(40))
        .await
        .unwrap();
    let connect = || telsiz::connect(format!("ws://{address}/")).open_timeout(None);
    let mut first = soon(connect()).await.unwrap();
    let mut open = Vec::new();
    let refused = loop {
        match soon(connect()).await {
            Ok(ws) => open.push(ws),
            Err(error) => break error,
        }
        assert!(open.len() < 40, "it may open 40 files");
    };
    assert!(is_503(&refused), "{refused:?}");
    // What had said something already, and what says nothing, is answered too.
    let mut silent = soon(TcpStream::connect(address)).await.unwrap();
    let mut asking = soon(TcpStream::connect(address)).await.unwrap();
    asking.write_all(request("/", "").as_bytes()).await.unwrap();
    for tcp in [&mut silent, &mut asking] {
        let answer = soon(Answer::read(tcp)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert_eq!(soon(tcp.read(&mut [0])).await.unwrap(), 0, "and the end");
    }

    // Nobody stops it from serving who is connected, and it waits for the next to come.
    let before = server.cpu();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        soon(first.send("still")).await.unwrap();
        assert_eq!(soon(first.recv()).await.unwrap(), Some("still".into()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let used = server.cpu() - before;
    assert!(
        used < Duration::from_millis(400),
        "{used:?} of processor time in 2 s"
    );
    let refused = soon(connect()).await.expect_err("still none");
    assert!(is_503(&refused), "{refused:?}");

    // As soon as one has gone there is a place again.
    drop(open);
    let mut ws = loop {
        match soon(connect()).await {
            Ok(ws) => break ws,
            Err(error) => assert!(is_503(&error), "{error:?}"),
        }
    };
    soon(ws.send("again")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("again".into()));
}

#[tokio::test]
async fn many_that_come_at_once_and_say_nothing_do_not_hold_up_the_answers_for_long() {
    let (_server, address) = tokio::task::spawn_blocking(|| Limited::start(40))
        .await
        .unwrap();
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(soon(TcpStream::connect(address)).await.unwrap());
    }
    let connect = telsiz::connect(format!("ws://{address}/")).open_timeout(None);
    let refused = soon(connect).await.expect_err("they are before it");
    assert!(is_503(&refused), "{refused:?}");
}

fn is_503(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Rejected(response) if response.status() == 503)
}
