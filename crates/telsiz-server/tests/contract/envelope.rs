//! `envelope`: `{type, payload}` in both directions: commands, topics, sensors. English always.

use serde_json::{Value, json};
use telsiz::Message;

use crate::harness::{Client, Server};

fn envelope(kind: &str, payload: Value) -> Value {
    json!({"type": kind, "payload": payload})
}

fn error(message: &str) -> Value {
    envelope("error", json!({ "message": message }))
}

fn not_found(message: &str) -> Value {
    envelope("error", json!({"code": 404, "message": message}))
}

async fn subscribed(server: &Server, topic: &str) -> Client {
    let mut client = server.open("/envelope?lang=tr").await;
    subscribe(&mut client, topic).await;
    client
}

async fn subscribe(client: &mut Client, topic: &str) {
    let payload = json!({ "topic": topic });
    let answer = client
        .ask_json(&envelope("subscribe", payload.clone()))
        .await;
    assert_eq!(answer, envelope("subscribed", payload));
}

/// Whatever was on the way has come when this is answered.
async fn hears_nothing(client: &mut Client) {
    assert_eq!(client.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
}

fn packed(temp: f32, humidity: f32, ts: i64) -> Vec<u8> {
    let numbers = [temp.to_be_bytes(), humidity.to_be_bytes()].concat();
    [numbers, ts.to_be_bytes().to_vec()].concat()
}

#[tokio::test]
async fn a_command_is_acknowledged_and_published() {
    let server = Server::start("");
    let mut listener = subscribed(&server, "commands").await;
    let mut client = server.open("/envelope").await;
    for target in [json!("lamp"), json!({"room": 5}), Value::Null] {
        let command = json!({"action": "on", "target": target});
        let ack = client.ask_json(&envelope("command", command.clone())).await;
        assert_eq!(
            ack,
            envelope("ack", json!({"action": "on", "status": "ok"}))
        );
        let event = envelope("event", json!({"topic": "commands", "data": command}));
        assert_eq!(listener.json().await, event);
    }
    for payload in [json!({"target": "lamp"}), json!({"action": 5}), json!({})] {
        let answer = client.ask_json(&envelope("command", payload)).await;
        assert_eq!(answer, not_found("Unknown command"));
    }
    let answer = client.ask_json(&json!({"type": "command"})).await;
    assert_eq!(answer, not_found("Unknown command"));
    hears_nothing(&mut listener).await;
}

#[tokio::test]
async fn what_is_published_comes_to_who_subscribed_and_to_nobody_else() {
    let server = Server::start("");
    let mut news = subscribed(&server, "haber").await;
    let mut other = subscribed(&server, "spor").await;
    let mut publisher = server.open("/envelope").await;
    for data in [json!("Merhaba ğ"), json!({"a": [1.5, null]}), Value::Null] {
        let payload = json!({"topic": "haber", "data": data});
        publisher
            .send_json(&envelope("publish", payload.clone()))
            .await;
        assert_eq!(news.json().await, envelope("event", payload));
    }
    hears_nothing(&mut publisher).await;
    hears_nothing(&mut other).await;

    subscribe(&mut publisher, "haber").await;
    let payload = json!({"topic": "haber", "data": 1});
    let back = publisher
        .ask_json(&envelope("publish", payload.clone()))
        .await;
    assert_eq!(back, envelope("event", payload.clone()));
    assert_eq!(news.json().await, envelope("event", payload));

    let topic = json!({"topic": "haber"});
    let answer = news.ask_json(&envelope("unsubscribe", topic.clone())).await;
    assert_eq!(answer, envelope("unsubscribed", topic));
    let payload = json!({"topic": "haber", "data": 2});
    publisher.ask_json(&envelope("publish", payload)).await;
    hears_nothing(&mut news).await;
}

#[tokio::test]
async fn data_comes_as_it_was_written() {
    let server = Server::start("");
    let mut client = subscribed(&server, "t").await;
    let sent =
        r#"{"type":"publish","payload":{"data":{"b":1.50,"a":12345678901234567890},"topic":"t"}}"#;
    let expected =
        r#"{"type":"event","payload":{"topic":"t","data":{"b":1.50,"a":12345678901234567890}}}"#;
    assert_eq!(client.ask(sent).await, expected);
}

#[tokio::test]
async fn all_is_what_is_meant_without_a_topic_and_hears_everything_once() {
    let server = Server::start("");
    let mut all = server.open("/envelope").await;
    let answer = all.ask(r#"{"type":"subscribe"}"#).await;
    assert_eq!(answer, r#"{"type":"subscribed","payload":{"topic":"all"}}"#);
    subscribe(&mut all, "haber").await;
    let mut publisher = server.open("/envelope").await;
    for topic in ["haber", "spor", "all"] {
        let payload = json!({"topic": topic, "data": topic});
        publisher
            .send_json(&envelope("publish", payload.clone()))
            .await;
        assert_eq!(all.json().await, envelope("event", payload));
    }
    let command = envelope("command", json!({"action": "a"}));
    assert_eq!(publisher.ask_json(&command).await["type"], "ack");
    assert_eq!(all.json().await["payload"]["topic"], "commands");
    publisher.send(packed(1.5, 2.5, 3)).await;
    assert_eq!(all.json().await["type"], "sensor");
    let answer = all.ask(r#"{"type":"unsubscribe","payload":{}}"#).await;
    assert_eq!(
        answer,
        r#"{"type":"unsubscribed","payload":{"topic":"all"}}"#
    );
    publisher
        .send_json(&envelope("publish", json!({"topic": "spor"})))
        .await;
    hears_nothing(&mut publisher).await;
    hears_nothing(&mut all).await;
    publisher
        .send_json(&envelope("publish", json!({"topic": "haber"})))
        .await;
    assert_eq!(all.json().await["type"], "event");
}

#[tokio::test]
async fn a_sensor_comes_unchanged_to_who_subscribed_to_sensors() {
    let server = Server::start("");
    let mut listener = subscribed(&server, "sensors").await;
    let mut sensor = server.open("/envelope").await;
    let sent = r#"{"type":"sensor","payload":{"temp":21.50,"unit":"C","ts":"2026-01-01","place":"mutfak"}}"#;
    sensor.send(sent).await;
    assert_eq!(listener.text().await, sent);
    hears_nothing(&mut sensor).await;
}

#[tokio::test]
async fn a_packed_sensor_comes_as_json_or_packed_as_was_asked_for() {
    let server = Server::start("");
    let mut as_json = subscribed(&server, "sensors").await;
    let mut all = subscribed(&server, "all").await;
    let mut as_packed = server.open("/envelope").await;
    let asked = json!({"topic": "sensors", "format": "binary"});
    let answer = as_packed.ask_json(&envelope("subscribe", asked)).await;
    assert_eq!(answer, envelope("subscribed", json!({"topic": "sensors"})));
    subscribe(&mut as_packed, "all").await;
    let mut sensor = server.open("/envelope").await;
    sensor.send(packed(21.1, 45.0, 1_714_557_600_000)).await;
    let expected = r#"{"type":"sensor","payload":{"temp":21.1,"humidity":45.0,"unit":"C","ts":1714557600000}}"#;
    assert_eq!(as_json.text().await, expected);
    assert_eq!(all.text().await, expected);
    let bytes = packed(21.1, 45.0, 1_714_557_600_000);
    assert_eq!(as_packed.next().await, Message::Binary(bytes.into()));
    // What came as JSON goes on as JSON, and once.
    let sent = r#"{"type":"sensor","payload":{"temp":1}}"#;
    sensor.send(sent).await;
    assert_eq!(as_packed.text().await, sent);
    subscribe(&mut as_packed, "sensors").await;
    sensor.send(packed(0.0, 0.0, 0)).await;
    assert_eq!(as_packed.json().await["type"], "sensor");
    hears_nothing(&mut as_packed).await;
}

#[tokio::test]
async fn what_is_wrong_is_told_in_english_and_the_connection_stays() {
    let server = Server::start("");
    let mut client = server.open("/envelope?lang=tr").await;
    let name = "expected a text of 1 to 128 characters without control characters";
    for (sent, expected) in [
        ("no json", error("Invalid JSON")),
        ("{", error("Invalid JSON")),
        ("[]", error("Invalid JSON: expected a JSON object")),
        (r#"{"type":"radio"}"#, not_found("Unknown type: radio")),
        ("{}", error("type: expected a text")),
        (r#"{"type":5}"#, error("type: expected a text")),
        (
            r#"{"type":"subscribe","payload":5}"#,
            error("payload: expected a JSON object"),
        ),
        (
            r#"{"type":"subscribe","payload":{"topic":5}}"#,
            error(&format!("topic: {name}")),
        ),
        (
            r#"{"type":"subscribe","payload":{"topic":""}}"#,
            error(&format!("topic: {name}")),
        ),
        (
            r#"{"type":"subscribe","payload":{"format":"xml"}}"#,
            error("format: expected one of json, binary"),
        ),
        (
            r#"{"type":"publish","payload":{"data":1}}"#,
            error(&format!("topic: {name}")),
        ),
        (
            r#"{"type":"sensor","payload":{"temp":"hot","unit":5}}"#,
            error("temp: expected a number; unit: expected a text"),
        ),
        (r#"{"type":"sensor"}"#, error("temp: expected a number")),
    ] {
        client.send(sent).await;
        assert_eq!(client.json().await, expected, "{sent}");
    }
    for bytes in [vec![], vec![0; 15], vec![0; 17]] {
        client.send(bytes).await;
        assert_eq!(
            client.json().await,
            error("Invalid packet: expected 16 bytes")
        );
    }
    client.send(packed(f32::NAN, 0.0, 0)).await;
    assert_eq!(
        client.json().await,
        error("Invalid packet: expected two finite numbers")
    );
    hears_nothing(&mut client).await;
}

#[tokio::test]
async fn a_connection_may_subscribe_to_1000_topics() {
    let server = Server::start("");
    let mut client = server.open("/envelope").await;
    for number in 0..1_000 {
        subscribe(&mut client, &number.to_string()).await;
    }
    let one_more = envelope("subscribe", json!({"topic": "1000"}));
    let told = client.ask_json(&one_more).await;
    let expected = "topic: a connection may subscribe to 1000 topics; unsubscribe from one first";
    assert_eq!(told, error(expected));
    // Again is not one more.
    subscribe(&mut client, "999").await;
    client
        .ask_json(&envelope("unsubscribe", json!({"topic": "0"})))
        .await;
    assert_eq!(client.ask_json(&one_more).await["type"], "subscribed");
    // Another has topics of its own.
    subscribed(&server, "0").await;
}

#[tokio::test]
async fn who_left_is_forgotten() {
    let server = Server::start("");
    let mut stays = subscribed(&server, "t").await;
    let left = subscribed(&server, "t").await;
    left.leave().await;
    // It may get the place that is free now, but not what came there.
    let mut newcomer = server.open("/envelope").await;
    for number in 0..3 {
        let payload = json!({"topic": "t", "data": number});
        stays.send_json(&envelope("publish", payload.clone())).await;
        assert_eq!(stays.json().await, envelope("event", payload));
    }
    hears_nothing(&mut newcomer).await;
}
