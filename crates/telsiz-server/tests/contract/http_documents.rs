//! What all HTTP answers have, and what documents them.

use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn every_error_is_a_problem_in_the_language_of_the_reader() {
    let server = Server::start("echo");
    let large = format!(r#"{{"message":"{}"}}"#, "x".repeat(65_537));
    for (method, path, header, body, status, title) in [
        ("GET", "/rooms?page=0", None, "", 400, "Bad Request"),
        (
            "GET",
            "/api/rooms/%FF/members",
            None,
            "",
            400,
            "Bad Request",
        ),
        (
            "POST",
            "/api/rooms/a/messages",
            None,
            "x",
            400,
            "Bad Request",
        ),
        ("POST", "/send", None, "{}", 400, "Bad Request"),
        (
            "GET",
            "/send/x",
            Some(("Via", "1.1 x")),
            "",
            403,
            "Forbidden",
        ),
        ("GET", "/no/such/page", None, "", 404, "Not Found"),
        ("DELETE", "/rooms", None, "", 405, "Method Not Allowed"),
        ("PUT", "/echo", None, "", 405, "Method Not Allowed"),
        (
            "POST",
            "/api/rooms/a/messages",
            None,
            &large,
            413,
            "Content Too Large",
        ),
        (
            "POST",
            "/send",
            Some(("Content-Encoding", "br")),
            "{}",
            415,
            "Unsupported Media Type",
        ),
        ("GET", "/echo", None, "", 426, "Upgrade Required"),
        ("GET", "/send/x", None, "", 500, "Internal Server Error"),
    ] {
        let told = |lang| {
            let headers: Vec<_> = [("Accept-Language", lang)]
                .into_iter()
                .chain(header)
                .collect();
            let reply = server.http(method, path, &headers, body);
            assert_eq!(reply.status, status, "{method} {path}");
            assert_eq!(
                reply.header("content-type"),
                Some("application/problem+json")
            );
            assert_eq!(reply.header("content-language"), Some(lang));
            let problem = reply.json();
            assert_eq!(
                (&problem["type"], &problem["status"]),
                (&json!("about:blank"), &json!(status))
            );
            problem
        };
        let (turkish, english) = (told("tr"), told("en"));
        assert_eq!(english["title"], title);
        assert_ne!(turkish["title"], english["title"]);
        assert_ne!(turkish["detail"], english["detail"], "{method} {path}");
    }
}

#[tokio::test]
async fn an_upgrade_is_refused_with_a_problem_too() {
    let server = Server::start("");
    let headers = [("Origin", "https://example.com"), ("Accept-Language", "en")];
    let reply = server.upgrade("/echo", &headers);
    assert_eq!(reply.status, 403);
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(reply.json()["title"], "Forbidden");
}

#[tokio::test]
async fn the_document_has_every_row_of_the_contract_in_both_languages() {
    let server = Server::start("");
    let document = |lang| {
        let reply = server.http("GET", "/openapi.json", &[("Accept-Language", lang)], "");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        reply.json()
    };
    let (turkish, english) = (document("tr"), document("en"));
    assert_eq!(english["openapi"], "3.1.0");
    for (path, method, statuses) in [
        ("/", "get", vec!["200"]),
        ("/rooms", "get", vec!["200", "400", "503"]),
        (
            "/api/rooms/{room_id}/members",
            "get",
            vec!["200", "400", "403", "503"],
        ),
        (
            "/api/rooms/{room_id}/messages",
            "get",
            vec!["200", "400", "403", "503"],
        ),
        (
            "/api/rooms/{room_id}/messages",
            "post",
            vec!["200", "400", "403", "408", "413", "415", "503"],
        ),
        ("/api/stats", "get", vec!["200", "503"]),
        (
            "/send/{message}",
            "get",
            vec!["200", "400", "403", "413", "500"],
        ),
        (
            "/send",
            "post",
            vec!["200", "400", "403", "408", "413", "415", "500"],
        ),
        ("/health", "get", vec!["200"]),
        ("/ready", "get", vec!["200", "503"]),
        ("/metrics", "get", vec!["200", "500"]),
        ("/api/connections", "get", vec!["200", "400", "403", "503"]),
        ("/api/connections/{id}", "delete", vec!["200", "403", "404"]),
        ("/openapi.json", "get", vec!["200"]),
        ("/docs", "get", vec!["200"]),
        ("/schemas/rooms.json", "get", vec!["200"]),
    ] {
        let operation = &english["paths"][path][method];
        let responses = operation["responses"].as_object().expect("responses");
        assert_eq!(
            responses.keys().collect::<Vec<_>>(),
            statuses,
            "{method} {path}"
        );
        assert_ne!(
            operation["summary"],
            turkish["paths"][path][method]["summary"]
        );
        let is_private = path.starts_with("/send") || path.starts_with("/api/connections");
        let writes = is_private || method == "post";
        assert_eq!(
            operation["security"] == Value::Null,
            !writes,
            "{method} {path}"
        );
    }
    let scheme = &english["components"]["securitySchemes"]["ApiKey"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
}

#[tokio::test]
async fn what_may_be_sent_is_described_by_the_types_that_read_it() {
    let document = Server::start("").get("/openapi.json").json();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Saying"]["required"], json!(["message"]));
    assert_eq!(schemas["UserName"]["maxLength"], 128);
    let parameters = &document["paths"]["/api/rooms/{room_id}/messages"]["get"]["parameters"];
    let names = parameters.as_array().expect("parameters").iter();
    let names: Vec<_> = names.map(|parameter| parameter["name"].clone()).collect();
    assert_eq!(names, ["Accept-Language", "room_id", "page", "per_page"]);
    assert_eq!(parameters[3]["schema"]["default"], 50);
}

#[tokio::test]
async fn the_page_to_try_them_needs_nothing_from_elsewhere() {
    let server = Server::start("");
    for (lang, text) in [("tr", "Gönder"), ("en", "Send")] {
        let reply = server.http("GET", "/docs", &[("Accept-Language", lang)], "");
        assert_eq!(reply.status, 200);
        let page = &reply.body;
        assert!(page.contains(&format!("<html lang=\"{lang}\">")));
        assert!(page.contains(&format!("<button>{text}</button>")));
        assert!(page.contains("POST /api/rooms/{room_id}/messages"));
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"));
        assert!(!page.contains("://") && !page.contains("style=") && !page.contains("<style"));
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script src=\"/").count()
        );
        let labels = page.matches("<label for=").count();
        let fields = page.matches("<input ").count() + page.matches("<textarea ").count();
        assert_eq!(labels, fields, "each field has a label");
    }
    for (path, media_type) in [
        ("/docs/try.js", "text/javascript; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
    ] {
        let reply = server.get(path);
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some(media_type))
        );
    }
}

#[tokio::test]
async fn the_start_page_links_to_what_there_is() {
    let server = Server::start("");
    let page = server.http("GET", "/", &[("Accept", "text/html")], "").body;
    let links: Vec<_> = page
        .split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    for expected in [
        "/docs",
        "/openapi.json",
        "/schemas/rooms.json",
        "/docs/style.css",
    ] {
        assert!(links.contains(&expected), "{expected}");
    }
    for link in links {
        assert_eq!(server.get(link).status, 200, "{link}");
    }
}

#[tokio::test]
async fn metrics_tell_what_is_open_and_what_went_over_it() {
    let server = Server::start("");
    let mut client = server.open("/ws/a").await;
    client.send(r#"{"type":"join_room","room_id":"a"}"#).await;
    client.text().await;
    let reply = server.get("/metrics");
    assert_eq!(reply.status, 200);
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(media_type));
    for line in [
        "telsiz_connections{app=\"rooms\"} 1",
        "telsiz_rooms 1",
        "telsiz_messages_received_total{app=\"rooms\"} 1",
        "telsiz_messages_sent_total{app=\"rooms\"} 1",
    ] {
        assert!(
            reply.body.lines().any(|known| known == line),
            "{}",
            reply.body
        );
    }
}

#[tokio::test]
async fn answers_are_not_stored_and_are_what_they_are_said_to_be() {
    let server = Server::start("");
    for (path, cache) in [
        ("/", "no-store"),
        ("/rooms", "no-store"),
        ("/no/such/page", "no-store"),
        ("/openapi.json", "no-cache"),
        ("/docs", "no-cache"),
        ("/schemas/typed.json", "no-cache"),
    ] {
        let reply = server.get(path);
        assert_eq!(reply.header("cache-control"), Some(cache), "{path}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn head_has_no_body_and_options_tells_the_methods() {
    let server = Server::start("");
    let reply = server.http("HEAD", "/rooms", &[], "");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.header("content-length"), Some("37"));
    let reply = server.http("OPTIONS", "/api/rooms/a/messages", &[], "");
    assert_eq!(
        (reply.status, reply.header("allow")),
        (200, Some("GET,HEAD,POST"))
    );
    let asked = [
        ("Origin", "http://localhost:5173"),
        ("Access-Control-Request-Method", "POST"),
    ];
    let reply = server.http("OPTIONS", "/api/rooms/a/messages", &asked, "");
    let allowed = reply.header("access-control-allow-origin");
    assert_eq!(
        (reply.status, allowed),
        (200, Some("http://localhost:5173"))
    );
}
