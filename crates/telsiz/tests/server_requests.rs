//! What a handler learns of a request, and what its answer says.
#![allow(clippy::unwrap_used)]

mod common;

use common::raw::request;
use common::server::{Running, echo};
use common::{http, soon};
use telsiz::{Error, Options, Upgrade};
use tokio::io::AsyncWriteExt;

/// A server whose handlers send what `tell` says about the request.
async fn telling(pattern: &str, tell: fn(&Upgrade) -> String) -> Running {
    Running::start(|serve| {
        serve.route(pattern, move |request: Upgrade| async move {
            let told = tell(&request);
            request.accept().await?.send(told).await
        })
    })
    .await
}

async fn told(server: &Running, path: &str) -> String {
    let mut ws = server.connect(path).await;
    let message = soon(ws.recv()).await.unwrap().unwrap();
    message.as_text().unwrap().to_owned()
}

#[tokio::test]
async fn parameters_of_the_path_are_decoded() {
    let server = telling("/rooms/{room}/{user}", |request| {
        assert_eq!(request.param("other"), None);
        format!("{:?} {:?}", request.param("room"), request.param("user"))
    })
    .await;
    assert_eq!(
        told(&server, "/rooms/genel/ada").await,
        r#"Some("genel") Some("ada")"#
    );
    assert_eq!(
        told(&server, "/rooms/%C3%A7ay%20evi/a%2Fb").await,
        r#"Some("çay evi") Some("a/b")"#
    );
    assert_eq!(
        told(&server, "/rooms/a+b/%").await,
        r#"Some("a+b") Some("%")"#
    );
}

#[tokio::test]
async fn the_rest_of_a_path_is_a_parameter() {
    let server = telling("/files/{*path}", |request| {
        format!("{} {:?}", request.path(), request.param("path"))
    })
    .await;
    assert_eq!(
        told(&server, "/files/a/b%20c").await,
        r#"/files/a/b%20c Some("a/b c")"#
    );
}

#[tokio::test]
async fn a_fixed_path_goes_before_a_parameter() {
    let server = Running::start(|serve| {
        serve
            .route("/{any}", |request: Upgrade| async move {
                request.accept().await?.send("any").await
            })
            .route("/fixed", |request: Upgrade| async move {
                request.accept().await?.send("fixed").await
            })
            .fallback(|request: Upgrade| async move {
                assert_eq!(request.param("any"), None);
                request.accept().await?.send("fallback").await
            })
    })
    .await;
    assert_eq!(told(&server, "/fixed").await, "fixed");
    assert_eq!(told(&server, "/other").await, "any");
    assert_eq!(told(&server, "/other/other").await, "fallback");
}

#[tokio::test]
async fn the_query_is_decoded_by_name() {
    let server = telling("/", |request| {
        let of = |name| request.query_param(name);
        format!(
            "{:?} {:?} {:?} {:?}",
            of("a"),
            of("ç b"),
            of("empty"),
            of("no")
        )
    })
    .await;
    let found = told(&server, "/?a=1%262&a=second&%C3%A7+b=x+y%2B&empty&n=o").await;
    assert_eq!(found, r#"Some("1&2") Some("x y+") Some("") None"#);
    assert_eq!(told(&server, "/").await, "None None None None");
}

#[tokio::test]
async fn uri_path_and_query_are_as_they_were_asked_for() {
    let server = telling("/{x}", |request| {
        format!(
            "{} | {} | {:?}",
            request.uri(),
            request.path(),
            request.query()
        )
    })
    .await;
    assert_eq!(
        told(&server, "/a%20b?c=%20d").await,
        r#"/a%20b?c=%20d | /a%20b | Some("c=%20d")"#
    );
}

#[tokio::test]
async fn headers_and_the_remote_address_are_there() {
    let server = telling("/", |request| {
        let header = request.headers()["x-token"].to_str().unwrap();
        assert!(!request.is_tls());
        format!("{header} {}", request.remote_addr())
    })
    .await;
    let mut ws = soon(server.client("/").header("X-Token", "secret"))
        .await
        .unwrap();
    let message = soon(ws.recv()).await.unwrap().unwrap();
    let (token, address) = message.as_text().unwrap().split_once(' ').unwrap();
    assert_eq!(token, "secret");
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    assert_ne!(address, server.address.to_string());
}

#[tokio::test]
async fn the_server_chooses_among_the_subprotocols_that_are_offered() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let offered = request.subprotocols().collect::<Vec<_>>().join("+");
            // The one that is not offered is left alone.
            let request = request.subprotocol("chat.v2").subprotocol("unknown");
            let mut ws = request.accept().await?;
            let chosen = ws.subprotocol().map(str::to_owned);
            ws.send(format!("{offered} {chosen:?}")).await
        })
    })
    .await;
    let offers = ["chat.v1", "chat.v2"];
    let mut ws = soon(server.client("/").subprotocols(offers)).await.unwrap();
    assert_eq!(ws.subprotocol(), Some("chat.v2"));
    let message = soon(ws.recv()).await.unwrap().unwrap();
    assert_eq!(
        message.as_text(),
        Some(r#"chat.v1+chat.v2 Some("chat.v2")"#)
    );

    let mut ws = soon(server.client("/").subprotocols(["other"]))
        .await
        .unwrap();
    assert_eq!(ws.subprotocol(), None);
    let message = soon(ws.recv()).await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("other None"));
}

#[tokio::test]
async fn the_answer_may_carry_more_headers() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let cookie = |value| (http_names::SET_COOKIE, http_names::value(value));
            let (name, value) = cookie("a=1");
            let request = request.header(name, value);
            let (name, value) = cookie("b=2");
            request.header(name, value).accept().await?;
            Ok::<_, Error>(())
        })
    })
    .await;
    let mut tcp = server.tcp().await;
    tcp.write_all(request("/", "").as_bytes()).await.unwrap();
    let head = soon(http::read_head(&mut tcp)).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("Set-Cookie: a=1\r\n"), "{head}");
    assert!(head.contains("Set-Cookie: b=2\r\n"), "{head}");
}

mod http_names {
    pub(crate) use ::http::header::SET_COOKIE;

    pub(crate) fn value(value: &'static str) -> ::http::HeaderValue {
        ::http::HeaderValue::from_static(value)
    }
}

#[tokio::test]
async fn a_handler_may_replace_the_options() {
    let server = Running::start(|serve| {
        serve
            .max_message_size(10)
            .route("/large", |request: Upgrade| async move {
                let options = Options::default().max_message_size(1000);
                echo(request.options(options)).await
            })
            .fallback(echo)
    })
    .await;
    let mut ws = server.connect("/large").await;
    soon(ws.send("x".repeat(1000))).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap().unwrap().len(), 1000);
    let mut ws = server.connect("/small").await;
    soon(ws.send("x".repeat(11))).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code().unwrap().get(), 1009);
}

#[tokio::test]
async fn routes_that_cannot_be_told_apart_are_an_error_when_the_server_starts() {
    for (one, other) in [
        ("/{a}", "/{b}"),
        ("/a", "/a"),
        ("/{*a}", "/{b}/{*c}/d"),
        ("/x", "/{"),
    ] {
        let server = Running::start(|serve| serve.route(one, echo).route(other, echo)).await;
        let served = soon(server.serving).await.unwrap();
        let error = served.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(other), "{error}");
    }
}
