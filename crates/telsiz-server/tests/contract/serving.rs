//! What `telsiz serve` serves where, and what it says when it cannot.

use std::process::Output;

use crate::harness::{Server, telsiz};

#[tokio::test]
async fn it_prints_what_is_where_in_the_language_of_the_flag() {
    for (flag, about, stop) in [
        (
            "tr",
            "her mesaj olduğu gibi geri gelir",
            "Durdurmak için: Ctrl-C",
        ),
        (
            "en",
            "every message comes back unchanged",
            "To stop it: Ctrl-C",
        ),
    ] {
        let server = Server::start(&format!("--lang {flag}"));
        let banner = &server.banner;
        assert!(
            banner.contains(&format!("http://{}/", server.address())),
            "{banner}"
        );
        assert!(banner.contains(about) && banner.contains(stop), "{banner}");
        assert!(
            banner.contains(&format!("telsiz connect {}", server.url("/echo"))),
            "{banner}"
        );
        for (pattern, app) in [
            ("/echo", "echo"),
            ("/broadcast", "broadcast"),
            ("/ws", "relay"),
            ("/numbered", "numbered"),
            ("/typed", "typed"),
        ] {
            let row = banner
                .lines()
                .find(|line| line.trim().starts_with(&format!("{pattern} ")));
            assert!(row.is_some_and(|row| row.contains(app)), "{banner}");
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_accepted_and_closed_with_1008() {
    let server = Server::start("");
    for path in ["/", "/nowhere", "/echo/more", "/echo/"] {
        let frame = server.open(path).await.closed().await;
        assert_eq!(frame.to_string(), "1008 Unknown endpoint", "{path}");
    }
}

#[tokio::test]
async fn an_app_alone_is_served_on_every_path() {
    let server = Server::start("echo");
    for path in ["/", "/echo", "/ws/chat/genel?user_id=1", "/numbered"] {
        let mut client = server.open(path).await;
        assert_eq!(client.ask(path).await, path);
    }
    let server = Server::start("numbered");
    let mut client = server.open("/").await;
    assert_eq!(client.text().await, "Welcome to chat! Your ID: 1");
}

#[tokio::test]
async fn connections_of_all_workers_hear_each_other() {
    let server = Server::start("broadcast --workers 3");
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(server.open("/").await);
    }
    for sender in 0..clients.len() {
        let text = format!("from {sender}");
        clients[sender].send(text.as_str()).await;
        for (index, client) in clients.iter_mut().enumerate() {
            if index != sender {
                assert_eq!(client.text().await, text);
            }
        }
    }
}

fn failed(arguments: &str) -> (Option<i32>, String) {
    let output: Output = telsiz()
        .args(arguments.split_whitespace())
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: "), "{said}");
    (output.status.code(), said)
}

#[test]
fn wrong_usage_is_told_in_one_line_with_exit_code_2() {
    for (arguments, named) in [
        (
            "serve radio",
            "echo, broadcast, relay, lobby, room, rooms, envelope, typed, numbered, stats",
        ),
        ("serve --tls-cert x.pem", "--tls-key"),
        ("serve --tls-key x.key", "--tls-cert"),
        ("serve --listen 8000", "HOST:PORT"),
        ("serve --lang de", "tr, en"),
        ("serve --workers 0", "--workers"),
        ("--frequency 27", "--frequency"),
        ("connect", "<URL>"),
        ("config", "init, check, show, schema"),
        ("connect http://localhost", "ws://"),
        ("connect -H novalue ws://localhost", "NAME: VALUE"),
    ] {
        let (code, said) = failed(arguments);
        assert_eq!(code, Some(2), "{arguments}");
        assert!(said.contains(named), "{said}");
    }
}

#[test]
fn a_port_in_use_is_told_with_another_to_choose() {
    let server = Server::start("echo");
    let address = server.address();
    let (code, said) = failed(&format!("serve --listen {address}"));
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("{address} is in use")), "{said}");
    assert!(said.contains("--listen 127.0.0.1:"), "{said}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_told() {
    let (code, said) = failed("serve --tls-cert /no/such.pem --tls-key /no/such.key");
    assert_eq!(code, Some(1));
    assert!(said.contains("--tls-cert /no/such.pem"), "{said}");
}
