//! The files that may be open: how many, and what is done when there are no more.

use std::io::Read;
use std::process::Command;

use telsiz::ConnectError;

use crate::harness::{Client, PATIENCE, Server};

/// What the banner says of the limit of open files, and of the connections that it leaves room for.
fn room(server: &Server) -> (u64, u64) {
    let line = server
        .banner
        .lines()
        .find(|line| line.contains("limit of open files"));
    let line = line.expect(&server.banner);
    let mut numbers = line
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok());
    let connections = numbers.next().expect("a number");
    (numbers.next().expect("a number"), connections)
}

#[tokio::test]
async fn the_limit_is_raised_as_far_as_is_allowed_and_told() {
    let ask = Command::new("sh").args(["-c", "ulimit -Hn"]).output();
    let hard = String::from_utf8(ask.expect("it runs").stdout).expect("text");
    let hard = hard.trim().parse().expect("a number");
    assert!(hard > 300, "this test needs more");
    for (ulimit, limit) in [("-Sn 300", hard), ("-n 300", 300)] {
        let server = Server::limited(ulimit, "--lang en --workers 1");
        let (told, connections) = room(&server);
        assert_eq!(told, limit, "{ulimit}");
        assert!(
            connections < limit && connections > limit - 60,
            "{connections}"
        );
    }
    let server = Server::limited("-n 300", "--lang en --max-connections 17");
    assert_eq!(room(&server), (300, 17));
    let server = Server::limited("-n 300", "--lang tr");
    assert!(server.banner.contains("açık dosya sınırı: 300"));
}

#[tokio::test]
async fn there_is_room_for_as_many_as_the_banner_says() {
    let server = Server::limited("-n 100", "--lang en --workers 2");
    let (_, connections) = room(&server);
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(server.open("/echo").await);
    }
    // And for requests besides.
    assert_eq!(server.get("/health").status, 200);
}

#[tokio::test]
async fn when_no_more_files_may_be_open_who_comes_gets_503_and_others_are_served() {
    let server = Server::limited("-n 80", "--lang en --workers 2");
    let mut open = Vec::new();
    let refused = loop {
        match telsiz::connect(server.url("/echo")).await {
            Ok(ws) => open.push(Client(ws)),
            Err(error) => break error,
        }
        assert!(open.len() < 80, "it may open 80 files");
    };
    let ConnectError::Rejected(response) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert!(response.headers().contains_key("retry-after"));
    let said = server.logged("cannot accept connections");
    assert!(said.contains("ERROR"), "{said}");

    // Who says nothing is not left hanging either.
    let mut silent = server.tcp();
    silent.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let mut answer = String::new();
    silent
        .read_to_string(&mut answer)
        .expect("an answer and the end");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");

    for client in &mut open {
        assert_eq!(client.ask("still").await, "still");
    }
    open.truncate(open.len() - 2);
    let mut again = loop {
        match telsiz::connect(server.url("/echo")).await {
            Ok(ws) => break Client(ws),
            Err(error) => assert!(matches!(error, ConnectError::Rejected(_)), "{error:?}"),
        }
    };
    assert_eq!(again.ask("again").await, "again");
}
