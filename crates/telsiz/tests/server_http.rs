//! HTTP beside WebSockets on one port.
#![allow(clippy::unwrap_used)]

mod common;

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use common::frame::Frame;
use common::http::{Answer, read_head};
use common::raw::request;
use common::server::{Running, echo};
use common::soon;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use telsiz::{ConnectError, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

/// WebSockets on `/ws`, an axum router for the rest.
async fn both() -> Running {
    let router = Router::new()
        .route("/hello", get(|| async { "hello" }))
        .route("/echo", post(|body: String| async move { body }))
        .route(
            "/address",
            get(|Extension(address): Extension<SocketAddr>| async move { address.to_string() }),
        );
    Running::start(|serve| {
        serve
            .route("/ws", echo)
            .route("/no", |request: Upgrade| async move {
                let response = Response::builder().status(403).body("no").unwrap();
                request.refuse(response).await;
            })
            .route("/dropped", |request: Upgrade| async move { drop(request) })
            .http(move |request: Request<Incoming>| router.clone().oneshot(request))
    })
    .await
}

async fn ask(tcp: &mut TcpStream, head: &str) -> Answer {
    tcp.write_all(head.as_bytes()).await.unwrap();
    soon(Answer::read(tcp)).await
}

const HELLO: &str = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn an_axum_router_serves_what_is_no_upgrade() {
    let server = both().await;
    let mut tcp = server.tcp().await;
    let answer = ask(&mut tcp, HELLO).await;
    assert_eq!((answer.status, &*answer.body), (200, "hello"));
    let answer = ask(&mut tcp, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.status, 404);
    let answer = ask(&mut tcp, "GET /address HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(answer.body, tcp.local_addr().unwrap().to_string());
    let mut ws = server.connect("/ws").await;
    soon(ws.send("a")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
}

#[tokio::test]
async fn a_request_body_that_came_with_the_head_is_whole() {
    let server = both().await;
    for len in [0, 10, 9000, 100_000] {
        let body = "x".repeat(len);
        let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {len}\r\n\r\n{body}");
        let mut tcp = server.tcp().await;
        let answer = ask(&mut tcp, &head).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body == body, "{len}");
    }
}

#[tokio::test]
async fn a_later_head_is_bounded_as_the_first_one_is() {
    let server = both().await;
    for (len, status) in [(8191, 200), (8192, 200), (8193, 431)] {
        let mut tcp = server.tcp().await;
        assert_eq!(ask(&mut tcp, HELLO).await.body, "hello");
        let head = |value: &str| format!("GET /hello HTTP/1.1\r\nHost: x\r\nX: {value}\r\n\r\n");
        let head = head(&"x".repeat(len - head("").len()));
        assert_eq!(ask(&mut tcp, &head).await.status, status, "{len}");
    }
}

#[tokio::test]
async fn an_upgrade_may_follow_on_a_kept_alive_connection() {
    let server = both().await;
    let mut tcp = server.tcp().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut tcp, HELLO).await.body, "hello");
    }
    tcp.write_all(request("/ws", "").as_bytes()).await.unwrap();
    let head = soon(read_head(&mut tcp)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"),
        "{head}"
    );
    tcp.write_all(&Frame::text("a").bytes(true)).await.unwrap();
    assert_eq!(
        soon(Frame::read(&mut tcp, false)).await,
        Some(Frame::text("a"))
    );
    tcp.write_all(&Frame::close(1000, "").bytes(true))
        .await
        .unwrap();
    let close = soon(Frame::read(&mut tcp, false)).await;
    assert_eq!(close, Some(Frame::close(1000, "")));
    assert_eq!(soon(tcp.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn frames_right_behind_a_later_upgrade_are_not_lost() {
    let server = both().await;
    for len in [5, 50_000] {
        let mut tcp = server.tcp().await;
        let first = Frame::binary(common::noise(len, 4));
        let second = Frame::text("second");
        // Everything in one write: two requests, and frames behind the second.
        let bytes = [
            HELLO.as_bytes(),
            request("/ws", "").as_bytes(),
            &first.bytes(true),
            &second.bytes(true),
        ]
        .concat();
        let (mut reading, mut writing) = tcp.split();
        let write = async { writing.write_all(&bytes).await.unwrap() };
        let read = async {
            assert_eq!(Answer::read(&mut reading).await.body, "hello");
            let head = read_head(&mut reading).await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            assert!(Frame::read(&mut reading, false).await == Some(first));
            assert_eq!(Frame::read(&mut reading, false).await, Some(second));
        };
        soon(async { tokio::join!(write, read) }).await;
    }
}

#[tokio::test]
async fn a_later_upgrade_may_be_refused_and_the_connection_goes_on() {
    let server = both().await;
    let mut tcp = server.tcp().await;
    assert_eq!(ask(&mut tcp, HELLO).await.body, "hello");
    for (head, status) in [
        (request("/no", ""), 403),
        (request("/dropped", ""), 500),
        (request("/unknown", ""), 404),
        (request("/ws", "").replace("13", "12"), 426),
    ] {
        assert_eq!(ask(&mut tcp, &head).await.status, status);
        assert_eq!(ask(&mut tcp, HELLO).await.body, "hello", "after {status}");
    }
}

#[tokio::test]
async fn an_upgrade_goes_to_the_routes_also_with_an_http_service() {
    let server = both().await;
    let Err(ConnectError::Rejected(response)) = soon(server.client("/hello")).await else {
        panic!("it has to be refused");
    };
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn a_service_that_fails_answers_500() {
    let server = Running::start(|serve| {
        serve.http(|_| async { Err::<Response<Full<Bytes>>, _>("out of order") })
    })
    .await;
    let answer = ask(&mut server.tcp().await, HELLO).await;
    assert_eq!(answer.status, 500);
}

#[tokio::test]
async fn a_plain_function_serves_too_and_head_has_no_body() {
    let server = Running::start(|serve| {
        serve.http(|request: Request<Incoming>| async move {
            let body = request.uri().path().to_owned();
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
        })
    })
    .await;
    let mut tcp = server.tcp().await;
    assert_eq!(ask(&mut tcp, HELLO).await.body, "/hello");
    tcp.write_all(b"HEAD /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut rest = String::new();
    soon(tcp.read_to_string(&mut rest)).await.unwrap();
    assert!(
        rest.to_ascii_lowercase().contains("content-length: 4\r\n"),
        "{rest}"
    );
    assert!(rest.ends_with("\r\n\r\n"), "{rest}");
}

#[tokio::test]
async fn a_header_for_all_answers_is_in_all_but_those_that_open_a_websocket() {
    use http::header::{HeaderValue, SERVER, X_CONTENT_TYPE_OPTIONS};
    let serve = |serve: telsiz::Serve, with_http: bool| {
        let hello = |request: Request<Incoming>| async move {
            let mut response = Response::new(Full::new(Bytes::from_static(b"hello")));
            if request.uri().path() == "/own" {
                let own = HeaderValue::from_static("own");
                response.headers_mut().insert(SERVER, own);
            }
            Ok::<_, Infallible>(response)
        };
        let serve = serve
            .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
            .header(SERVER, HeaderValue::from_static("common"))
            .route("/ws", echo)
            .route("/dropped", |request: Upgrade| async move { drop(request) })
            .route("/no", |request: Upgrade| async move {
                request.refuse(Response::new("no")).await;
            });
        match with_http {
            true => serve.http(hello),
            false => serve,
        }
    };
    let upgrade = |path| request(path, "");
    let bad_version = request("/ws", "").replace("Version: 13", "Version: 12");
    let of_http = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    for (with_http, head, status) in [
        (true, of_http.clone(), 200),
        (false, of_http, 426),
        (true, bad_version, 426),
        (true, "no head\r\n\r\n".to_owned(), 400),
        (true, upgrade("/no"), 200),
        (true, upgrade("/dropped"), 500),
        (true, upgrade("/nowhere"), 404),
    ] {
        let server = Running::start(|builder| serve(builder, with_http)).await;
        let mut first = server.tcp().await;
        let mut answers = vec![ask(&mut first, &head).await];
        if with_http && status != 400 {
            // And behind a request that was none.
            let mut later = server.tcp().await;
            ask(&mut later, HELLO).await;
            answers.push(ask(&mut later, &head).await);
        }
        for answer in answers {
            assert_eq!(answer.status, status, "{head}");
            let nosniff = answer.header("x-content-type-options");
            assert_eq!(nosniff, Some("nosniff"), "{head}");
            assert_eq!(answer.header("server"), Some("common"), "{head}");
        }
    }
    let server = Running::start(|builder| serve(builder, true)).await;
    let mut tcp = server.tcp().await;
    let own = ask(&mut tcp, "GET /own HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(own.header("server"), Some("own"));
    tcp.write_all(upgrade("/ws").as_bytes()).await.unwrap();
    let head = soon(read_head(&mut tcp)).await;
    assert!(
        head.starts_with("HTTP/1.1 101 ") && !head.contains("nosniff"),
        "{head}"
    );
}
