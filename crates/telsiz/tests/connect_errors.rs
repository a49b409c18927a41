//! Why a connection could not be opened, by type.
#![allow(clippy::unwrap_used)]

mod common;

use common::http::read_head;
use common::{client, soon};
use telsiz::{Connect, ConnectError, WebSocket};
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Our client's answer to a server that says `said` to its request.
async fn answered(connect: Connect, said: String) -> Result<WebSocket<DuplexStream>, ConnectError> {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    let serving = async {
        read_head(&mut theirs).await;
        theirs.write_all(said.as_bytes()).await.unwrap();
        theirs
    };
    let (opened, _theirs) = soon(async { tokio::join!(connect.over(ours), serving) }).await;
    opened
}

const ACCEPTING: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                         Connection: Upgrade\r\nSec-WebSocket-Accept: ";

#[tokio::test]
async fn an_accept_that_does_not_fit_the_key_is_refused() {
    let said = format!("{ACCEPTING}s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    let opened = answered(client(), said).await;
    assert!(
        matches!(opened, Err(ConnectError::Handshake(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let opened = answered(client(), "SSH-2.0-OpenSSH\r\n".to_owned()).await;
    assert!(
        matches!(opened, Err(ConnectError::Handshake(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn an_answer_without_an_end_is_refused_at_8_kib() {
    let said = format!(
        "HTTP/1.1 101 Switching Protocols\r\nX: {}",
        "x".repeat(9000)
    );
    let (ours, mut theirs) = tokio::io::duplex(100_000);
    theirs.write_all(said.as_bytes()).await.unwrap();
    let opened = soon(client().over(ours)).await;
    assert!(
        matches!(opened, Err(ConnectError::Handshake(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn any_other_status_is_a_rejection_with_headers_and_body() {
    for (status, body) in [
        (302, ""),
        (404, "nothing here"),
        (503, "later"),
        (200, "a page"),
    ] {
        let len = body.len();
        let said = format!(
            "HTTP/1.1 {status} X\r\nLocation: /there\r\nContent-Length: {len}\r\n\r\n{body}"
        );
        let Err(ConnectError::Rejected(response)) = answered(client(), said).await else {
            panic!("{status} is no WebSocket");
        };
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["location"], "/there");
        assert_eq!(response.body(), body);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_the_callers_fault() {
    for uri in ["", "/path", "http://localhost/", "ws://", "not a uri"] {
        let opened = soon(telsiz::connect(uri)).await;
        assert!(
            matches!(opened, Err(ConnectError::Uri(_) | ConnectError::Request(_))),
            "{uri}: {opened:?}"
        );
    }
    let opened = soon(telsiz::connect("ws://127.0.0.1:1/").header("in valid", "x")).await;
    assert!(
        !matches!(opened, Ok(_) | Err(ConnectError::Timeout)),
        "{opened:?}"
    );
    let (ours, _theirs) = tokio::io::duplex(4096);
    for wrong in [
        client().header("a", "b\r\nc"),
        client().header("in valid", "x"),
    ] {
        let (ours, _theirs) = tokio::io::duplex(4096);
        let opened = soon(wrong.over(ours)).await;
        assert!(matches!(opened, Err(ConnectError::Header(_))), "{opened:?}");
    }
    let opened = soon(client().subprotocols(["no token"]).over(ours)).await;
    assert!(
        matches!(opened, Err(ConnectError::Request(_))),
        "{opened:?}"
    );
}

#[tokio::test]
async fn a_connect_that_is_given_up_drops_its_transport() {
    let (ours, mut theirs) = tokio::io::duplex(4096);
    assert!(
        common::poll::at_most(1, client().over(ours))
            .await
            .is_none()
    );
    soon(read_head(&mut theirs)).await;
    assert_eq!(
        soon(tokio::io::AsyncReadExt::read(&mut theirs, &mut [0]))
            .await
            .unwrap(),
        0
    );
}
