//! How many connections may come, in all, from one address and in a second.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use telsiz::ConnectError;

use crate::configuration::file;
use crate::harness::{Client, Server};

/// What the figures say.
fn figure(server: &Server, name: &str) -> u64 {
    let figures = server.get("/metrics").body;
    let value = figures
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.expect(name).parse().expect("a number")
}

/// What they say of a limit.
fn hits(server: &Server, limit: &str) -> u64 {
    figure(
        server,
        &format!("telsiz_limits_hit_total{{limit=\"{limit}\"}}"),
    )
}

/// How many connections the server counts.
fn number(server: &Server) -> u64 {
    let number = &server.get("/").json()["connected_clients"];
    number.as_u64().expect("a number")
}

/// Waits until the server counts so many.
fn wait_for_number(server: &Server, expected: u64) {
    let start = Instant::now();
    while number(server) != expected {
        assert!(start.elapsed() < crate::harness::PATIENCE);
        thread::yield_now();
    }
}

/// Comes from `address`, through a proxy.
fn come(server: &Server, address: &str) -> (u16, TcpStream) {
    let from = [("X-Forwarded-For", address)];
    let (reply, stream) = server.upgrade_over(server.tcp(), "/echo", &from);
    (reply.status, stream)
}

#[tokio::test]
async fn there_are_as_many_connections_as_may_be_and_who_comes_then_is_told_in_its_language() {
    let server = Server::start("--max-connections 3 --workers 2");
    let mut open = vec![server.open("/echo").await, server.open("/ws").await];
    open.push(server.open("/no/such/app").await);
    open[2].closed().await;
    wait_for_number(&server, 2);
    open[2] = server.open("/numbered").await;
    for (lang, title, detail) in [
        (
            "tr",
            "Hizmet şu anda verilemiyor",
            "Sunucuda çok fazla bağlantı var; daha sonra deneyin",
        ),
        (
            "en",
            "Service Unavailable",
            "The server has too many connections; try again later",
        ),
    ] {
        let reply = server.upgrade("/echo", &[("Accept-Language", lang)]);
        assert_eq!(
            (reply.status, reply.header("retry-after")),
            (503, Some("5"))
        );
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(reply.json()["title"], title);
        assert_eq!(reply.detail(), detail);
    }
    assert_eq!((number(&server), hits(&server, "connections")), (3, 2));
    assert_eq!(open[0].ask("still").await, "still");
    assert_eq!(server.get("/rooms").status, 200, "HTTP needs no place");

    open.remove(1).leave().await;
    wait_for_number(&server, 2);
    open.push(server.open("/echo").await);
    assert_eq!(server.upgrade("/echo", &[]).status, 503);
}

#[tokio::test]
async fn a_client_of_ours_is_accepted_and_closed_with_1013() {
    let server = Server::start("--max-connections 1");
    let _open = server.open("/echo").await;
    for path in ["/echo", "/ws/1", "/nowhere"] {
        let connect = telsiz::connect(server.url(path)).subprotocols(["chat", "telsiz.v1"]);
        let mut client = Client(connect.await.expect("accepted"));
        assert_eq!(client.0.subprotocol(), Some("telsiz.v1"));
        let frame = client.closed().await;
        assert_eq!(frame.to_string(), "1013 Too many connections");
    }
    let sent = "telsiz_close_codes_total{direction=\"sent\",code=\"1013\"}";
    assert_eq!(figure(&server, sent), 3);
    let refused = telsiz::connect(server.url("/echo")).subprotocols(["bearer.x"]);
    let refused = refused.await.expect_err("refused");
    assert!(
        matches!(&refused, ConnectError::Rejected(response) if response.status() == 503),
        "{refused:?}"
    );
    assert_eq!((number(&server), hits(&server, "connections")), (1, 4));
}

#[tokio::test]
async fn an_address_has_as_many_connections_as_it_may_wherever_they_are() {
    let server =
        Server::start("--max-connections-per-address 2 --trusted-proxies 127.0.0.1 --workers 3");
    let first = come(&server, "192.0.2.7");
    // What stands left of it the client wrote itself.
    let second = come(&server, "198.51.100.1, 192.0.2.7");
    assert_eq!((first.0, second.0), (101, 101));
    assert_eq!(come(&server, "192.0.2.7").0, 503);
    assert_eq!(come(&server, "198.51.100.2, 192.0.2.7").0, 503);
    let other = come(&server, "192.0.2.8");
    assert_eq!(other.0, 101);
    assert_eq!(hits(&server, "connections_per_address"), 2);

    let in_network = come(&server, "2001:db8:1:2::1");
    let beside = come(&server, "2001:db8:1:2:ffff::1");
    assert_eq!((in_network.0, beside.0), (101, 101));
    assert_eq!(come(&server, "2001:db8:1:2::3").0, 503);
    assert_eq!(come(&server, "2001:db8:1:3::3").0, 101);

    drop(first);
    wait_for_number(&server, 4);
    assert_eq!(come(&server, "192.0.2.7").0, 101);
}

#[tokio::test]
async fn without_a_proxy_that_is_trusted_headers_do_not_move_a_client() {
    let server = Server::start("--max-connections-per-address 1 --trusted-proxies 192.0.2.0/24");
    let _open = server.open("/echo").await;
    for from in [
        ("X-Forwarded-For", "192.0.2.7"),
        ("Forwarded", "for=192.0.2.7"),
    ] {
        assert_eq!(server.upgrade("/echo", &[from]).status, 503);
    }
}

#[tokio::test]
async fn so_many_handshakes_in_a_second_are_answered_and_no_more() {
    let server = Server::start("--max-handshakes-per-second 3");
    let start = Instant::now();
    let (mut accepted, mut refused) = (0, 0);
    while refused == 0 || accepted < 3 {
        let reply = server.upgrade("/echo", &[("Accept-Language", "en")]);
        match reply.status {
            101 => accepted += 1,
            503 => {
                refused += 1;
                assert_eq!(reply.header("retry-after"), Some("1"));
                assert!(reply.detail().contains("connecting"), "{}", reply.detail());
            }
            status => panic!("{status}"),
        }
        // A full bucket at first, and what has come since.
        let most = 3.0 + 3.0 * start.elapsed().as_secs_f64();
        assert!(f64::from(accepted) <= most, "{accepted}");
    }
    assert_eq!(hits(&server, "handshakes"), refused);
    for _ in 0..20 {
        assert_eq!(server.get("/health").status, 200, "HTTP is not limited");
    }
    // It comes back by itself.
    while server.upgrade("/echo", &[]).status != 101 {}
}

#[tokio::test]
async fn a_handshake_that_fails_gives_its_place_back() {
    let server = Server::start("--max-connections 1 --max-connections-per-address 1");
    for _ in 0..3 {
        // Refused by the gate, by the app, and given up before the answer.
        let foreign = [("Origin", "https://example.com")];
        assert_eq!(server.upgrade("/echo", &foreign).status, 403);
        assert_eq!(server.upgrade("/ws/chat/genel", &[]).status, 403);
        wait_for_number(&server, 0);
        drop(server.open_bare("/echo"));
        wait_for_number(&server, 0);
        // The place is there for who comes next, once the server has noticed.
        let start = Instant::now();
        while server.upgrade("/echo", &[]).status != 101 {
            assert!(start.elapsed() < crate::harness::PATIENCE);
        }
        wait_for_number(&server, 0);
    }
}

#[tokio::test]
async fn a_place_is_taken_until_the_closing_handshake_is_over() {
    let server = Server::start("--max-connections 1");
    let (reply, mut open) = server.upgrade_over(server.tcp(), "/numbered", &[]);
    assert_eq!(reply.status, 101);
    // It is closed for this, and its handler is done.
    let binary = [0x82, 0x80, 0, 0, 0, 0];
    open.write_all(&binary).expect("sent");
    let mut heard = Vec::new();
    while !heard
        .windows(4)
        .any(|bytes| bytes.starts_with(&[0x88]) && bytes[2..] == [0x03, 0xeb])
    {
        let mut byte = [0];
        open.read_exact(&mut byte).expect("a Close frame");
        heard.extend(byte);
    }
    assert_eq!(server.upgrade("/numbered", &[]).status, 503);
    let accepted = "telsiz_connections_accepted_total{app=\"numbered\"}";
    assert_eq!(figure(&server, accepted), 1);
    drop(open);
    let start = Instant::now();
    while server.upgrade("/numbered", &[]).status != 101 {
        assert!(start.elapsed() < crate::harness::PATIENCE);
    }
}

#[tokio::test]
async fn of_many_that_come_at_once_to_many_workers_exactly_so_many_get_in() {
    let server = Server::start("--max-connections 10 --workers 4");
    for _ in 0..3 {
        let asked: Vec<_> = (0..40).map(|_| server.open_bare("/echo")).collect();
        let all: Vec<_> = asked.into_iter().map(Server::answer_of).collect();
        let accepted = all.iter().filter(|(reply, _)| reply.status == 101).count();
        assert_eq!(accepted, 10);
        drop(all);
        wait_for_number(&server, 0);
    }
}

#[tokio::test]
async fn a_running_server_is_told_other_numbers() {
    let path = file("admission.toml", "max_connections = 1\n");
    let server = Server::start(&format!("--config {}", path.display()));
    let _first = server.open("/echo").await;
    assert_eq!(server.upgrade("/echo", &[]).status, 503);
    let text = "max_connections = 2\nmax_connections_per_address = 1\ntrusted_proxies = [\"::/0\", \"127.0.0.1\"]\n";
    fs::write(&path, text).expect("written");
    server.signal("HUP");
    let said = server.logged("anew");
    let told = "anew: trusted_proxies, max_connections, max_connections_per_address";
    assert!(said.ends_with(told), "{said}");
    let second = come(&server, "192.0.2.7");
    assert_eq!((second.0, come(&server, "192.0.2.8").0), (101, 503));
}
