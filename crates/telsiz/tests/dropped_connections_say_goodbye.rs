//! What becomes of a connection, and of a request, that its owner drops.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frame::Frame;
use common::raw::Raw;
use common::server::{Running, echo};
use common::{client, pipe, soon};
use telsiz::{CloseCode, ConnectError, Error, Upgrade};
use tokio::sync::mpsc;

#[tokio::test]
async fn a_dropped_client_sends_what_was_fed_and_1000() {
    let (mut ws, mut peer) = pipe(7, client()).await;
    ws.feed("fed before").await.unwrap();
    drop(ws);
    let frames = soon(peer.behave()).await;
    assert_eq!(frames, [Frame::text("fed before"), Frame::close(1000, "")]);
}

#[tokio::test]
async fn a_dropped_client_is_closed_cleanly_at_the_server() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let report = report.clone();
            async move {
                let mut ws = request.accept().await.unwrap();
                let ended = ws.recv().await;
                report.send((ended, ws.close_code())).unwrap();
            }
        })
    })
    .await;
    drop(server.connect("/").await);
    let (ended, code) = soon(reports.recv()).await.unwrap();
    assert!(matches!(ended, Ok(None)), "{ended:?}");
    assert_eq!(code, Some(CloseCode::NORMAL));
}

#[tokio::test]
async fn a_handler_that_returns_closes_with_1000() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let mut ws = request.accept().await?;
            ws.feed("fed before").await
        })
    })
    .await;
    let mut ws = server.connect("/").await;
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("fed before".into()));
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
}

/// A server with handlers that panic in different places.
async fn panicking() -> Running {
    Running::start(|serve| {
        serve
            .route("/recv", |request: Upgrade| async move {
                let mut ws = request.accept().await?;
                let message = ws.recv().await?;
                assert!(message.is_none(), "after recv");
                Ok::<_, Error>(())
            })
            .route("/run", |request: Upgrade| async move {
                let mut ws = request.accept().await?;
                ws.run(|_, replies| {
                    replies.text("before");
                    panic!("within run");
                })
                .await
            })
            .route("/split", |request: Upgrade| async move {
                let (mut receiver, _sender) = request.accept().await?.split();
                let message = receiver.recv().await?;
                assert!(message.is_none(), "with halves");
                Ok::<_, Error>(())
            })
            .route("/before", |request: Upgrade| async move {
                assert!(request.is_tls(), "before it was accepted");
            })
            .route("/at-once", |request: Upgrade| {
                assert!(request.is_tls(), "before there is a future");
                async {}
            })
            .fallback(echo)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_closes_that_connection_with_1011_and_no_other() {
    let server = panicking().await;
    let mut other = server.connect("/other").await;
    for path in ["/recv", "/split"] {
        let mut ws = server.connect(path).await;
        soon(ws.send("now")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        assert_eq!(ws.close_code(), Some(CloseCode::INTERNAL_ERROR), "{path}");
        soon(other.send(path)).await.unwrap();
        assert_eq!(soon(other.recv()).await.unwrap(), Some(path.into()));
    }
    let mut new = server.connect("/new").await;
    soon(new.send("served")).await.unwrap();
    assert_eq!(soon(new.recv()).await.unwrap(), Some("served".into()));
}

#[tokio::test]
async fn a_panic_within_run_sends_the_answers_before_it_and_1011() {
    let server = panicking().await;
    let mut ws = server.connect("/run").await;
    soon(ws.send("now")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("before".into()));
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::INTERNAL_ERROR));
}

#[tokio::test]
async fn a_handler_that_panics_before_it_accepts_answers_500() {
    let server = panicking().await;
    for path in ["/before", "/at-once"] {
        let Err(ConnectError::Rejected(response)) = soon(server.client(path)).await else {
            panic!("it has to be refused");
        };
        assert_eq!(response.status(), 500);
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_is_answered_with_500() {
    let server =
        Running::start(|serve| serve.fallback(|request: Upgrade| async move { drop(request) }))
            .await;
    let Err(ConnectError::Rejected(response)) = soon(server.client("/")).await else {
        panic!("it has to be refused");
    };
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn a_request_whose_handler_is_given_up_is_answered_with_500() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let never = std::future::pending::<()>();
            let _ = tokio::time::timeout(Duration::from_millis(1), async move {
                never.await;
                drop(request);
            })
            .await;
        })
    })
    .await;
    let Err(ConnectError::Rejected(response)) = soon(server.client("/")).await else {
        panic!("it has to be refused");
    };
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn accept_and_close_tells_the_code() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            request.accept_and_close(CloseCode::POLICY).await;
        })
    })
    .await;
    let mut ws = server.connect("/").await;
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::POLICY));
}

#[tokio::test]
async fn a_dropped_server_side_reads_on_until_the_client_ends() {
    // A reset would eat the Close frame of a client that is still sending.
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            drop(request.accept().await?);
            Ok::<_, Error>(())
        })
    })
    .await;
    let mut peer = Raw::open(&server, "/").await;
    for _ in 0..50 {
        peer.send(Frame::binary([0; 10_000])).await;
    }
    peer.send(Frame::close(1000, "")).await;
    assert_eq!(soon(peer.rest()).await, [Frame::close(1000, "")]);
}

#[test]
fn outside_a_runtime_the_close_frame_goes_out_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (ws, mut peer) = runtime.block_on(pipe(4096, client()));
    drop(ws);
    let frames = runtime.block_on(soon(peer.rest()));
    assert_eq!(frames, [Frame::close(1000, "")]);
}
