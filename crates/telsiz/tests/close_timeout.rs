//! The closing handshake takes only so long, on virtual time.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frame::Frame;
use common::{client, pipe};
use telsiz::{Cause, CloseCode, Error, State};
use tokio::time::{Instant, sleep};

#[tokio::test(start_paused = true)]
async fn close_waits_10_seconds_by_default_for_a_silent_peer() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let start = Instant::now();
    let outcome = ws.close(CloseCode::NORMAL).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(outcome.cause, Cause::CloseTimeout);
    assert_eq!(outcome.code(), CloseCode::ABNORMAL);
    assert_eq!(ws.state(), State::Closed);
    assert_eq!(peer.frame().await, Frame::close(1000, ""));
}

#[tokio::test(start_paused = true)]
async fn close_ends_in_time_if_the_peer_reads_nothing() {
    for room in [1, 7, 200] {
        let (mut ws, _peer) = pipe(room, client().close_timeout(Duration::from_secs(3))).await;
        ws.feed(vec![0; 1000]).await.unwrap();
        let start = Instant::now();
        let outcome = ws.close(CloseCode::NORMAL).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 3);
        assert_eq!(outcome.cause, Cause::CloseTimeout);
        assert_eq!(outcome.sent, None, "it never went out");
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_of_the_peer_do_not_prolong_it() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let chatter = async {
        for _ in 0..20 {
            sleep(Duration::from_secs(1)).await;
            peer.send(Frame::text("…")).await;
        }
    };
    let start = Instant::now();
    tokio::select! {
        outcome = ws.close(CloseCode::NORMAL) => {
            assert_eq!(outcome.unwrap().cause, Cause::CloseTimeout);
        }
        () = chatter => panic!("it was prolonged"),
    }
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn after_both_close_frames_a_transport_that_does_not_end_is_given_up() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::close(1000, "")).await;
    let start = Instant::now();
    let outcome = ws.close(CloseCode::NORMAL).await.unwrap();
    assert_eq!(start.elapsed().as_secs(), 10);
    // The handshake was all right.
    assert_eq!(outcome.code(), CloseCode::NORMAL);
    assert_eq!(outcome.cause, Cause::Handshake);
    assert_eq!(ws.recv().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn recv_reports_a_close_that_is_not_answered() {
    let (mut ws, _peer) = pipe(4096, client()).await;
    let start = Instant::now();
    assert!(
        common::poll::at_most(1, ws.close(CloseCode::NORMAL))
            .await
            .is_none()
    );
    let ended = ws.recv().await;
    assert!(matches!(ended, Err(Error::CloseTimeout)), "{ended:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(ws.recv().await.unwrap(), None);
    assert_eq!(ws.outcome().unwrap().cause, Cause::CloseTimeout);
}

#[tokio::test(start_paused = true)]
async fn without_a_close_timeout_close_waits_as_long_as_it_takes() {
    let (mut ws, mut peer) = pipe(4096, client().close_timeout(None)).await;
    let answer = async {
        sleep(Duration::from_secs(100_000)).await;
        peer.behave().await
    };
    let (outcome, _) = tokio::join!(ws.close(CloseCode::NORMAL), answer);
    assert_eq!(outcome.unwrap().code(), CloseCode::NORMAL);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_connection_is_given_up_in_the_background() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let start = Instant::now();
    drop(ws);
    assert_eq!(peer.rest().await, [Frame::close(1000, "")]);
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_ends_a_close_that_a_sender_began() {
    let (ws, _peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { (receiver.recv().await, receiver) });
    sleep(Duration::from_secs(5)).await;
    let start = Instant::now();
    sender.close(CloseCode::NORMAL);
    let (ended, receiver) = receiving.await.unwrap();
    assert!(matches!(ended, Err(Error::CloseTimeout)), "{ended:?}");
    assert_eq!(start.elapsed().as_secs(), 10);
    assert_eq!(receiver.state(), State::Closed);
    assert_eq!(sender.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn it_holds_while_more_than_the_write_buffer_waits() {
    let limit = Duration::from_secs(3);
    let (mut ws, mut peer) = pipe(4096, client().close_timeout(limit)).await;
    peer.send(Frame::text("x")).await;
    let start = Instant::now();
    let run = ws.run(|_, replies| {
        replies.send(vec![0; 200_000]);
        replies.close(CloseCode::NORMAL);
    });
    let ended = run.await;
    assert!(matches!(ended, Err(Error::CloseTimeout)), "{ended:?}");
    assert_eq!(start.elapsed(), limit);
}
