//! `echo`: every text and binary message comes back unchanged.

use telsiz::Message;

use crate::harness::Server;

#[tokio::test]
async fn every_message_comes_back_unchanged_and_in_its_kind() {
    let server = Server::start("");
    let mut client = server.open("/echo").await;
    for message in [
        Message::text("günaydın 📻"),
        Message::binary(vec![0, 255]),
        Message::text(""),
        Message::binary(Vec::new()),
        Message::text("x".repeat(65_536)),
        Message::binary(vec![7; 65_536]),
    ] {
        client.send(message.clone()).await;
        assert_eq!(client.next().await, message);
    }
}

#[tokio::test]
async fn fragments_come_back_as_one_message() {
    let server = Server::start("echo");
    let mut client = server.open("/").await;
    for (fragment, last) in [("mer", false), ("", false), ("haba", true)] {
        let sent = client.0.send_fragment(fragment, last).await;
        sent.expect("sent");
    }
    assert_eq!(client.text().await, "merhaba");
}

#[tokio::test]
async fn an_oversized_message_is_told_and_closed_with_1009() {
    let server = Server::start("");
    let mut client = server.open("/echo").await;
    let told = client.ask(&"x".repeat(65_537)).await;
    assert_eq!(told, r#"{"error":"Message too large","max_size":65536}"#);
    assert_eq!(client.closed().await.code().get(), 1009);
}

#[tokio::test]
async fn the_limits_are_those_of_the_flags() {
    let server = Server::start("--max-message-size 10 --max-fragments 2");
    let mut client = server.open("/echo").await;
    for text in ["123456789", "1234567890"] {
        assert_eq!(client.ask(text).await, text);
    }
    let told = client.ask("12345678901").await;
    assert_eq!(told, r#"{"error":"Message too large","max_size":10}"#);
    assert_eq!(client.closed().await.code().get(), 1009);

    let mut client = server.open("/echo").await;
    for more in [1, 2, 3] {
        for number in 0..=more {
            let sent = client.0.send_fragment("x", number == more).await;
            sent.expect("sent");
        }
    }
    assert_eq!(client.text().await, "xx");
    assert_eq!(client.text().await, "xxx");
    assert_eq!(client.closed().await.to_string(), "1008 Too many fragments");
}
