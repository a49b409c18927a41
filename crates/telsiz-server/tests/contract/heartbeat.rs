//! Who is not there any more is found out, and so is who says nothing.

use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::configuration::file;
use crate::harness::{Client, PATIENCE, Server};
use crate::silent_proxy::SilentProxy;

/// Somebody vanishes without a word; the others hear of it, and nothing of it is left.
async fn vanishes(path: &str, enter: Option<Value>, left: Value) {
    let server = Server::start("--lang en --ping-interval 500ms --ping-timeout 2s");
    let proxy = SilentProxy::before(server.address()).await;
    let named = |name: &str| path.replace("NAME", name);
    let mut stays = server.open(&named("ada")).await;
    let mut vanishes = server.open_through(proxy.address, &named("bob")).await;
    for (client, name) in [(&mut stays, "ada"), (&mut vanishes, "bob")] {
        if let Some(enter) = &enter {
            let enter = enter.to_string().replace("NAME", name);
            client.send(enter).await;
            client.text().await;
        }
    }
    let in_rooms = || server.get("/api/stats").json();
    let before = in_rooms();
    assert_eq!(before["total_connections"], 2);
    proxy.fall_silent();
    let fell_silent = Instant::now();
    hears(&mut stays, &left).await;
    let elapsed = fell_silent.elapsed();
    // By default it would take 30 seconds at least.
    let expected = Duration::from_millis(1900)..Duration::from_secs(10);
    assert!(expected.contains(&elapsed), "{elapsed:?}");
    let waiting = async {
        while in_rooms()["total_connections"] != 1 {
            // Nothing here wakes us when it is counted.
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it is counted");
    let rooms = |stats: &Value| stats["rooms"]["r"].as_u64();
    assert_eq!(rooms(&in_rooms()), rooms(&before).map(|count| count - 1));
    // It never learned of it.
    drop(vanishes);
}

/// Whatever comes before it.
async fn hears(client: &mut Client, expected: &Value) {
    let waiting = async {
        loop {
            let message = client.json().await;
            let fields = expected.as_object().expect("fields");
            if fields.iter().all(|(name, value)| message[name] == *value) {
                return;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("it hears of it");
}

#[tokio::test]
async fn who_vanishes_has_left_the_room() {
    let path = "/ws/chat/r?user_id=NAME&username=NAME";
    let left = json!({"type": "user_left", "user_id": "bob", "room_id": "r"});
    vanishes(path, None, left).await;
}

#[tokio::test]
async fn who_vanishes_has_left_all_its_rooms() {
    let enter = json!({"type": "join_room", "room_id": "r"});
    let left = json!({"type": "system", "message": "bob left the room", "room_id": "r"});
    vanishes("/ws/NAME?username=NAME", Some(enter), left).await;
}

#[tokio::test]
async fn who_vanishes_has_left_the_lobby() {
    let enter = json!({"type": "join", "nick": "NAME"});
    let left = json!({"type": "leave", "nick": "bob", "text": ""});
    vanishes("/chat", Some(enter), left).await;
}

#[tokio::test]
async fn where_pings_are_off_there_are_none() {
    let path = file(
        "no_pings.toml",
        r#"
        ping_interval = "50ms"
        ping_timeout = "off"
        idle_timeout = "1s"

        [[mount]]
        path = "/pinged"
        app = "typed"

        [[mount]]
        path = "/left_alone"
        app = "typed"
        ping_interval = "off"
        "#,
    );
    let server = Server::start(&format!("--config {}", path.display()));
    for (path, is_pinged) in [("/pinged", true), ("/left_alone", false)] {
        let mut bare = server.open_bare(path);
        bare.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut read = Vec::new();
        // It answers nothing: that ends nothing either.
        while !read.ends_with(b"\x88\x0e\x03\xe9idle timeout") {
            let mut byte = [0];
            bare.read_exact(&mut byte).expect("a frame");
            read.extend(byte);
        }
        let head = read.windows(4).position(|four| four == b"\r\n\r\n");
        let frames = &read[head.expect("a head") + 4..read.len() - 16];
        assert_eq!(frames.starts_with(b"\x89\x00\x89\x00"), is_pinged, "{path}");
        assert_eq!(frames.is_empty(), !is_pinged, "{path}");
    }
}

#[tokio::test]
async fn who_says_nothing_is_closed_with_1001_on_mounts_that_say_so() {
    let path = file(
        "idle.toml",
        r#"
        idle_timeout = "1s"

        [[mount]]
        path = "/typed"
        app = "typed"

        [[mount]]
        path = "/echo"
        app = "echo"

        [[mount]]
        path = "/patient"
        app = "typed"
        idle_timeout = "off"
        "#,
    );
    let server = Server::start(&format!("--config {}", path.display()));
    let mut patient = server.open("/patient").await;
    let start = Instant::now();
    for path in ["/typed", "/echo"] {
        let before = Instant::now();
        let (mut silent, mut talks) = (server.open(path).await, server.open(path).await);
        let talking = async {
            loop {
                talks.ask(r#"{"type":"ping"}"#).await;
                sleep(Duration::from_millis(100)).await;
            }
        };
        let frame = tokio::select! {
            frame = silent.closed() => frame,
            () = talking => continue,
        };
        assert_eq!(frame.to_string(), "1001 idle timeout", "{path}");
        assert!(before.elapsed() >= Duration::from_secs(1), "{path}");
        // Who said something is still heard.
        talks.ask(r#"{"type":"ping"}"#).await;
    }
    assert!(start.elapsed() >= Duration::from_secs(2));
    assert_eq!(
        patient.ask_json(&json!({"type": "ping"})).await,
        json!({"type": "pong"})
    );
}

#[tokio::test]
async fn who_does_not_finish_closing_is_dropped() {
    let server = Server::start("--idle-timeout 100ms --close-timeout 200ms");
    let mut bare = server.open_bare("/echo");
    bare.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let (start, mut read) = (Instant::now(), Vec::new());
    // It reads to the end and answers nothing.
    bare.read_to_end(&mut read).expect("the end");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    assert!(read.ends_with(b"\x03\xe9idle timeout"));
    let _ = bare.shutdown(Shutdown::Both);
}

#[tokio::test]
async fn apps_that_speak_json_ping_so_when_they_are_told_to() {
    let path = file(
        "json_ping.toml",
        r#"
        json_ping = true

        [[mount]]
        path = "/typed"
        app = "typed"

        [[mount]]
        path = "/ws/{client_id}"
        app = "rooms"

        [[mount]]
        path = "/quiet"
        app = "typed"
        json_ping = false

        [[mount]]
        path = "/echo"
        app = "echo"
        "#,
    );
    let server = Server::start(&format!("--config {}", path.display()));
    for path in ["/typed", "/ws/ada"] {
        let mut client = server.open(path).await;
        assert_eq!(client.text().await, r#"{"type":"ping"}"#, "{path}");
        // Answers are taken in silence.
        client.send(r#"{"type":"pong"}"#).await;
        assert_eq!(client.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
    }
    let mut quiet = server.open("/quiet").await;
    assert_eq!(quiet.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
    assert_eq!(server.open("/echo").await.ask("x").await, "x");
}
