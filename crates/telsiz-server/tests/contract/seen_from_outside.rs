//! What whoever runs a server sees of it: figures, connections, the log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Reply, Server};

/// The value of a figure, whose labels stand as they are told.
fn figure(server: &Server, name: &str) -> f64 {
    let reply = server.get("/metrics");
    let mut lines = reply.body.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = value.unwrap_or_else(|| panic!("{name} is not told:\n{}", reply.body));
    value.parse().expect("a number")
}

/// Waits until a figure has this value: connections are over a moment after their clients know.
fn becomes(server: &Server, name: &str, expected: f64) {
    let start = Instant::now();
    loop {
        let value = figure(server, name);
        if value == expected {
            return;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "{name} is {value}, not {expected}"
        );
        std::thread::yield_now();
    }
}

fn connections(server: &Server) -> Vec<Value> {
    let reply = server.get("/api/connections");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["connections"]
        .as_array()
        .expect("a list")
        .clone()
}

#[tokio::test]
async fn figures_tell_how_connections_begin_and_end() {
    let server = Server::start("");
    let client = server.open("/echo").await;
    becomes(&server, "telsiz_connections{app=\"echo\"}", 1.0);
    client.leave().await;
    becomes(&server, "telsiz_connections{app=\"echo\"}", 0.0);
    becomes(
        &server,
        "telsiz_close_codes_total{direction=\"received\",code=\"1000\"}",
        1.0,
    );
    drop(server.open_bare("/echo"));
    becomes(
        &server,
        "telsiz_close_codes_total{direction=\"received\",code=\"none\"}",
        1.0,
    );
    assert_eq!(
        figure(&server, "telsiz_connections_accepted_total{app=\"echo\"}"),
        2.0
    );
    let mut lost = server.open("/nowhere").await;
    assert_eq!(lost.closed().await.to_string(), "1008 Unknown endpoint");
    drop(lost);
    becomes(
        &server,
        "telsiz_close_codes_total{direction=\"sent\",code=\"1008\"}",
        1.0,
    );
    assert_eq!(
        figure(&server, "telsiz_connections_accepted_total{app=\"none\"}"),
        1.0
    );
    let foreign = [("Origin", "https://foreign.example")];
    assert_eq!(server.upgrade("/echo", &foreign).status, 403);
    assert_eq!(server.upgrade("/ws/chat/oda", &[]).status, 403);
    for reason in ["origin", "address"] {
        let name = format!("telsiz_handshakes_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(figure(&server, &name), 1.0, "{reason}");
    }
}

#[tokio::test]
async fn figures_tell_what_is_said_in_each_app() {
    let server = Server::start("");
    let mut echo = server.open("/echo").await;
    for text in ["a", "bcd"] {
        assert_eq!(echo.ask(text).await, text);
    }
    let mut relay = server.open("/ws?lang=en").await;
    assert_eq!(relay.ask("x").await, "Your message: x");
    for (name, value) in [
        ("telsiz_messages_received_total{app=\"echo\"}", 2.0),
        ("telsiz_received_bytes_total{app=\"echo\"}", 4.0),
        ("telsiz_messages_sent_total{app=\"echo\"}", 2.0),
        ("telsiz_sent_bytes_total{app=\"echo\"}", 4.0),
        ("telsiz_received_bytes_total{app=\"relay\"}", 1.0),
        ("telsiz_sent_bytes_total{app=\"relay\"}", 15.0),
        ("telsiz_messages_sent_total{app=\"rooms\"}", 0.0),
    ] {
        assert_eq!(figure(&server, name), value, "{name}");
    }
}

#[tokio::test]
async fn figures_tell_what_is_published_and_how_long_it_took() {
    let server = Server::start("");
    let mut member = server.open("/ws/a").await;
    member.send(r#"{"type":"join_room","room_id":"oda"}"#).await;
    member.text().await;
    let say = json!({"type": "room_message", "room_id": "oda", "message": "x"});
    for _ in 0..3 {
        assert_eq!(member.ask_json(&say).await["message"], "x");
    }
    for (name, value) in [
        ("telsiz_publications_total{outcome=\"stored\"}", 3.0),
        ("telsiz_publish_durable_seconds_count", 3.0),
        ("telsiz_delivery_lag_seconds_count", 3.0),
        ("telsiz_engine_publications_total", 3.0),
        ("telsiz_rooms", 1.0),
        ("telsiz_room_members", 1.0),
        ("telsiz_ready", 1.0),
    ] {
        becomes(&server, name, value);
    }
}

#[tokio::test]
async fn connections_are_listed_with_who_they_are_and_where() {
    let server = Server::start("");
    let _echo = server.open("/echo").await;
    let mut member = server.open("/ws/a?username=Ali").await;
    member.send(r#"{"type":"join_room","room_id":"oda"}"#).await;
    member.text().await;
    let mut lobby = server.open("/chat").await;
    lobby.send(r#"{"type":"join","nick":"bora"}"#).await;
    lobby.text().await;
    lobby.ask(r#"{"type":"ping"}"#).await;
    let listed = connections(&server);
    let brief = |each: &Value| {
        let fields = ["app", "path", "user_id", "username", "rooms", "queue"];
        fields.map(|field| each[field].clone())
    };
    let briefs: Vec<_> = listed.iter().map(brief).collect();
    let expected = [
        json!(["echo", "/echo", null, null, [], null]),
        json!(["rooms", "/ws/{client_id}", "a", "Ali", ["oda"], 0]),
        json!(["lobby", "/chat", "bora", "bora", [], 0]),
    ];
    assert_eq!(json!(briefs), json!(expected));
    for each in &listed {
        assert_eq!(each["address"], "127.0.0.1");
        let since = each["connected_at"].as_str().expect("a time");
        assert!(since.ends_with('Z') && since.len() == 24, "{since}");
    }
    let page = server.get("/api/connections?page=2&per_page=2").json();
    assert_eq!(
        (&page["count"], &page["total_pages"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(page["connections"][0]["app"], "lobby");
}

#[tokio::test]
async fn a_connection_is_ended_with_1008_whatever_it_does() {
    let server = Server::start("");
    let mut clients = Vec::new();
    for path in ["/echo", "/ws/a", "/numbered", "/metrics"] {
        clients.push(server.open(path).await);
    }
    let mut kept = server.open("/echo").await;
    for (client, listed) in clients.iter_mut().zip(connections(&server)) {
        let path = format!("/api/connections/{}", listed["id"].as_str().expect("an id"));
        let reply = server.http("DELETE", &path, &[], "");
        assert_eq!(
            (reply.status, reply.json()),
            (200, json!({ "id": listed["id"] }))
        );
        assert_eq!(
            client.ended().await.to_string(),
            "1008 Ended by the operator"
        );
    }
    clients.clear();
    becomes(&server, "telsiz_connections{app=\"numbered\"}", 0.0);
    assert_eq!(kept.ask("still here").await, "still here");
    let english = [("Accept-Language", "en")];
    let reply = server.http("DELETE", "/api/connections/99-99", &english, "");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.detail(), "There is no such open connection: 99-99");
}

#[tokio::test]
async fn only_who_may_write_sees_connections_and_ends_them() {
    let open = Server::start("");
    let keyed = Server::with("", "127.0.0.1:0", &[("TELSIZ_API_KEY", "gizli")]);
    let through_a_proxy: &[_] = &[("X-Forwarded-For", "192.0.2.1")];
    let wrong: &[_] = &[("Authorization", "Bearer yanlış")];
    for (server, headers) in [(&open, through_a_proxy), (&keyed, wrong), (&keyed, &[])] {
        let _client = server.open("/echo").await;
        for (method, path) in [
            ("GET", "/api/connections"),
            ("DELETE", "/api/connections/0-0"),
        ] {
            let reply = server.http(method, path, headers, "");
            assert_eq!(reply.status, 403, "{method} {path}");
            assert!(!reply.body.contains("127.0.0.1"), "{}", reply.body);
        }
    }
    let key = [("Authorization", "Bearer gizli")];
    assert_eq!(keyed.http("GET", "/api/connections", &key, "").status, 200);
}

/// The log of a server, until it has ended.
fn log(mut server: Server) -> Vec<String> {
    server.signal("TERM");
    server.rest_of_log()
}

#[tokio::test]
async fn a_log_for_programs_has_an_object_in_each_line() {
    let server = Server::start("--log-format json");
    server.upgrade("/echo", &[("Origin", "https://foreign.example")]);
    let lines = log(server);
    let lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let about = |what: &str| {
        let is_about = |line: &&Value| {
            line["message"]
                .as_str()
                .is_some_and(|said| said.contains(what))
        };
        lines
            .iter()
            .find(is_about)
            .unwrap_or_else(|| panic!("{what}: {lines:?}"))
    };
    let refused = about("refused");
    assert_eq!(refused["level"], "WARN");
    assert_eq!(refused["path"], "/echo");
    assert_eq!(about("stopping")["level"], "INFO");
}

#[tokio::test]
async fn a_flood_of_the_same_is_logged_in_a_few_lines_and_counted() {
    let server = Server::start("");
    for _ in 0..60 {
        server.upgrade("/echo", &[("Origin", "https://foreign.example")]);
    }
    let more = server.logged("more like it");
    assert!(more.contains("refused a WebSocket"), "{more}");
    let lines = log(server);
    let refused = lines.iter().filter(|line| line.contains("another origin"));
    // Ten in each second that it took.
    assert!(refused.count() < 40, "{lines:?}");
}

/// Sends something that is no upgrade, and reads what is answered.
fn send(server: &Server, text: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time-out");
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[tokio::test]
async fn no_secret_is_logged_however_much_is() {
    let variables = [("TELSIZ_API_KEY", "hush-key")];
    let server = Server::with("--log trace", "127.0.0.1:0", &variables);
    let credentials = [("Authorization", "Bearer hush-header")];
    let offers = [("Sec-WebSocket-Protocol", "bearer.hush-protocol")];
    let foreign = [
        ("Origin", "https://foreign.example"),
        ("Cookie", "token=hush-cookie"),
    ];
    assert_eq!(
        server.upgrade("/echo?token=hush-query", &offers).status,
        101
    );
    assert_eq!(
        server.upgrade("/echo?token=hush-query", &foreign).status,
        403
    );
    assert_eq!(
        server
            .upgrade("/ws/chat/oda?token=hush-query", &credentials)
            .status,
        403
    );
    let right = [("Authorization", "Bearer hush-key")];
    for headers in [&credentials, &right] {
        let reply: Reply = server.http("GET", "/api/connections?token=hush-query", headers, "");
        assert!(reply.status == 403 || reply.status == 200);
    }
    send(
        &server,
        "GET /x?token=hush-query HTTP/1.1\r\nCookie: hush cookie\r\nbroken\r\n\r\n",
    );
    let mut client = server.open("/ws/a?token=hush-query").await;
    client.send(r#"{"type":"hush-message"}"#).await;
    client.text().await;
    drop(client);
    let lines = log(server);
    assert!(
        lines.iter().any(|line| line.contains("refused")),
        "{lines:?}"
    );
    for line in lines {
        assert!(!line.contains("hush"), "{line}");
    }
}
