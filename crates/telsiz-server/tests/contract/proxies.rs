//! Behind proxies: what is believed of whom, and what is not allowed because of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{PATIENCE, Server, telsiz};

/// A connection that a proxy passes on from 192.0.2.`last`.
fn from(server: &Server, last: u8) -> TcpStream {
    let mut stream = server.tcp();
    let header = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..],
        &[192, 0, 2, last, 127, 0, 0, 1, 0x1f, 0x90, 0, 80],
    ];
    stream.write_all(&header.concat()).expect("sent");
    stream
}

/// One that a proxy opened for itself.
fn of_the_proxy(server: &Server) -> TcpStream {
    let mut stream = server.tcp();
    let header = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    stream.write_all(header).expect("sent");
    stream
}

const BEHIND_ONE: &str = "--trusted-proxies 127.0.0.1 --proxy-protocol on";

#[tokio::test]
async fn with_the_proxy_protocol_a_client_is_counted_where_it_comes_from() {
    let server = Server::start(&format!("{BEHIND_ONE} --max-connections-per-address 1"));
    let come = |last| server.upgrade_over(from(&server, last), "/echo", &[]);
    let (first, other) = (come(7), come(8));
    assert_eq!((first.0.status, other.0.status), (101, 101));
    assert_eq!(come(7).0.status, 503);
    // A client of its own says whatever it likes; it is no trusted proxy.
    let spoofed = [("X-Forwarded-For", "198.51.100.1")];
    let spoofing = server.upgrade_over(from(&server, 7), "/echo", &spoofed);
    assert_eq!(spoofing.0.status, 503);
}

#[tokio::test]
async fn a_proxy_behind_a_proxy_is_believed_too() {
    let flags = "--trusted-proxies 127.0.0.1 --trusted-proxies 192.0.2.0/24 --proxy-protocol on \
                 --max-connections-per-address 1";
    let server = Server::start(flags);
    let come = |last, client| {
        let header = [("X-Forwarded-For", client)];
        server.upgrade_over(from(&server, last), "/echo", &header)
    };
    let (first, other) = (come(7, "198.51.100.1"), come(7, "198.51.100.2"));
    assert_eq!((first.0.status, other.0.status), (101, 101));
    assert_eq!(come(8, "198.51.100.1").0.status, 503);
}

#[tokio::test]
async fn a_proxy_that_does_not_say_whose_connection_it_is_gets_no_answer() {
    let server = Server::start(BEHIND_ONE);
    for garbage in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\r\n\r\n\0\r\nQUIT\rxxxxx",
    ] {
        let mut stream = server.tcp();
        stream.write_all(garbage.as_bytes()).expect("sent");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut said = Vec::new();
        // What was not read makes it a reset.
        let _ = stream.read_to_end(&mut said);
        assert!(said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
    let reply = server.http_over(from(&server, 7), "GET", "/health", &[], "");
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn without_a_key_nobody_from_elsewhere_writes_through_a_proxy_that_sends_no_headers() {
    let server = Server::start(BEHIND_ONE);
    let local = [("Host", "localhost"), ("Accept-Language", "en")];
    let write = |stream, headers: &[(&str, &str)]| {
        let path = "/api/rooms/a/messages";
        server.http_over(stream, "POST", path, headers, r#"{"message":"x"}"#)
    };
    let refused = write(from(&server, 7), &local);
    assert_eq!(refused.status, 403);
    assert!(refused.detail().contains("came through a proxy"));
    assert_eq!(write(of_the_proxy(&server), &local).status, 200);
}

#[tokio::test]
async fn without_a_key_trust_in_a_proxy_does_not_let_its_clients_write() {
    let server = Server::start("--trusted-proxies 127.0.0.1");
    for header in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("X-Forwarded-Proto", "http"),
    ] {
        let reply = server.http("GET", "/send/x", &[header], "");
        assert_eq!(reply.status, 403, "{header:?}");
    }
}

#[test]
fn the_proxy_protocol_needs_to_know_its_proxies() {
    let output = telsiz()
        .args(["serve", "--proxy-protocol", "on"])
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--proxy-protocol") && said.contains("trusted_proxies"),
        "{said}"
    );
    let output = telsiz()
        .args(["serve", "--trusted-proxies", "10.0.0.0/40"])
        .output()
        .expect("it runs");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("an address or a network"), "{said}");
}
