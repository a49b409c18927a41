//! What the tests share: deadlines, servers on a free port, and peers made by
//! hand.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod attack;
pub(crate) mod certificates;
pub(crate) mod frame;
pub(crate) mod frozen;
#[path = "../../../telsiz-proto/tests/common/heap.rs"]
pub(crate) mod heap;
pub(crate) mod http;
pub(crate) mod poll;
pub(crate) mod raw;
pub(crate) mod server;

use std::time::Duration;

use telsiz::{Connect, Receiver, Sender, WebSocket};
use tokio::io::DuplexStream;

use self::raw::Raw;

/// How long anything may take that ought to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what ought to happen soon.
#[track_caller]
pub(crate) fn soon<F: IntoFuture>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing happened in {PATIENCE:?}: {caller}"),
        }
    }
}

/// A client to be opened over something other than TCP.
pub(crate) fn client() -> Connect {
    telsiz::connect("ws://peer/path")
}

/// Our client, and a peer made by hand, over a pipe that holds `room` bytes each
/// way.
pub(crate) async fn pipe(
    room: usize,
    client: Connect,
) -> (WebSocket<DuplexStream>, Raw<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(room);
    let (ws, peer) = tokio::join!(client.over(ours), Raw::accept(theirs));
    (ws.expect("the peer accepts"), peer)
}

/// Bytes without a pattern that a shift would keep.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u8
        })
        .collect()
}

/// Sends much through one half to an echo, and reads it from the other in another
/// task.
pub(crate) async fn busy_halves(ws: WebSocket) -> (Receiver, Sender) {
    let message = |number: usize| noise(number * 7919 % 60_000, number as u64);
    let (mut receiver, sender) = ws.split();
    let sending = tokio::spawn(async move {
        for number in 0..200 {
            sender.send(message(number)).await.expect("an open one");
        }
        sender
    });
    for number in 0..200 {
        let echo = soon(receiver.recv()).await.expect("an open one");
        assert!(echo.is_some_and(|echo| echo.as_bytes() == message(number)));
    }
    (receiver, soon(sending).await.expect("no panic"))
}
