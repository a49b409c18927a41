//! A server closes single connections, and hears how connections ended or why there are none.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::raw::{Raw, request};
use common::server::{Running, echo};
use common::soon;
use telsiz::{CloseCode, CloseFrame, Closer, Options, Unopened, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

type Closers = mpsc::UnboundedReceiver<Closer>;

/// A server that gives away what closes its connections; on `/run` it lends messages.
async fn giving(workers: usize) -> (Running, Closers) {
    let (give, given) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.workers(workers).fallback(move |upgrade: Upgrade| {
            let give = give.clone();
            async move {
                give.send(upgrade.closer()).unwrap();
                match upgrade.path() {
                    "/run" => {
                        let mut ws = upgrade.accept().await?;
                        ws.run(|message, replies| replies.echo(message)).await
                    }
                    _ => echo(upgrade).await,
                }
            }
        })
    })
    .await;
    (server, given)
}

fn away() -> CloseFrame {
    CloseFrame::new(CloseCode::POLICY, "Away").unwrap()
}

#[tokio::test]
async fn one_connection_is_closed_and_the_others_stay() {
    for workers in [0, 2] {
        for path in ["/run", "/recv"] {
            let (server, mut closers) = giving(workers).await;
            let mut ws = server.connect(path).await;
            let closer = soon(closers.recv()).await.unwrap();
            let mut other = server.connect(path).await;
            for ws in [&mut ws, &mut other] {
                soon(ws.send("a")).await.unwrap();
                assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
            }
            assert!(closer.close(away()));
            assert_eq!(soon(ws.recv()).await.unwrap(), None);
            assert_eq!(ws.outcome().unwrap().received, Some(away()));
            soon(other.send("b")).await.unwrap();
            assert_eq!(soon(other.recv()).await.unwrap(), Some("b".into()));
            drop(ws);
            while closer.close(away()) {
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test]
async fn who_reads_nothing_is_closed_too() {
    let (server, mut closers) = giving(0).await;
    let mut deaf = server.connect("/run").await;
    let closer = soon(closers.recv()).await.unwrap();
    // Until its answers fill all that is between.
    let big = vec![0; 1 << 20];
    while let Ok(sent) =
        tokio::time::timeout(Duration::from_millis(500), deaf.send(big.clone())).await
    {
        sent.unwrap();
    }
    assert!(closer.close(away()));
    while let Ok(Some(_)) = soon(deaf.recv()).await {}
    assert_eq!(deaf.outcome().unwrap().received, Some(away()));
}

#[tokio::test]
async fn how_each_connection_ended_is_heard_once() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let options = Options::default().on_end(move |outcome| {
        let codes = outcome.map(|outcome| {
            let code = |frame: &Option<CloseFrame>| frame.as_ref().map(CloseFrame::code);
            (code(&outcome.received), code(&outcome.sent))
        });
        tell.send(codes).unwrap();
    });
    let server = Running::start(|serve| serve.options(options).fallback(echo)).await;
    let mut ws = server.connect("/").await;
    soon(ws.close(CloseCode::new(4000).unwrap())).await;
    let code = CloseCode::new(4000);
    assert_eq!(soon(told.recv()).await.unwrap(), Some((code, code)));
    // Without a closing handshake.
    let raw = Raw::open(&server, "/").await;
    drop(raw);
    assert_eq!(soon(told.recv()).await.unwrap(), Some((None, None)));
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn why_a_connection_became_no_websocket_is_heard() {
    let heard = Arc::<Mutex<Vec<Unopened>>>::default();
    let hear = heard.clone();
    let server = Running::start(|serve| {
        serve
            .open_timeout(Duration::from_millis(100))
            .on_unopened(move |why| hear.lock().unwrap().push(why))
            .route("/echo", echo)
    })
    .await;
    for (said, why) in [
        ("GET /echo HTTP/1.1\r\n", Unopened::Timeout),
        ("\0\0\r\n\r\n", Unopened::Malformed),
        (
            "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            Unopened::Handshake,
        ),
        (&request("/nothing", ""), Unopened::NoRoute),
    ] {
        let mut tcp = server.tcp().await;
        tcp.write_all(said.as_bytes()).await.unwrap();
        let _ = soon(tcp.read_to_end(&mut Vec::new())).await;
        assert_eq!(std::mem::take(&mut *heard.lock().unwrap()), [why], "{said}");
    }
    drop(server.connect("/echo").await);
    drop(server.tcp().await);
    server.stop().await;
    assert_eq!(*heard.lock().unwrap(), []);
}
