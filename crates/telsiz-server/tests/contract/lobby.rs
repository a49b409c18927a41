//! `lobby`: one room, nicknames, flat messages.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

fn flat(kind: &str, nick: &str, text: &str) -> Value {
    json!({"type": kind, "nick": nick, "text": text})
}

fn error(text: &str) -> Value {
    flat("error", "server", text)
}

/// Joins; the welcome says that so many are there.
async fn joined(server: &Server, nick: &str, count: usize) -> Client {
    let mut client = server.open("/chat").await;
    let info = client.ask_json(&flat("join", nick, "")).await;
    let welcome = format!("Hoşgeldin {nick}! Odada {count} kişi var.");
    assert_eq!(info, flat("info", "server", &welcome));
    client
}

#[tokio::test]
async fn who_joins_is_welcomed_and_announced_and_who_leaves_is_too() {
    let server = Server::start("");
    let mut ahmet = joined(&server, "ahmet", 1).await;
    let ayse = joined(&server, "ayşe", 2).await;
    assert_eq!(ahmet.json().await, flat("join", "ayşe", ""));
    ayse.leave().await;
    assert_eq!(ahmet.json().await, flat("leave", "ayşe", ""));

    let mut lost = server.open("/chat").await;
    lost.send_json(&flat("join", "kayıp", "")).await;
    assert_eq!(ahmet.json().await, flat("join", "kayıp", ""));
    lost.send(vec![0]).await;
    assert_eq!(ahmet.json().await, flat("leave", "kayıp", ""));
    assert_eq!(lost.ended().await.code().get(), 1003);
}

#[tokio::test]
async fn fields_come_in_the_order_of_the_contract() {
    let server = Server::start("");
    let mut client = server.open("/chat").await;
    let info = client.ask(r#"{"nick":"a"}"#).await;
    let expected = r#"{"type":"info","nick":"server","text":"Hoşgeldin a! Odada 1 kişi var."}"#;
    assert_eq!(info, expected);
    let chat = client.ask(r#"{"type":"chat","text":"Merhaba!"}"#).await;
    assert_eq!(chat, r#"{"type":"chat","nick":"a","text":"Merhaba!"}"#);
}

#[tokio::test]
async fn a_chat_goes_to_everyone_with_the_nick_of_the_connection() {
    let server = Server::start("");
    let mut ahmet = joined(&server, "ahmet", 1).await;
    let mut ayse = joined(&server, "ayşe", 2).await;
    ahmet.json().await;
    for (sent, text) in [
        (flat("chat", "somebody else", "Merhaba!"), "Merhaba!"),
        (json!({"type": "chat"}), ""),
        (
            json!({"type": "chat", "text": "ğ".repeat(500)}),
            &"ğ".repeat(500),
        ),
        (
            json!({"type": "chat", "text": "ğ".repeat(501)}),
            &"ğ".repeat(500),
        ),
    ] {
        ayse.send_json(&sent).await;
        for client in [&mut ahmet, &mut ayse] {
            assert_eq!(client.json().await, flat("chat", "ayşe", text));
        }
    }
}

#[tokio::test]
async fn nicks_are_trimmed_and_cut_and_never_empty() {
    let server = Server::start("");
    for (nick, becomes) in [
        (json!("  ali \n"), "ali"),
        (json!("ğ".repeat(21)), &*"ğ".repeat(20)),
        (json!("   "), "anonim"),
        (json!(""), "anonim"),
        (json!(null), "anonim"),
    ] {
        let mut client = server.open("/chat").await;
        let join = json!({"type": "join", "nick": nick});
        let info = client.ask_json(&join).await;
        let welcome = format!("Hoşgeldin {becomes}! Odada 1 kişi var.");
        assert_eq!(info["text"], welcome);
        // Its nick is free again once it has left.
        let mut witness = joined(&server, "tanık", 2).await;
        client.leave().await;
        assert_eq!(witness.json().await, flat("leave", becomes, ""));
        witness.leave().await;
        while server.get("/").json()["connected_clients"] != 0 {}
    }
}

#[tokio::test]
async fn a_nick_that_is_taken_is_refused_and_its_holder_notices_nothing() {
    let server = Server::start("");
    let mut holder = joined(&server, "ahmet", 1).await;
    for (query, said) in [
        ("", "'ahmet' takma adı zaten kullanımda."),
        ("?lang=en", "The nick 'ahmet' is already in use."),
    ] {
        let mut second = server.open(&format!("/chat{query}")).await;
        assert_eq!(
            second.ask_json(&flat("join", " ahmet", "")).await,
            error(said)
        );
        assert_eq!(second.closed().await.to_string(), "1008 Nick taken");
    }
    let chat = holder
        .ask_json(&json!({"type": "chat", "text": "here"}))
        .await;
    assert_eq!(chat, flat("chat", "ahmet", "here"));
}

#[tokio::test]
async fn whoever_says_something_else_first_is_told_to_join() {
    let server = Server::start("");
    let said = r#"Önce odaya katılın: {"type":"join","nick":"…"}"#;
    for first in [
        r#"{"type":"chat","text":"a"}"#,
        r#"{"type":"x"}"#,
        "no json",
        "[]",
    ] {
        let mut client = server.open("/chat").await;
        // Signs of life are no first message.
        assert_eq!(client.ask(r#"{"type":"ping"}"#).await, r#"{"type":"pong"}"#);
        client.send(r#"{"type":"heartbeat"}"#).await;
        client.send(first).await;
        assert_eq!(client.json().await, error(said), "{first}");
        assert_eq!(
            client.closed().await.to_string(),
            "1008 Join first",
            "{first}"
        );
    }
}

#[tokio::test]
async fn a_nick_with_control_characters_is_refused() {
    let server = Server::start("--lang en");
    let mut client = server.open("/chat").await;
    let said = "nick: expected a text without control characters";
    assert_eq!(
        client.ask_json(&flat("join", "a\u{7}b", "")).await,
        error(said)
    );
    assert_eq!(client.closed().await.to_string(), "1008 Invalid nick");
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_language_of_the_reader_and_the_connection_stays() {
    let server = Server::start("");
    for (lang, said) in [
        (
            "tr",
            [
                "nick: bir metin bekleniyordu",
                "Odaya zaten katıldınız",
                "JSON formatında mesaj göndermelisiniz",
                "bir JSON nesnesi bekleniyordu",
                "type: join, chat, ping değerlerinden biri bekleniyordu",
                "text: bir metin bekleniyordu",
            ],
        ),
        (
            "en",
            [
                "nick: expected a text",
                "You have joined already",
                "Messages must be JSON",
                "expected a JSON object",
                "type: expected one of join, chat, ping",
                "text: expected a text",
            ],
        ),
    ] {
        let mut client = server.open(&format!("/chat?lang={lang}")).await;
        let [nick, rest @ ..] = said;
        let told = client.ask_json(&json!({"type": "join", "nick": 5})).await;
        assert_eq!(told, error(nick));
        let info = client.ask_json(&flat("join", lang, "")).await;
        assert_eq!(info["type"], "info");
        let sent = [
            r#"{"type":"join","nick":"b"}"#,
            "no json",
            "5",
            r#"{"type":"x"}"#,
        ];
        let sent = sent.into_iter().chain([r#"{"type":"chat","text":5}"#]);
        for (sent, said) in sent.zip(rest) {
            client.send(sent).await;
            assert_eq!(client.json().await, error(said), "{sent}");
        }
        client.leave().await;
    }
}

#[tokio::test]
async fn english_welcomes_count_too() {
    let server = Server::start("lobby --lang en");
    let mut first = server.open("/").await;
    let info = first.ask_json(&flat("join", "a", "")).await;
    assert_eq!(info["text"], "Welcome a! There is 1 person in the room.");
    let mut second = server.open("/?lang=en").await;
    let info = second.ask_json(&flat("join", "b", "")).await;
    assert_eq!(info["text"], "Welcome b! There are 2 people in the room.");
}

#[tokio::test]
async fn above_500_nobody_hears_who_comes_and_goes() {
    let server = Server::start("");
    let mut first = joined(&server, "0", 1).await;
    let mut others = Vec::new();
    for number in 1..500 {
        others.push(joined(&server, &number.to_string(), number + 1).await);
        assert_eq!(first.json().await, flat("join", &number.to_string(), ""));
    }
    let beyond = joined(&server, "500", 501).await;
    beyond.leave().await;
    while server.get("/").json()["connected_clients"] != 500 {}
    // 500 are left: the next to leave is announced.
    let last = others.pop().expect("somebody");
    last.leave().await;
    assert_eq!(first.json().await, flat("leave", "499", ""));
}
