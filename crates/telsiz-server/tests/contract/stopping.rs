//! How a server stops.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::timeout;

use crate::harness::{PATIENCE, Server};
use crate::storage::{Directory, join, say};

/// More than a stop that has to wait for nobody takes, however busy the machine is; less than one that waits for its bound.
const AT_ONCE: Duration = Duration::from_secs(7);

/// Clients without a library, whose handshakes are done.
fn bare(server: &Server, path: impl Fn(usize) -> String, count: usize) -> Vec<TcpStream> {
    let mut clients: Vec<_> = (0..count)
        .map(|number| server.open_bare(&path(number)))
        .collect();
    for client in &mut clients {
        client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).expect("an answer");
            head.extend(byte);
        }
    }
    clients
}

/// Sends a text of less than 126 bytes, masked with zeros.
fn send(client: &mut TcpStream, text: &str) {
    let len = u8::try_from(text.len()).expect("short");
    let mut frame = vec![0x81, 0x80 | len, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    client.write_all(&frame).expect("sent");
}

#[tokio::test]
async fn a_signal_closes_every_connection_with_1012_and_ends_the_process() {
    for name in ["TERM", "INT"] {
        let mut server = Server::start("--workers 2");
        let mut clients = Vec::new();
        for path in ["/echo", "/broadcast", "/ws", "/typed"].repeat(2) {
            clients.push(server.open(path).await);
        }
        let mut numbered = server.open("/numbered").await;
        assert_eq!(numbered.text().await, "Welcome to chat! Your ID: 1");
        clients.push(numbered);
        server.signal(name);
        for mut client in clients {
            assert_eq!(client.closed().await.code().get(), 1012);
        }
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let mut server = Server::start("echo");
    // It never answers the close: nobody polls it.
    let _silent = server.open("/").await;
    let mut witness = server.open("/").await;
    server.signal("TERM");
    assert_eq!(witness.closed().await.code().get(), 1012);
    server.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(1));
}

#[tokio::test]
async fn while_connections_are_closed_one_by_one_who_wants_in_is_told_503_in_their_language() {
    let mut server = Server::start("--workers 1 --stop-window 10m");
    let mut first = server.open("/echo").await;
    let mut last = server.open("/echo").await;
    assert_eq!(server.get("/ready").status, 200);
    server.signal("TERM");
    assert_eq!(first.closed().await.code().get(), 1012);
    for (lang, detail) in [
        ("tr", "Sunucu duruyor. Birazdan yeniden deneyin."),
        ("en", "The server is stopping. Try again soon."),
    ] {
        let lang = [("Accept-Language", lang)];
        for refused in [
            server.upgrade("/echo", &lang),
            server.upgrade("/nowhere", &lang),
        ] {
            assert_eq!((refused.status, refused.detail().as_str()), (503, detail));
            assert_eq!(refused.header("retry-after"), Some("601"));
        }
    }
    let ready = server.get("/ready");
    assert_eq!(
        (ready.status, ready.header("retry-after")),
        (503, Some("601"))
    );
    assert_eq!(ready.json()["reasons"][0]["check"], "stopping");
    assert_eq!(server.get("/health").status, 200);
    assert_eq!(last.ask("x").await, "x");
    last.leave().await;
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn clients_that_never_answer_are_cut_off_when_the_time_is_over() {
    for workers in [1, 2] {
        let mut server = Server::start(&format!("--workers {workers} --stop-timeout 400ms"));
        let _silent = bare(&server, |_| "/echo".into(), 3);
        server.signal("TERM");
        let said = server.logged("cut off");
        assert!(
            said.contains("WARN") && said.contains("connections=3"),
            "{said}"
        );
        assert_eq!(server.ended().await.code(), Some(3));
    }
}

#[tokio::test]
async fn clients_that_vanish_as_it_stops_do_not_hold_it_up() {
    let mut server = Server::start("--workers 2");
    let mut clients = bare(&server, |number| format!("/ws/c{number}"), 1000);
    for (number, client) in clients.iter_mut().enumerate() {
        let room = number % 10;
        send(
            client,
            &format!(r#"{{"type":"join_room","room_id":"oda {room}"}}"#),
        );
    }
    // What they did not read makes the end of most of them a reset.
    let asked = Instant::now();
    let vanishing = std::thread::spawn(move || drop(clients));
    server.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    vanishing.join().expect("no panic");
}

#[tokio::test]
async fn in_the_middle_of_a_fan_out_everyone_is_closed_and_what_was_acknowledged_is_there() {
    let directory = Directory::new("fan-out");
    let data = format!(
        "rooms --workers 2 --rate-limit off --data {}",
        directory.0.display()
    );
    let mut server = Server::start(&data);
    let members = bare(&server, |number| format!("/ws/m{number}"), 200);
    for mut member in &members {
        let join = r#"{"type":"join_room","room_id":"genel"}"#;
        send(&mut member.try_clone().expect("a copy"), join);
        let mut heard = [0; 1];
        member.read_exact(&mut heard).expect("an answer");
    }
    let mut flooding = server.open("/ws/flood").await;
    join(&mut flooding).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let flood = tokio::spawn(async move {
        let mut acknowledged = json!(0);
        for number in 0.. {
            let message = json!({"type": "room_message", "room_id": "genel", "message": "x".repeat(500), "id": number});
            if flooding.0.send(message.to_string()).await.is_err() {
                break;
            }
            while let Ok(Some(answer)) = flooding.0.recv().await {
                let answer: serde_json::Value =
                    serde_json::from_str(answer.as_text().expect("text")).expect("JSON");
                if answer["type"] == "ok" {
                    acknowledged = answer["seq"].clone();
                    let _ = tell.send(());
                    break;
                }
            }
        }
        let code = flooding.0.outcome().expect("an outcome").received;
        (acknowledged, code.expect("a Close frame").code().get())
    });
    // Members read all the while, and go when they are told to.
    let readers: Vec<_> = members
        .into_iter()
        .map(|mut member| {
            std::thread::spawn(move || {
                let (mut heard, mut bytes) = (Vec::new(), [0; 4096]);
                while !heard.ends_with(&[0x88, 2, 0x03, 0xf4]) {
                    match member.read(&mut bytes).expect("no reset") {
                        0 => return false,
                        read => heard.extend(&bytes[..read]),
                    }
                }
                true
            })
        })
        .collect();
    for _ in 0..20 {
        let acknowledged = timeout(PATIENCE, told.recv()).await.expect("in time");
        acknowledged.expect("it goes on");
    }
    server.signal("TERM");
    let (acknowledged, code) = flood.await.expect("no panic");
    assert_eq!(code, 1012);
    assert_eq!(server.ended().await.code(), Some(0));
    for reader in readers {
        assert!(reader.join().expect("no panic"), "1012 comes last");
    }
    let server = Server::start(&data);
    let mut after = server.open("/ws/after").await;
    let newest = join(&mut after).await["seq"].as_u64().expect("a number");
    assert!(newest >= acknowledged.as_u64().expect("a number"));
}

/// What stands before the disk.
fn slow_disk(library: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract/slow_disk.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
    let done = cc.arg(library).arg(source).status();
    assert!(done.expect("a C compiler").success());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_slow_disk_holds_it_up_no_longer_than_the_bound_and_loses_nothing() {
    let directory = Directory::new("slow-disk");
    fs::create_dir_all(&directory.0).expect("a directory");
    let (library, slow) = (directory.0.join("slow.so"), directory.0.join("slow"));
    slow_disk(&library);
    let data = directory.0.join("data");
    let arguments = format!("rooms --stop-timeout 400ms --data {}", data.display());
    let variables = [("LD_PRELOAD", &library), ("SLOW_DISK", &slow)];
    let variables = variables.map(|(name, path)| (name, path.to_str().expect("text")));
    let mut server = Server::with(&arguments, "127.0.0.1:0", &variables);
    let mut client = server.open("/ws/a").await;
    join(&mut client).await;
    let first = say(&mut client, "stored").await;
    fs::write(&slow, "600").expect("written");
    let asked = Instant::now();
    server.signal("TERM");
    assert_eq!(client.ended().await.code().get(), 1012);
    assert!(
        server
            .logged("took longer than stop_timeout")
            .contains("WARN")
    );
    assert_eq!(server.ended().await.code(), Some(3));
    assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());

    let server = Server::start(&format!("rooms --data {}", data.display()));
    let mut client = server.open("/ws/b").await;
    let joined = join(&mut client).await;
    assert_eq!(
        (&joined["seq"], &joined["epoch"]),
        (&json!(1), &first["epoch"])
    );
}
