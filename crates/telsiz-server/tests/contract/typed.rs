//! `typed`: validated messages, each answered by itself. The schema is tested beside the code.

use serde_json::{Value, json};

use crate::harness::Server;

fn chat() -> Value {
    json!({"type": "chat", "room_id": "genel", "user_id": "u1", "username": "Ayşe", "message": "Merhaba!"})
}

#[tokio::test]
async fn each_message_is_answered_to_its_sender_alone() {
    let server = Server::start("");
    let mut client = server.open("/typed").await;
    let mut other = server.open("/typed").await;
    let mut answer = client.ask_json(&chat()).await;
    assert!(answer["timestamp"].take().is_string());
    let mut expected = chat();
    expected["timestamp"] = Value::Null;
    assert_eq!(answer, expected);
    let joined = client.ask(r#"{"type":"join_room","room_id":"a"}"#).await;
    assert_eq!(
        joined,
        r#"{"type":"system","message":"a odasına katılma işlemi başarılı","level":"info"}"#
    );
    // Nothing came to the other before this.
    assert_eq!(other.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
}

#[tokio::test]
async fn an_error_names_the_fields_and_leaves_the_connection_open() {
    let server = Server::start("typed");
    let mut client = server.open("/").await;
    let answer = client
        .ask_json(&json!({"type": "chat", "message": " "}))
        .await;
    let errors = answer["errors"].as_array().expect("errors");
    let fields: Vec<_> = errors.iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["room_id", "user_id", "username", "message"]);
    assert_eq!(errors[3]["expected"], "Mesaj boş olamaz");
    assert_eq!(
        client.ask("no json").await,
        r#"{"type":"system","message":"Geçersiz mesaj formatı","level":"error","errors":[]}"#
    );
    assert_eq!(client.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
}

#[tokio::test]
async fn signs_of_life_are_accepted_silently() {
    let server = Server::start("typed");
    let mut client = server.open("/").await;
    client.send(r#"{"type":"heartbeat"}"#).await;
    client.send(r#"{"type":"pong"}"#).await;
    assert_eq!(client.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
}

#[tokio::test]
async fn the_language_is_that_of_the_query_else_of_the_flag() {
    let server = Server::start("--lang en");
    let invalid = async |path| {
        let answer = server.open(path).await.ask_json(&json!({})).await;
        answer["message"].clone()
    };
    assert_eq!(invalid("/typed").await, "Invalid message format");
    assert_eq!(invalid("/typed?lang=tr").await, "Geçersiz mesaj formatı");
    assert_eq!(invalid("/typed?lang=xx").await, "Invalid message format");
}

#[tokio::test]
async fn a_binary_message_is_closed_with_1003() {
    let server = Server::start("");
    let mut client = server.open("/typed").await;
    client.send(vec![b'{', b'}']).await;
    assert_eq!(client.closed().await.code().get(), 1003);
}

#[tokio::test]
async fn an_oversized_message_is_told_in_the_apps_own_shape_too() {
    let server = Server::start("");
    let mut client = server.open("/typed").await;
    let told: Value = serde_json::from_str(&client.ask(&"x".repeat(65_537)).await).expect("JSON");
    let expected = json!({
        "type": "system", "level": "error", "message": "Mesaj çok büyük: en çok 65536 bayt",
        "error": "Message too large", "max_size": 65_536,
    });
    assert_eq!(told, expected);
    assert_eq!(client.closed().await.code().get(), 1009);
}
