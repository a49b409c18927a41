//! A server that stops: everyone is told, awaited, and not for ever.
#![allow(clippy::unwrap_used)]

mod common;

use std::convert::Infallible;
use std::time::{Duration, Instant};

use common::frame::Frame;
use common::http::Answer;
use common::raw::{Raw, request};
use common::server::{Running, echo};
use common::soon;
use http::{Request, Response};
use telsiz::{CloseCode, CloseFrame, ConnectError, Error, Serve, Upgrade};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

const LONG: Duration = Duration::from_secs(600);

/// An echo server that waits long for its connections, with and without threads.
async fn patient(workers: usize) -> Running {
    Running::start(|serve| {
        serve
            .workers(workers)
            .drain_timeout(LONG)
            .close_timeout(LONG)
            .fallback(echo)
    })
    .await
}

#[tokio::test]
async fn every_client_is_closed_with_1001_and_the_server_ends() {
    for workers in [0, 3] {
        let server = patient(workers).await;
        let mut clients = Vec::new();
        for number in 0..7 {
            let mut ws = server.connect("/").await;
            // Some wait in recv for the first time, others again.
            if number % 2 == 0 {
                soon(ws.send("a")).await.unwrap();
                assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
            }
            clients.push(ws);
        }
        server.stopper.stop();
        for ws in &mut clients {
            assert_eq!(soon(ws.recv()).await.unwrap(), None);
            assert_eq!(ws.close_code(), Some(CloseCode::GOING_AWAY));
        }
        server.ended().await;
    }
}

#[tokio::test]
async fn a_server_whose_future_is_dropped_tells_its_connections() {
    for workers in [0, 2] {
        let server = patient(workers).await;
        let mut ws = server.connect("/").await;
        server.serving.abort();
        assert_eq!(soon(ws.recv()).await.unwrap(), None, "{workers}");
        assert_eq!(ws.close_code(), Some(CloseCode::GOING_AWAY));
    }
}

#[tokio::test]
async fn stop_with_tells_a_code_and_a_reason_of_choice() {
    for workers in [0, 2] {
        let server = patient(workers).await;
        let mut ws = server.connect("/").await;
        let frame = CloseFrame::new(CloseCode::RESTART, "back soon").unwrap();
        server.stopper.stop_with(frame);
        server.stopper.stop();
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        assert_eq!(
            ws.close_code(),
            Some(CloseCode::RESTART),
            "the first one counts"
        );
        assert_eq!(ws.outcome().unwrap().reason(), "back soon");
        server.ended().await;
    }
}

#[tokio::test]
async fn it_stops_on_a_signal_of_choice() {
    let (signal, signalled) = oneshot::channel::<()>();
    let server = Running::start(|serve| {
        serve
            .drain_timeout(LONG)
            .fallback(echo)
            .stop_on(async move {
                let _ = signalled.await;
            })
    })
    .await;
    let mut ws = server.connect("/").await;
    signal.send(()).unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::GOING_AWAY));
    server.ended().await;
}

#[tokio::test]
async fn a_server_without_connections_ends_at_once() {
    for workers in [0, 3] {
        patient(workers).await.stop().await;
    }
}

#[tokio::test]
async fn run_halves_ping_and_send_notice_a_stop() {
    let server = Running::start(|serve| {
        serve
            .drain_timeout(LONG)
            .write_buffer(1000)
            .route("/run", |request: Upgrade| async move {
                let mut ws = request.accept().await?;
                ws.run(|message, replies| replies.echo(message)).await
            })
            .route("/halves", |request: Upgrade| async move {
                let (mut receiver, sender) = request.accept().await?.split();
                sender.send("hello").await?;
                while receiver.recv().await?.is_some() {}
                Ok::<_, Error>(())
            })
            .route("/ping", |request: Upgrade| async move {
                let mut ws = request.accept().await?;
                let _ = ws.ping().await;
                Ok::<_, Error>(())
            })
            .route("/feed", |request: Upgrade| async move {
                let mut ws = request.accept().await?;
                loop {
                    ws.feed(vec![0; 100_000]).await?;
                }
                #[expect(unreachable_code, reason = "it names the type")]
                Ok::<_, Error>(())
            })
    })
    .await;
    let mut peers = Vec::new();
    for path in ["/run", "/halves", "/ping"] {
        peers.push(Raw::open(&server, path).await);
    }
    // The last one never receives and waits for room.
    let mut flooded = Raw::open(&server, "/feed").await;
    assert_eq!(soon(peers[1].frame()).await, Frame::text("hello"));
    server.stopper.stop();
    for peer in &mut peers {
        let close = loop {
            let frame = soon(peer.frame()).await;
            if frame.opcode == 8 {
                break frame;
            }
        };
        assert_eq!(close.close_body().0, 1001);
        peer.send(close).await;
    }
    let frames = soon(flooded.behave()).await;
    assert_eq!(frames.last().unwrap().close_body().0, 1001);
    drop((peers, flooded));
    server.ended().await;
}

#[tokio::test]
async fn a_handler_that_is_busy_elsewhere_says_the_code_when_it_returns() {
    let (go_on, wait) = oneshot::channel::<()>();
    let wait = std::sync::Mutex::new(Some(wait));
    let server = Running::start(|serve| {
        serve.drain_timeout(LONG).fallback(move |request: Upgrade| {
            let wait = wait.lock().unwrap().take().unwrap();
            async move {
                let _ws = request.accept().await?;
                let _ = wait.await;
                Ok::<_, Error>(())
            }
        })
    })
    .await;
    let mut ws = server.connect("/").await;
    server.stopper.stop_with(CloseCode::RESTART);
    server.stopping().await;
    go_on.send(()).unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(CloseCode::RESTART));
    server.ended().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_awaited_for_the_drain_timeout() {
    for workers in [0, 2] {
        let limit = Duration::from_millis(300);
        let server = Running::start(|serve| {
            serve
                .workers(workers)
                .drain_timeout(limit)
                .close_timeout(LONG)
                .fallback(echo)
        })
        .await;
        let mut peer = Raw::open(&server, "/").await;
        let start = Instant::now();
        let stopper = server.stopper.clone();
        stopper.stop();
        assert_eq!(soon(peer.frame()).await, Frame::close(1001, ""));
        server.ended().await;
        assert!(start.elapsed() >= limit);
        assert_eq!(stopper.cut_off(), 1);
    }
}

#[tokio::test]
async fn workers_wait_for_their_clients_at_the_same_time() {
    let limit = Duration::from_secs(2);
    let server = Running::start(|serve| {
        let serve = serve.workers(4).drain_timeout(limit).close_timeout(LONG);
        serve.fallback(echo)
    })
    .await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        peers.push(Raw::open(&server, "/").await);
    }
    let (start, stopper) = (Instant::now(), server.stopper.clone());
    stopper.stop();
    server.ended().await;
    assert!(start.elapsed() < 2 * limit, "{:?}", start.elapsed());
    assert_eq!(stopper.cut_off(), 4);
}

#[tokio::test]
async fn while_connections_are_told_one_by_one_nobody_else_gets_in_and_http_is_served() {
    for workers in [0, 1] {
        let server = Running::start(|serve| {
            let serve = serve.workers(workers).drain_timeout(LONG);
            serve.stop_window(LONG).route("/ws", echo).http(hello)
        })
        .await;
        let mut first = server.connect("/ws").await;
        let mut last = server.connect("/ws").await;
        assert!(!server.stopper.is_stopping());
        server.stopper.stop_with(CloseCode::RESTART);
        assert!(server.stopper.is_stopping());
        assert_eq!(soon(first.recv()).await.unwrap(), None);
        assert_eq!(first.close_code(), Some(CloseCode::RESTART));

        let refused = soon(server.client("/ws").into_future()).await;
        let Err(ConnectError::Rejected(response)) = refused else {
            panic!("it has to be refused");
        };
        assert_eq!(response.status(), 503);
        drop(tcp_that_served_http(&server).await);
        soon(last.send("still here")).await.unwrap();
        assert_eq!(soon(last.recv()).await.unwrap(), Some("still here".into()));

        // Nobody is left to be told.
        soon(last.close(CloseCode::NORMAL)).await;
        let stopper = server.stopper.clone();
        server.ended().await;
        assert_eq!(stopper.cut_off(), 0);
    }
}

#[tokio::test]
async fn nothing_is_accepted_after_a_stop() {
    for workers in [0, 2] {
        let server = patient(workers).await;
        let peer = Raw::open(&server, "/").await;
        let address = server.address;
        let mut peer = peer;
        server.stopper.stop();
        assert_eq!(soon(peer.frame()).await, Frame::close(1001, ""));
        assert!(soon(TcpStream::connect(address)).await.is_err());
        drop(peer);
        server.ended().await;
    }
}

#[tokio::test]
async fn an_upgrade_that_is_accepted_during_a_stop_is_refused_with_503() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (report, mut reports) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.drain_timeout(LONG).fallback(move |request: Upgrade| {
            let (arrived, report) = (arrived.clone(), report.clone());
            async move {
                let (go_on, wait) = oneshot::channel::<()>();
                arrived.send(go_on).unwrap();
                let _ = wait.await;
                report.send(request.accept().await.map(drop)).unwrap();
            }
        })
    })
    .await;
    let connecting = tokio::spawn(server.client("/").into_future());
    let go_on = soon(arrivals.recv()).await.unwrap();
    server.stopper.stop();
    server.stopping().await;
    go_on.send(()).unwrap();
    let Err(ConnectError::Rejected(response)) = soon(connecting).await.unwrap() else {
        panic!("it has to be refused");
    };
    assert_eq!(response.status(), 503);
    let accepted = soon(reports.recv()).await.unwrap();
    assert!(matches!(accepted, Err(Error::Closed)), "{accepted:?}");
    server.ended().await;
}

async fn unfinished_handshake(set_up: impl FnOnce(Serve) -> Serve) {
    let server = Running::start(|serve| set_up(serve).drain_timeout(LONG).fallback(echo)).await;
    let mut slow = server.tcp().await;
    slow.write_all(&request("/", "").as_bytes()[..20])
        .await
        .unwrap();
    // Another handshake shows that the first was accepted.
    drop(Raw::open(&server, "/").await);
    server.stopper.stop();
    assert_eq!(soon(slow.read(&mut [0])).await.unwrap_or(0), 0);
    server.ended().await;
}

#[tokio::test]
async fn an_unfinished_handshake_does_not_hold_a_stop_up() {
    unfinished_handshake(|serve| serve.open_timeout(LONG)).await;
    unfinished_handshake(|serve| serve.open_timeout(LONG).workers(2)).await;
}

#[tokio::test]
async fn an_unfinished_handshake_without_an_open_timeout_does_not_hold_a_stop_up() {
    unfinished_handshake(|serve| serve.open_timeout(None)).await;
}

/// An HTTP service beside the WebSockets.
async fn hello<B>(_: Request<B>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("hello".to_owned()))
}

/// A connection on which `hello` has answered once.
async fn tcp_that_served_http(server: &Running) -> TcpStream {
    let mut tcp = server.tcp().await;
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(soon(Answer::read(&mut tcp)).await.body, "hello");
    tcp
}

#[tokio::test]
async fn an_idle_http_connection_does_not_hold_a_stop_up() {
    let server = Running::start(|serve| serve.drain_timeout(LONG).http(hello)).await;
    let mut tcp = tcp_that_served_http(&server).await;
    server.stopper.stop();
    assert_eq!(soon(tcp.read(&mut [0])).await.unwrap(), 0);
    server.ended().await;
}

#[tokio::test]
async fn a_client_on_a_connection_that_served_http_before_is_told_too() {
    let server = Running::start(|serve| {
        let serve = serve.drain_timeout(LONG);
        serve.route("/ws", echo).http(hello)
    })
    .await;
    let tcp = tcp_that_served_http(&server).await;
    let mut peer = soon(Raw::open_with(tcp, "/ws", b"")).await;
    server.stopper.stop();
    let close = soon(peer.frame()).await;
    assert_eq!(close.close_body().0, 1001);
    peer.send(close).await;
    assert!(soon(peer.next()).await.is_none());
    drop(peer);
    server.ended().await;
}
