//! HTTP on the same port.

use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn the_root_tells_programs_how_many_clients_there_are() {
    let server = Server::start("");
    let expected = |number: usize| {
        format!(r#"{{"message":"WebSocket Sunucusu Çalışıyor","connected_clients":{number}}}"#)
    };
    assert_eq!(server.get("/").body, expected(0));
    let mut clients = Vec::new();
    for path in ["/ws", "/echo", "/broadcast", "/numbered", "/typed"] {
        clients.push(server.open(path).await);
    }
    let reply = server.get("/");
    assert_eq!((reply.status, reply.body), (200, expected(5)));
    let reply = server.get("/");
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_root_shows_browsers_what_is_where_in_their_language() {
    let server = Server::start("");
    for (accepted, lang, text) in [
        ("en-GB,en;q=0.9", "en", "The WebSocket server is running."),
        ("tr", "tr", "WebSocket sunucusu çalışıyor."),
        ("de", "tr", "WebSocket sunucusu çalışıyor."),
    ] {
        let headers = [
            ("Accept", "text/html,*/*;q=0.8"),
            ("Accept-Language", accepted),
        ];
        let reply = server.http("GET", "/", &headers, "");
        assert_eq!(reply.status, 200);
        assert_eq!(
            reply.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert!(reply.body.contains(&format!("<html lang=\"{lang}\">")));
        assert!(reply.body.contains(text), "{}", reply.body);
        for pattern in ["/echo", "/broadcast", "/ws", "/numbered", "/typed"] {
            assert!(reply.body.contains(&format!("<code>{pattern}</code>")));
        }
    }
}

#[tokio::test]
async fn send_goes_through_the_relay_as_a_client_would() {
    let server = Server::start("");
    let mut turkish = server.open("/ws").await;
    let mut english = server.open("/ws?lang=en").await;
    let reply = server.get("/send/G%C3%BCnayd%C4%B1n%20d%C3%BCnya");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.body,
        r#"{"sent":"Günaydın dünya","response":"Mesajınız: Günaydın dünya"}"#
    );
    assert_eq!(turkish.text().await, "Başka bir istemciden: Günaydın dünya");
    assert_eq!(english.text().await, "From another client: Günaydın dünya");

    let json_type = [("Content-Type", "application/json")];
    let reply = server.http("POST", "/send", &json_type, r#"{"message":"a/b?c\nğ"}"#);
    assert_eq!(reply.status, 200);
    let expected = json!({"sent": "a/b?c\nğ", "response": "Mesajınız: a/b?c\nğ"});
    assert_eq!(reply.json(), expected);
    assert_eq!(turkish.text().await, "Başka bir istemciden: a/b?c\nğ");
    assert_eq!(english.text().await, "From another client: a/b?c\nğ");
}

#[tokio::test]
async fn send_speaks_the_language_of_the_flag() {
    let server = Server::start("relay --lang en");
    let reply = server.get("/send/hello");
    assert_eq!(reply.json()["response"], "Your message: hello");
    assert_eq!(
        server.get("/").json()["message"],
        "WebSocket Server Is Running"
    );
}

#[tokio::test]
async fn without_a_relay_send_answers_500_with_a_detail() {
    let server = Server::start("echo");
    let posted = server.http("POST", "/send", &[], r#"{"message":"x"}"#);
    for reply in [server.get("/send/x"), posted] {
        assert_eq!(reply.status, 500);
        assert!(reply.detail().starts_with("WebSocket hatası: "));
    }
}

#[tokio::test]
async fn who_may_not_write_gets_403_and_nobody_hears_it() {
    let server = Server::start("");
    let mut client = server.open("/ws").await;
    for header in [
        ("Host", "example.com"),
        ("Origin", "https://example.com"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Forwarded", "for=192.0.2.1"),
        ("X-Real-IP", "192.0.2.1"),
        ("Via", "1.1 proxy"),
    ] {
        let posted = server.http("POST", "/send", &[header], r#"{"message":"bad"}"#);
        for reply in [server.http("GET", "/send/bad", &[header], ""), posted] {
            assert_eq!(reply.status, 403, "{header:?}");
            let detail = reply.detail();
            assert!(detail.contains("TELSIZ_API_KEY"), "{detail}");
            assert!(detail.contains("Authorization: Bearer"), "{detail}");
        }
    }
    for header in [
        ("Origin", "http://localhost:5173"),
        ("Sec-Fetch-Site", "same-origin"),
    ] {
        let reply = server.http("GET", "/send/good", &[header], "");
        assert_eq!(reply.status, 200, "{header:?}");
        assert_eq!(client.text().await, "Başka bir istemciden: good");
    }
}

#[tokio::test]
async fn where_others_can_reach_it_a_key_is_needed() {
    let server = Server::with("", "0.0.0.0:0", &[]);
    let reply = server.get("/send/x");
    assert_eq!(reply.status, 403);
    assert!(reply.detail().contains("TELSIZ_API_KEY"));
    assert_eq!(server.get("/").status, 200);
}

#[tokio::test]
async fn a_key_that_is_set_is_needed_and_is_enough() {
    let key = [("TELSIZ_API_KEY", "gizli")];
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = Server::with("", listen, &key);
        assert_eq!(server.get("/send/x").status, 403);
        for (credentials, status) in [
            ("Bearer gizli", 200),
            ("Bearer yanlış", 403),
            ("gizli", 403),
        ] {
            let headers = [
                ("Authorization", credentials),
                ("Origin", "https://example.com"),
            ];
            let reply = server.http("GET", "/send/x", &headers, "");
            assert_eq!(reply.status, status, "{credentials}");
        }
    }
}

#[tokio::test]
async fn health_and_readiness_can_be_asked_for() {
    let server = Server::start("");
    for (path, status) in [("/health", "ok"), ("/ready", "ready")] {
        let reply = server.get(path);
        assert_eq!(
            (reply.status, reply.json()),
            (200, json!({ "status": status }))
        );
    }
}

#[tokio::test]
async fn other_pages_and_methods_are_refused_in_json() {
    let server = Server::start("");
    let english = [("Accept-Language", "en")];
    let reply = server.http("GET", "/no/such/page", &english, "");
    assert_eq!(reply.status, 404);
    assert_eq!(reply.detail(), "There is no such page: /no/such/page");
    let reply = server.http("DELETE", "/send", &english, "");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert_eq!(reply.detail(), "This page cannot be asked for with DELETE");
    let reply = server.http("HEAD", "/send/x", &english, "");
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET")));
}

#[tokio::test]
async fn the_path_of_an_app_tells_that_it_is_for_websockets() {
    let reply = Server::start("").get("/echo");
    assert_eq!(
        (reply.status, reply.header("upgrade")),
        (426, Some("websocket"))
    );
    assert!(reply.detail().contains("ws://"));
}

/// Headers that all answers have.
const ALWAYS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_browsers_from_misusing_it() {
    let server = Server::start("--max-connections 1");
    let _open = server.open("/echo").await;
    let foreign = [("Origin", "https://example.com")];
    let html = [("Accept", "text/html")];
    let get = |path| server.get(path);
    for (what, reply) in [
        ("JSON", get("/rooms")),
        ("figures", get("/metrics")),
        ("the page", server.http("GET", "/", &html, "")),
        ("the documents", get("/docs")),
        ("a script", get("/docs/try.js")),
        ("no page", get("/no/such/page")),
        ("no method", server.http("DELETE", "/send", &[], "")),
        ("no HTTP", get("/echo")),
        ("no body", server.http("POST", "/send", &[], "no JSON")),
        ("no right", server.http("POST", "/send", &foreign, "")),
        ("a foreign upgrade", server.upgrade("/echo", &foreign)),
        ("one too many", server.upgrade("/echo", &[])),
        ("no version", {
            let version = [("Sec-WebSocket-Version", "12")];
            server.upgrade("/echo", &version)
        }),
        ("no head", server.http("GET", "/\u{1}", &[], "")),
    ] {
        for (name, value) in ALWAYS {
            assert_eq!(reply.header(name), Some(value), "{what}: {}", reply.status);
        }
        let policy = reply.header("content-security-policy").expect(what);
        assert!(policy.starts_with("default-src 'none'"), "{what}");
        assert!(policy.contains("frame-ancestors 'none'"), "{what}");
        let may_run = policy.contains("script-src");
        assert_eq!(may_run, what == "the documents", "{what}");
    }
    let accepted = Server::start("").upgrade("/echo", &[]);
    assert_eq!(accepted.header("x-content-type-options"), None);
}

#[tokio::test]
async fn on_loopback_a_name_that_was_made_to_lead_here_reads_nothing() {
    let server = Server::start("");
    let port = server.address().port();
    let [rebound, local, by_number] = ["evil.example", "localhost", "127.0.0.1"]
        .map(|name| format!("{name}:{port}"))
        .map(|host| [("Host", host), ("Accept-Language", "en".to_owned())]);
    let asked = |method, path, headers: &[(&'static str, String); 2]| {
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        server.http(method, path, &headers, "")
    };
    for path in [
        "/",
        "/rooms",
        "/api/rooms/a/members",
        "/api/rooms/a/messages",
        "/api/stats",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/no/such/page",
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let reply = asked(method, path, &rebound);
            assert_eq!(reply.status, 403, "{method} {path}");
        }
        let reply = asked("GET", path, &rebound);
        assert!(reply.detail().contains("--allow-origin"));
        assert_ne!(asked("GET", path, &local).status, 403, "{path}");
        assert_ne!(asked("GET", path, &by_number).status, 403, "{path}");
    }
    // What a proxy in front passes on: its own name, without our port.
    for host in ["example.com", "example.com:443"] {
        assert_eq!(
            server.http("GET", "/rooms", &[("Host", host)], "").status,
            200
        );
    }
    let reachable = Server::with("", "0.0.0.0:0", &[]);
    let host = format!("example.com:{}", reachable.address().port());
    let headers = [("Host", host.as_str())];
    assert_eq!(reachable.http("GET", "/rooms", &headers, "").status, 200);
}
