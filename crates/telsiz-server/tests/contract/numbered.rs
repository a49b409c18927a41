//! `numbered`: plain-text chat, the server numbers its clients. English always.

use crate::harness::{Client, Server};

async fn joined(server: &Server, number: u32) -> Client {
    let mut client = server.open("/numbered?lang=tr").await;
    let welcome = format!("Welcome to chat! Your ID: {number}");
    assert_eq!(client.text().await, welcome);
    client
}

#[tokio::test]
async fn clients_are_numbered_announced_and_quoted() {
    let server = Server::start("");
    let mut first = joined(&server, 1).await;
    let mut second = joined(&server, 2).await;
    assert_eq!(first.text().await, "User 2 joined");
    first.send("merhaba ğ").await;
    assert_eq!(second.text().await, "[1] merhaba ğ");
    second.send("").await;
    assert_eq!(first.text().await, "[2] ");
}

#[tokio::test]
async fn the_others_hear_who_left_however_it_happened_and_numbers_never_return() {
    let server = Server::start("");
    let mut witness = joined(&server, 1).await;
    let polite = joined(&server, 2).await;
    assert_eq!(witness.text().await, "User 2 joined");
    polite.leave().await;
    assert_eq!(witness.text().await, "User 2 left");

    let mut binary = joined(&server, 3).await;
    assert_eq!(witness.text().await, "User 3 joined");
    binary.send(vec![0]).await;
    assert_eq!(binary.closed().await.code().get(), 1003);
    assert_eq!(witness.text().await, "User 3 left");

    let mut oversized = joined(&server, 4).await;
    assert_eq!(witness.text().await, "User 4 joined");
    let told = oversized.ask(&"x".repeat(65_537)).await;
    assert_eq!(told, r#"{"error":"Message too large","max_size":65536}"#);
    assert_eq!(oversized.closed().await.code().get(), 1009);
    assert_eq!(witness.text().await, "User 4 left");

    let lost = server.open_bare("/numbered");
    assert_eq!(witness.text().await, "User 5 joined");
    drop(lost);
    assert_eq!(witness.text().await, "User 5 left");

    let _newcomer = joined(&server, 6).await;
}
