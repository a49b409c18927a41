//! Both kinds of tokio's runtimes, at both ends.
#![allow(clippy::unwrap_used)]

mod common;

use common::server::Running;
use common::{noise, soon};
use telsiz::{CloseCode, Message};
use tokio::runtime::{Builder, Runtime};

/// Talks to an echo server in every way, many times at once.
async fn talk(uri: String) {
    let mut talks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let uri = uri.clone();
        talks.spawn(async move {
            let mut ws = soon(telsiz::connect(uri)).await.unwrap();
            for len in [0, 10, 10_000, 300_000] {
                let message = Message::from(noise(len, number));
                soon(ws.send(message.clone())).await.unwrap();
                assert!(soon(ws.recv()).await.unwrap() == Some(message));
            }
            soon(ws.ping()).await.unwrap();
            let (mut receiver, sender) = ws.split();
            let sending = tokio::spawn(async move {
                for _ in 0..50 {
                    sender.send("from another task").await.unwrap();
                }
            });
            for _ in 0..50 {
                let message = soon(receiver.recv()).await.unwrap();
                assert_eq!(message, Some("from another task".into()));
            }
            soon(sending).await.unwrap();
            let outcome = soon(receiver.close(CloseCode::NORMAL)).await.unwrap();
            assert_eq!(outcome.code(), CloseCode::NORMAL);
        });
    }
    while let Some(talked) = talks.join_next().await {
        talked.unwrap();
    }
}

fn serve_on(server: &Runtime, client: &Runtime) {
    let running = server.block_on(Running::echo());
    let uri = running.uri("/");
    std::thread::scope(|scope| {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = scope.spawn(|| {
            server.block_on(async {
                stopped.await.unwrap();
                running.stop().await;
            });
        });
        client.block_on(talk(uri));
        stop.send(()).unwrap();
        serving.join().unwrap();
    });
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn current_thread_at_both_ends() {
    serve_on(&current_thread(), &current_thread());
}

#[test]
fn multi_thread_at_both_ends() {
    serve_on(&multi_thread(), &multi_thread());
}

#[test]
fn one_of_each() {
    serve_on(&multi_thread(), &current_thread());
    serve_on(&current_thread(), &multi_thread());
}

#[test]
fn server_and_client_in_one_runtime() {
    for runtime in [current_thread(), multi_thread()] {
        runtime.block_on(async {
            let running = Running::echo().await;
            talk(running.uri("/")).await;
            running.stop().await;
        });
    }
}
