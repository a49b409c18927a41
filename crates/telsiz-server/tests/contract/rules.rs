//! The rules for every app: origins, sub-protocols, rates, signs of life.

use serde_json::{Value, json};

use crate::harness::{Client, Server};

/// The apps of a server, each with its path; and a path where there is none.
const PATHS: [&str; 9] = [
    "/echo",
    "/broadcast",
    "/ws",
    "/chat",
    "/envelope",
    "/typed",
    "/numbered",
    "/metrics",
    "/nothing/here",
];

/// Those whose messages are JSON, each with its path.
const JSON_APPS: [(&str, &str); 4] = [
    ("lobby", "/chat"),
    ("envelope", "/envelope"),
    ("typed", "/typed"),
    ("stats", "/metrics"),
];

fn origin(origin: &str) -> [(&str, &str); 1] {
    [("Origin", origin)]
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_with_403_that_says_what_to_set() {
    let server = Server::start("");
    for path in PATHS {
        for foreign in ["https://example.com", "null"] {
            let reply = server.upgrade(path, &origin(foreign));
            assert_eq!(reply.status, 403, "{path}");
            assert_eq!(
                reply.header("content-type"),
                Some("application/problem+json")
            );
            let flag = format!("--allow-origin {foreign}");
            assert!(reply.detail().contains(&flag), "{}", reply.detail());
        }
    }
    let english = [("Origin", "null"), ("Accept-Language", "en")];
    let reply = server.upgrade("/echo", &english);
    assert!(reply.detail().starts_with("Pages of null"));
}

#[tokio::test]
async fn pages_of_this_machine_and_programs_are_heard() {
    let server = Server::start("");
    for headers in [
        &[][..],
        &origin("http://localhost:5173"),
        &origin("https://127.0.0.1"),
        &origin("http://[::1]:1"),
    ] {
        for path in PATHS {
            assert_eq!(server.upgrade(path, headers).status, 101, "{headers:?}");
        }
    }
}

#[tokio::test]
async fn on_loopback_a_name_that_was_made_to_lead_there_does_not_count() {
    let server = Server::start("");
    let rebound = [
        ("Host", "rebound.example:8000"),
        ("Origin", "http://rebound.example:8000"),
    ];
    assert_eq!(server.upgrade("/echo", &rebound).status, 403);
}

#[tokio::test]
async fn where_others_can_reach_it_its_own_pages_are_heard_and_not_those_of_this_machine() {
    let server = Server::with("", "0.0.0.0:0", &[]);
    let asked = |host, origin| {
        let headers = [("Host", host), ("Origin", origin)];
        server.upgrade("/echo", &headers).status
    };
    assert_eq!(asked("chat.example:8000", "http://chat.example:8000"), 101);
    assert_eq!(asked("chat.example", "https://chat.example"), 101);
    assert_eq!(asked("chat.example", "https://other.example"), 403);
    assert_eq!(asked("chat.example", "http://localhost:5173"), 403);
}

#[tokio::test]
async fn origins_that_were_named_are_heard() {
    let flags = "--allow-origin https://a.example --allow-origin http://b.example:81";
    let server = Server::with(flags, "0.0.0.0:0", &[]);
    for (name, status) in [
        ("https://a.example", 101),
        ("http://b.example:81", 101),
        ("http://a.example", 403),
        ("http://b.example", 403),
        ("null", 403),
    ] {
        let reply = server.upgrade("/typed", &origin(name));
        assert_eq!(reply.status, status, "{name}");
    }
    let server = Server::start("--allow-origin *");
    for name in ["https://a.example", "null"] {
        assert_eq!(server.upgrade("/echo", &origin(name)).status, 101, "{name}");
    }
}

#[tokio::test]
async fn an_address_with_wrong_names_is_refused_with_403_that_tells_each_in_the_language_of_http() {
    let server = Server::start("--lang en");
    let (tr, en) = ("bekleniyordu", "expected a text of");
    for (path, fields) in [
        ("/ws/chat/genel?lang=en", &["user_id", "username"][..]),
        ("/ws/chat/a%0Ab?user_id=a", &["username", "room_id"]),
        ("/ws/a%0Ab?username=a%0Ab", &["client_id", "username"]),
    ] {
        for (lang, said) in [("tr", tr), ("en", en)] {
            let reply = server.upgrade(path, &[("Accept-Language", lang)]);
            assert_eq!(reply.status, 403, "{path}");
            assert!(reply.detail().contains(said), "{}", reply.detail());
            let errors = reply.json()["errors"].clone();
            let errors = errors.as_array().expect("errors").iter();
            let named: Vec<_> = errors.map(|error| error["field"].clone()).collect();
            assert_eq!(named, fields, "{path}");
        }
    }
}

#[tokio::test]
async fn the_same_pages_may_read_answers_over_http() {
    let server = Server::start("--allow-origin https://a.example");
    for (name, allowed) in [
        ("https://a.example", Some("https://a.example")),
        ("http://localhost:5173", Some("http://localhost:5173")),
        ("https://b.example", None),
    ] {
        let reply = server.http("GET", "/health", &origin(name), "");
        assert_eq!(reply.status, 200);
        let header = reply.header("access-control-allow-origin");
        assert_eq!(header, allowed, "{name}");
        let headers = [
            ("Origin", name),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization"),
        ];
        let reply = server.http("OPTIONS", "/send", &headers, "");
        let header = reply.header("access-control-allow-origin");
        assert_eq!(header, allowed, "{name}");
        if allowed.is_some() {
            assert_eq!(reply.status, 200);
            let header = reply.header("access-control-allow-methods");
            assert_eq!(header, Some("POST"));
            let header = reply.header("access-control-allow-headers");
            assert_eq!(header, Some("authorization"));
        }
        let body = r#"{"message":"a"}"#;
        let reply = server.http("POST", "/send", &origin(name), body);
        let status = if allowed.is_some() { 200 } else { 403 };
        assert_eq!(reply.status, status, "{name}");
    }
}

#[tokio::test]
async fn our_sub_protocol_is_selected_else_one_with_a_token() {
    let server = Server::start("");
    for path in PATHS {
        for (offered, selected) in [
            ("chat, telsiz.v1, bearer.abc", Some("telsiz.v1")),
            ("bearer.abc, telsiz.v1", Some("telsiz.v1")),
            ("chat, bearer.abc, bearer.def", Some("bearer.abc")),
            ("chat, telsiz.v2", None),
        ] {
            let headers = [("Sec-WebSocket-Protocol", offered)];
            let reply = server.upgrade(path, &headers);
            assert_eq!(reply.status, 101);
            let header = reply.header("sec-websocket-protocol");
            assert_eq!(header, selected, "{path}: {offered}");
        }
    }
}

/// The next text that is not one that `stats` sends by itself.
async fn answer(client: &mut Client) -> String {
    loop {
        let text = client.text().await;
        if !text.contains("cpu_usage") {
            return text;
        }
    }
}

/// Sends `number` pings in JSON, and reads as many answers.
async fn ping(client: &mut Client, number: usize) -> Vec<String> {
    for _ in 0..number {
        client.send(r#"{"type":"ping"}"#).await;
    }
    let mut answers = Vec::new();
    for _ in 0..number {
        answers.push(answer(client).await);
    }
    answers
}

#[tokio::test]
async fn a_ping_in_json_gets_a_pong_and_other_signs_of_life_get_nothing() {
    let server = Server::start("");
    for (_, path) in JSON_APPS {
        let mut client = server.open(path).await;
        for sent in [
            r#"{"type":"heartbeat"}"#,
            r#"{"type":"pong","at":5}"#,
            r#"{"at":5,"type":"\u0070ing"}"#,
        ] {
            client.send(sent).await;
        }
        assert_eq!(answer(&mut client).await, r#"{"type":"pong"}"#, "{path}");
    }
}

#[tokio::test]
async fn a_binary_message_to_an_app_that_takes_none_is_closed_with_1003() {
    let server = Server::start("");
    for path in ["/ws", "/chat", "/typed", "/numbered", "/metrics"] {
        let mut client = server.open(path).await;
        client.send(vec![b'{', b'}']).await;
        assert_eq!(client.ended().await.code().get(), 1003, "{path}");
    }
}

#[tokio::test]
async fn an_oversized_message_is_told_in_the_shape_of_the_app() {
    let server = Server::start("--lang en");
    let said = "The message is too large: at most 65536 bytes";
    for (path, mut own) in [
        ("/ws", json!({})),
        (
            "/chat",
            json!({"type": "error", "nick": "server", "text": said}),
        ),
        (
            "/envelope",
            json!({"type": "error", "payload": {"message": said}}),
        ),
        (
            "/typed",
            json!({"type": "system", "level": "error", "message": said}),
        ),
        ("/metrics", json!({"type": "error", "message": said})),
    ] {
        let mut client = server.open(path).await;
        client.send("x".repeat(65_537)).await;
        let told: Value = serde_json::from_str(&answer(&mut client).await).expect("JSON");
        own["error"] = "Message too large".into();
        own["max_size"] = 65_536.into();
        assert_eq!(told, own, "{path}");
        assert_eq!(client.ended().await.code().get(), 1009, "{path}");
    }
}

#[tokio::test]
async fn the_1201st_message_in_a_minute_is_rejected_and_the_connection_stays() {
    let server = Server::start("--lang en");
    for (_, path) in JSON_APPS {
        let mut client = server.open(path).await;
        let pongs = ping(&mut client, 1_200).await;
        assert!(pongs.iter().all(|pong| pong == r#"{"type":"pong"}"#));
        for sent in [r#"{"type":"ping"}"#, "anything"] {
            client.send(sent).await;
            let told: Value = serde_json::from_str(&answer(&mut client).await).expect("JSON");
            assert_eq!(told["error"], "Rate limit exceeded", "{path}");
            let retry_after = told["retry_after"].as_u64().expect("whole seconds");
            assert!((1..=60).contains(&retry_after), "{retry_after}");
        }
        // Others are heard.
        let mut other = server.open(path).await;
        assert_eq!(ping(&mut other, 1).await, [r#"{"type":"pong"}"#]);
    }
    let mut client = server.open("/typed").await;
    ping(&mut client, 1_200).await;
    let mut told = client.ask_json(&json!({"type": "ping"})).await;
    let retry_after = told["retry_after"].take();
    let message = format!("Too many messages; try again in {retry_after} seconds");
    let expected = json!({
        "type": "system", "level": "error", "message": message,
        "error": "Rate limit exceeded", "retry_after": null,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_text_app_tells_the_rate_alone() {
    let server = Server::start("");
    let mut client = server.open("/numbered").await;
    client.text().await;
    for _ in 0..1_200 {
        client.send("merhaba").await;
    }
    let told = client.ask("one too many").await;
    let start = r#"{"error":"Rate limit exceeded","retry_after":"#;
    assert!(told.starts_with(start), "{told}");
}

#[tokio::test]
async fn echo_broadcast_and_relay_and_who_switched_it_off_know_no_rate() {
    let server = Server::start("");
    for path in ["/echo", "/ws"] {
        let mut client = server.open(path).await;
        for answer in ping(&mut client, 1_300).await {
            assert!(!answer.contains("Rate limit"), "{answer}");
        }
    }
    let mut speaker = server.open("/broadcast").await;
    let mut listener = server.open("/broadcast").await;
    for number in 0..1_300 {
        speaker.send(number.to_string()).await;
    }
    for number in 0..1_300 {
        assert_eq!(listener.text().await, number.to_string());
    }
    let server = Server::start("typed --rate-limit off");
    let mut client = server.open("/").await;
    let pongs = ping(&mut client, 1_300).await;
    assert!(pongs.iter().all(|pong| pong == r#"{"type":"pong"}"#));
}

#[tokio::test]
async fn schemas_of_apps_that_speak_json_are_served() {
    let server = Server::start("");
    for (app, _) in JSON_APPS {
        let reply = server.get(&format!("/schemas/{app}.json"));
        assert_eq!(reply.status, 200, "{app}");
        let media_type = reply.header("content-type");
        assert_eq!(media_type, Some("application/schema+json"));
        let schema = reply.json();
        assert_eq!(schema["title"], app);
        assert!(schema["$defs"]["FromClient"].is_object(), "{schema}");
        assert!(schema["$defs"]["FromServer"].is_object(), "{schema}");
    }
    assert_eq!(server.get("/schemas/echo.json").status, 404);
}
