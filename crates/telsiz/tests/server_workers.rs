//! Connections on several threads.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::server::Running;
use common::soon;
use telsiz::{Upgrade, WebSocket};

/// Each client is told the name of the thread that serves it.
async fn naming(workers: usize) -> Running {
    Running::start(|serve| {
        serve
            .workers(workers)
            .fallback(|request: Upgrade| async move {
                let mut ws = request.accept().await?;
                let name = std::thread::current().name().unwrap_or_default().to_owned();
                ws.send(name).await?;
                ws.run(|message, replies| replies.echo(message)).await
            })
    })
    .await
}

async fn named(server: &Running) -> (WebSocket, String) {
    let mut ws = server.connect("/").await;
    let name = soon(ws.recv()).await.unwrap().unwrap();
    let name = name.as_text().unwrap().to_owned();
    (ws, name)
}

#[tokio::test]
async fn connections_are_dealt_out_evenly() {
    let server = naming(3).await;
    let mut clients = Vec::new();
    let mut count = BTreeMap::new();
    for _ in 0..12 {
        let (ws, name) = named(&server).await;
        *count.entry(name).or_insert(0) += 1;
        clients.push(ws);
    }
    assert_eq!(
        count.values().copied().collect::<Vec<_>>(),
        [4, 4, 4],
        "{count:?}"
    );
    assert!(
        count.keys().all(|name| name.starts_with("telsiz-")),
        "{count:?}"
    );
}

#[tokio::test]
async fn a_handler_knows_the_number_of_its_worker() {
    for workers in [0, 1, 3] {
        let server = Running::start(|serve| {
            serve
                .workers(workers)
                .fallback(|request: Upgrade| async move {
                    let number = request.worker();
                    let name = std::thread::current().name().unwrap_or_default().to_owned();
                    let mut ws = request.accept().await?;
                    ws.send(format!("{number} {name}")).await?;
                    ws.run(|_, _| {}).await
                })
        })
        .await;
        let (mut clients, mut numbers) = (Vec::new(), BTreeSet::new());
        for _ in 0..workers.max(1) {
            let (ws, said) = named(&server).await;
            let (number, name) = said.split_once(' ').unwrap();
            if workers > 1 {
                assert_eq!(name, format!("telsiz-{number}"));
            }
            numbers.insert(number.parse::<usize>().unwrap());
            clients.push(ws);
        }
        assert_eq!(numbers, (0..workers.max(1)).collect());
    }
}

#[tokio::test]
async fn a_worker_whose_clients_left_gets_the_next_ones() {
    let server = naming(3).await;
    let mut clients = Vec::new();
    for _ in 0..9 {
        clients.push(named(&server).await);
    }
    let left = clients[0].1.clone();
    let (leaving, staying): (Vec<_>, Vec<_>) =
        clients.into_iter().partition(|(_, name)| *name == left);
    assert_eq!(leaving.len(), 3);
    for (mut ws, _) in leaving {
        // When this has ended, the server has given the place up or will at once:
        // it waits for our end of the transport.
        soon(ws.close(telsiz::CloseCode::NORMAL)).await;
    }
    let mut new = Vec::new();
    for _ in 0..3 {
        new.push(named(&server).await);
    }
    // It may not have noticed the last one yet.
    let back = new.iter().filter(|(_, name)| *name == left).count();
    assert!(back >= 2, "{back}");
    drop(staying);
}

#[tokio::test]
async fn all_workers_echo_and_stop_gracefully() {
    let server = naming(3).await;
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.push(named(&server).await.0);
    }
    for ws in &mut clients {
        soon(ws.send("a")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
    }
    server.stopper.stop_with(telsiz::CloseCode::RESTART);
    for ws in &mut clients {
        assert_eq!(soon(ws.recv()).await.unwrap(), None);
        assert_eq!(ws.close_code(), Some(telsiz::CloseCode::RESTART));
    }
    server.ended().await;
}

#[tokio::test]
async fn a_panic_on_a_worker_harms_no_other_connection_of_it() {
    let server = Running::start(|serve| {
        serve.workers(2).fallback(|request: Upgrade| async move {
            let mut ws = request.accept().await?;
            ws.run(|message, replies| {
                assert_ne!(message.as_text(), Some("panic"));
                replies.echo(message);
            })
            .await
        })
    })
    .await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(server.connect("/").await);
    }
    let mut ws = server.connect("/").await;
    soon(ws.send("panic")).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), None);
    assert_eq!(ws.close_code(), Some(telsiz::CloseCode::INTERNAL_ERROR));
    for ws in &mut others {
        soon(ws.send("a")).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("a".into()));
    }
    drop((ws, others));
    server.stop().await;
}

#[tokio::test]
async fn one_worker_is_the_runtime_itself() {
    let server = naming(1).await;
    let (_ws, name) = named(&server).await;
    assert_eq!(name, std::thread::current().name().unwrap());
}
