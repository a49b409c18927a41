//! Upgrades that are refused, by the handler, by the router and by the rules, and
//! how our client learns why.
#![allow(clippy::unwrap_used)]

mod common;

use common::http::Answer;
use common::raw::request;
use common::server::{Running, echo};
use common::soon;
use http::Response;
use telsiz::{Connect, ConnectError, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn rejected(connect: Connect) -> Response<bytes::Bytes> {
    match soon(connect).await {
        Err(ConnectError::Rejected(response)) => *response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_handler_refuses_with_any_answer_and_the_client_gets_it() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let response = Response::builder()
                .status(403)
                .header("Content-Type", "application/json")
                .header("X-Refused-By", "test")
                .body(r#"{"error":"not today"}"#)
                .unwrap();
            request.refuse(response).await;
        })
    })
    .await;
    let response = rejected(server.client("/")).await;
    assert_eq!(response.status(), 403);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["x-refused-by"], "test");
    assert_eq!(response.body(), r#"{"error":"not today"}"#);
    let shown = ConnectError::Rejected(Box::new(response)).to_string();
    assert!(shown.contains("403"), "{shown}");
}

#[tokio::test]
async fn a_large_body_of_a_refusal_is_cut_at_64_kib() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let body = vec![b'x'; 1 << 20];
            request
                .refuse(Response::builder().status(500).body(body).unwrap())
                .await;
        })
    })
    .await;
    let response = rejected(server.client("/")).await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.body().len(), 64 * 1024);
}

#[tokio::test]
async fn a_refusal_while_the_server_goes_on_serves_others() {
    let server = Running::start(|serve| {
        serve
            .route("/no", |request: Upgrade| async move {
                request
                    .refuse(Response::builder().status(401).body("").unwrap())
                    .await;
            })
            .route("/yes", echo)
    })
    .await;
    assert_eq!(rejected(server.client("/no")).await.status(), 401);
    server.connect("/yes").await;
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let server = Running::start(|serve| serve.route("/known", echo)).await;
    for path in ["/", "/unknown", "/known/", "/known/more"] {
        let response = rejected(server.client(path)).await;
        assert_eq!(response.status(), 404, "{path}");
        assert!(!response.body().is_empty());
    }
    server.connect("/known").await;
}

/// What the server answers to `bytes`, and that it ends the connection then.
async fn answer(server: &Running, bytes: &[u8]) -> Answer {
    let mut tcp = server.tcp().await;
    tcp.write_all(bytes).await.unwrap();
    let answer = soon(Answer::read(&mut tcp)).await;
    assert_eq!(
        answer.header("connection").map(|c| c.contains("close")),
        Some(true)
    );
    assert_eq!(soon(tcp.read(&mut [0; 8])).await.unwrap(), 0);
    answer
}

#[tokio::test]
async fn plain_http_without_an_http_service_is_426() {
    let server = Running::echo().await;
    let answer = answer(&server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-version"), Some("13"));
    assert!(answer.body.contains("Upgrade"), "{}", answer.body);
}

#[tokio::test]
async fn an_upgrade_with_post_is_405() {
    let server = Running::echo().await;
    let head = request("/", "").replace("GET", "POST");
    let answer = answer(&server, head.as_bytes()).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET"));
}

#[tokio::test]
async fn an_incorrect_upgrade_is_told_what_was_wrong() {
    let server = Running::echo().await;
    let right = request("/", "");
    for (line, instead, status, word) in [
        (
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Version: 8",
            426,
            "Version",
        ),
        ("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x", 400, "Key"),
        (
            "Connection: Upgrade",
            "Connection: close",
            400,
            "Connection",
        ),
        ("Host: ", "X-Host: ", 400, "Host"),
        ("HTTP/1.1", "HTTP/1.0", 400, "HTTP/1.1"),
    ] {
        let head = right.replace(line, instead);
        assert_ne!(head, right);
        let answer = answer(&server, head.as_bytes()).await;
        assert_eq!(answer.status, status, "{instead}");
        assert_eq!(answer.header("sec-websocket-version"), Some("13"));
        assert!(answer.body.contains(word), "{}", answer.body);
    }
}

#[tokio::test]
async fn garbage_is_400() {
    let server = Running::echo().await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
    ] {
        let answer = answer(&server, garbage).await;
        assert_eq!(answer.status, 400, "{garbage:?}");
        assert!(!answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_head_above_8_kib_is_431_and_one_of_8_kib_is_read() {
    let server = Running::echo().await;
    let of = |len: usize| {
        let empty = request("/", "X: \r\n").len();
        request("/", &format!("X: {}\r\n", "x".repeat(len - empty)))
    };
    let answer = answer(&server, of(8 * 1024 + 1).as_bytes()).await;
    assert_eq!(answer.status, 431);
    let mut tcp = server.tcp().await;
    tcp.write_all(of(8 * 1024).as_bytes()).await.unwrap();
    let head = soon(common::http::read_head(&mut tcp)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn an_endless_head_is_431_although_the_client_goes_on() {
    let server = Running::echo().await;
    let mut tcp = server.tcp().await;
    tcp.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    for _ in 0..1000 {
        let line = format!("X: {}\r\n", "x".repeat(1000));
        if tcp.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    assert_eq!(soon(Answer::read(&mut tcp)).await.status, 431);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_read() {
    let server = Running::echo().await;
    let mut tcp = server.tcp().await;
    tcp.set_nodelay(true).unwrap();
    for byte in request("/", "").bytes() {
        tcp.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let head = soon(common::http::read_head(&mut tcp)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
}

#[tokio::test]
async fn frames_right_behind_the_request_are_not_lost() {
    use common::frame::Frame;
    let server = Running::echo().await;
    // Small ones, and more than one read buffer of them.
    for len in [5, 50_000] {
        let first = Frame::binary(common::noise(len, 3));
        let second = Frame::text("second");
        let behind = [first.bytes(true), second.bytes(true)].concat();
        let opening = common::raw::Raw::open_with(server.tcp().await, "/", &behind);
        let mut peer = soon(opening).await;
        assert!(soon(peer.frame()).await == first);
        assert_eq!(soon(peer.frame()).await, second);
    }
}
