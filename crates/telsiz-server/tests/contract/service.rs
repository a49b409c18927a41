//! What a service manager (systemd) hands over, and what it is told.
#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::{env, fs, process};

use crate::harness::{PATIENCE, Server, serve, telsiz};

/// A process that has `socket` as its files from 3 on: so many of them.
fn with_sockets(socket: &TcpListener, count: usize, arguments: &str) -> Command {
    // The number of the process stands beside them, and is known only in it.
    let files: String = (3..3 + count).map(|file| format!(" {file}<&0")).collect();
    let script = format!("LISTEN_PID=$$ LISTEN_FDS={count} exec \"$0\" \"$@\"{files} 0</dev/null");
    let socket: OwnedFd = socket.try_clone().expect("a copy").into();
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .arg(telsiz().get_program())
        .args(serve(arguments))
        .stdin(Stdio::from(socket));
    command
}

#[tokio::test]
async fn it_serves_the_socket_that_was_handed_over_and_who_waits_there_already() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = socket.local_addr().expect("an address");
    let early = tokio::spawn(telsiz::connect(format!("ws://{address}/")).into_future());
    let mut server = Server::of(&mut with_sockets(&socket, 1, "echo --listen 127.0.0.1:1"));
    assert_eq!(server.address(), address, "whatever it was told besides");
    let mut early = crate::harness::Client(early.await.expect("no panic").expect("a connection"));
    assert_eq!(early.ask("x").await, "x");
    server.signal("TERM");
    assert_eq!(early.closed().await.code().get(), 1012);
    assert_eq!(server.ended().await.code(), Some(0));
    // It is still the manager's.
    socket.set_nonblocking(true).expect("a socket");
    let nobody = socket.accept().expect_err("nobody waits");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn more_than_one_socket_is_told() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut started = with_sockets(&socket, 2, "echo");
    let output = started.output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("2 sockets were handed over"), "{said}");
}

#[tokio::test]
async fn the_manager_is_told_when_it_listens_reads_its_configuration_and_stops() {
    let path = |name: &str| env::temp_dir().join(format!("telsiz-{}-{name}", process::id()));
    let (socket, config) = (path("notify.socket"), path("notify.toml"));
    fs::write(&config, "lang = \"en\"\n").expect("written");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager
        .set_read_timeout(Some(PATIENCE))
        .expect("a time-out");
    let told = || {
        let mut bytes = [0; 256];
        let len = manager.recv(&mut bytes).expect("told in time");
        String::from_utf8(bytes[..len].to_vec()).expect("text")
    };
    let arguments = format!("echo --config {}", config.display());
    let variables = [("NOTIFY_SOCKET", socket.to_str().expect("text"))];
    let mut server = Server::with(&arguments, "127.0.0.1:0", &variables);
    assert_eq!(told().trim_end(), "READY=1");
    for bad in ["", "lang = 1\n"] {
        fs::write(&config, bad).expect("written");
        server.signal("HUP");
        let reloading = told();
        let time = reloading
            .trim_end()
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time: u64 = time.expect("both").parse().expect("a number");
        assert!(time > 0);
        assert_eq!(
            told().trim_end(),
            "READY=1",
            "whether it could be read or not"
        );
    }
    server.signal("TERM");
    assert_eq!(told().trim_end(), "STOPPING=1");
    assert_eq!(server.ended().await.code(), Some(0));
    for path in [socket, config] {
        fs::remove_file(path).expect("removed");
    }
}
