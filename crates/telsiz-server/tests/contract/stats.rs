//! `stats`: live figures of the machine and the server, once a second.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Client, Server};

#[track_caller]
fn are_figures(figures: &Value) {
    for percentage in ["cpu_usage", "memory_usage", "disk_usage"] {
        let value = figures[percentage].as_f64().expect("a number");
        assert!((0.0..=100.0).contains(&value), "{figures}");
    }
    for number in [
        "connections",
        "rooms",
        "messages_in_per_second",
        "messages_out_per_second",
    ] {
        assert!(figures[number].is_number(), "{figures}");
    }
    let time = figures["timestamp"].as_str().expect("a text");
    let shape = time.replace(|c: char| c.is_ascii_digit(), "d");
    assert_eq!(shape, "dddd-dd-ddTdd:dd:dd.dddZ");
}

/// The next message that is no figures.
async fn answer(client: &mut Client) -> Value {
    loop {
        let message = client.json().await;
        if message.get("cpu_usage").is_none() {
            return message;
        }
    }
}

#[tokio::test]
async fn figures_come_at_once_and_then_every_second() {
    let server = Server::start("");
    let start = Instant::now();
    let mut client = server.open("/metrics").await;
    are_figures(&client.json().await);
    assert!(
        start.elapsed() < Duration::from_millis(900),
        "{:?}",
        start.elapsed()
    );
    let first = Instant::now();
    for _ in 0..2 {
        are_figures(&client.json().await);
    }
    let two = first.elapsed();
    assert!(
        two > Duration::from_millis(1500) && two < Duration::from_millis(4000),
        "{two:?}"
    );
}

#[tokio::test]
async fn they_are_those_of_the_server() {
    let server = Server::start("");
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(server.open("/echo").await);
    }
    let mut client = server.open("/metrics").await;
    let figures = client.json().await;
    assert_eq!(
        (&figures["connections"], &figures["rooms"]),
        (&json!(4), &json!(0))
    );
    let [echo, ..] = &mut others[..] else {
        panic!("nobody");
    };
    for _ in 0..100 {
        echo.ask("a").await;
    }
    // Whichever second they fall into.
    for _ in 0..3 {
        let figures = client.json().await;
        if figures["messages_in_per_second"].as_f64() > Some(20.0) {
            assert!(
                figures["messages_out_per_second"].as_f64() > Some(20.0),
                "{figures}"
            );
            return;
        }
    }
    panic!("nothing was counted");
}

#[tokio::test]
async fn whoever_asks_for_something_is_told_that_there_is_nothing() {
    let server = Server::start("");
    for (lang, said) in [
        ("tr", "type: ping değerlerinden biri bekleniyordu"),
        ("en", "type: expected one of ping"),
    ] {
        let mut client = server.open(&format!("/metrics?lang={lang}")).await;
        client.send(r#"{"type":"cpu"}"#).await;
        assert_eq!(
            answer(&mut client).await,
            json!({"type": "error", "message": said})
        );
        client.send("no json").await;
        assert_eq!(answer(&mut client).await["type"], "error");
        client.send(r#"{"type":"ping"}"#).await;
        assert_eq!(answer(&mut client).await, json!({"type": "pong"}));
    }
}

#[tokio::test]
async fn alone_they_come_on_every_path() {
    let server = Server::start("stats");
    are_figures(&server.open("/").await.json().await);
}
