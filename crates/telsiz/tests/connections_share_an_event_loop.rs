//! In a runtime of one thread, the connections of a server are polled by an event
//! loop of its own.
#![allow(clippy::unwrap_used)]

mod common;

use std::future::{pending, poll_fn};
use std::task::Poll;

use common::frame::Frame;
use common::raw::{self, Raw};
use common::server::{Running, echo};
use common::{noise, soon};
use telsiz::{Error, Message, Upgrade};
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test]
async fn halves_in_other_tasks_are_woken() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async {
            let (mut receiver, sender) = request.accept().await?.split();
            let (echoes, mut messages) = mpsc::channel::<Message>(1);
            let sending = tokio::spawn(async move {
                while let Some(message) = messages.recv().await {
                    sender.send(message).await?;
                }
                Ok::<_, Error>(())
            });
            tokio::spawn(async move {
                while let Some(message) = receiver.recv().await? {
                    echoes.send(message).await.unwrap();
                }
                Ok::<_, Error>(())
            });
            sending.await.unwrap()
        })
    })
    .await;
    let ws = server.connect("/").await;
    common::busy_halves(ws).await;
    server.stop().await;
}

#[test]
fn a_connection_lives_on_in_another_runtime_as_long_as_its_own() {
    let (give, given) = std::sync::mpsc::channel();
    let (serving, elsewhere) = (current_thread(), current_thread());
    let (mut client, mut ws) = serving.block_on(async {
        let server = Running::start(|serve| {
            serve.fallback(move |request: Upgrade| {
                let give = give.clone();
                async move {
                    give.send(request.accept().await?).unwrap();
                    Ok::<_, Error>(())
                }
            })
        })
        .await;
        let client = server.connect("/").await;
        // It serves as long as the runtime.
        std::mem::forget(server);
        (client, given.recv().unwrap())
    });
    let receiving = std::thread::spawn(move || {
        elsewhere.block_on(async {
            let first = soon(ws.recv()).await;
            (first, soon(ws.recv()).await)
        })
    });
    serving.block_on(async {
        client.send("over here").await.unwrap();
        // The receiver waits, most likely: what is to be seen does not depend on it.
        soon(client.ping()).await.unwrap();
    });
    drop(serving);
    let (first, second) = receiving.join().unwrap();
    assert_eq!(first.unwrap(), Some("over here".into()));
    assert!(matches!(second, Err(Error::Lost(_))), "{second:?}");
}

#[tokio::test]
async fn who_never_waits_lets_others_have_their_turn() {
    let server = Running::start(|serve| {
        serve
            .route("/spins", |request: Upgrade| async {
                let _ws = request.accept().await?;
                let spin = poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    Poll::<()>::Pending
                });
                spin.await;
                Ok::<_, Error>(())
            })
            .route("/consumes", |request: Upgrade| async {
                let _ws = request.accept().await?;
                loop {
                    tokio::task::consume_budget().await;
                }
                #[expect(unreachable_code, reason = "it tells the type")]
                Ok::<_, Error>(())
            })
            .fallback(echo)
    })
    .await;
    let _others = (
        server.connect("/spins").await,
        server.connect("/consumes").await,
    );
    let mut ws = server.connect("/").await;
    for number in 0..10 {
        let message = format!("message {number}");
        ws.send(message.clone()).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(message.into()));
    }
    server.stopper.stop();
}

#[tokio::test]
async fn more_connections_speak_at_once_than_one_call_reports() {
    let server = Running::echo().await;
    let mut peers = Vec::new();
    for _ in 0..300 {
        peers.push(Raw::open(&server, "/").await);
    }
    for round in 0..3 {
        let text = |number: usize| format!("round {round}, peer {number}");
        for (number, peer) in peers.iter_mut().enumerate() {
            peer.send(Frame::text(&text(number))).await;
        }
        for (number, peer) in peers.iter_mut().enumerate() {
            assert_eq!(soon(peer.frame()).await, Frame::text(&text(number)));
        }
    }
    drop(peers);
    server.stop().await;
}

#[tokio::test]
async fn an_end_that_comes_with_the_last_bytes_is_seen() {
    let (report, mut reports) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let report = report.clone();
            async move {
                let mut ws = request.accept().await.unwrap();
                loop {
                    let received = ws.recv().await;
                    let is_last = received.is_err();
                    report.send(received).unwrap();
                    if is_last {
                        break;
                    }
                }
            }
        })
    })
    .await;
    let hello = Frame::text("hello").bytes(true);
    let all = [raw::request("/", "").as_bytes(), &hello].concat();
    for len in [all.len() - hello.len(), all.len() - 1, all.len()] {
        let mut tcp = server.tcp().await;
        tcp.write_all(&all[..len]).await.unwrap();
        tcp.shutdown().await.unwrap();
        if len == all.len() {
            let message = soon(reports.recv()).await.unwrap();
            assert_eq!(message.unwrap(), Some("hello".into()));
        }
        let end = soon(reports.recv()).await.unwrap();
        assert!(matches!(end, Err(Error::Lost(_))), "{end:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_kernel_does_not_take_at_once_goes_out_when_it_does() {
    let message = Message::from(noise(16 << 20, 7));
    let sent = message.clone();
    let server = Running::start(|serve| {
        serve.fallback(move |request: Upgrade| {
            let message = sent.clone();
            async move {
                let mut ws = request.accept().await?;
                ws.send(message).await?;
                pending::<()>().await;
                Ok::<_, Error>(())
            }
        })
    })
    .await;
    let mut ws = soon(server.client("/").max_message_size(16 << 20))
        .await
        .unwrap();
    assert!(soon(ws.recv()).await.unwrap() == Some(message));
    server.stopper.stop();
}
