//! A peer that has ended its direction may still read.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::Frame;
use common::raw::Raw;
use common::server::Running;
use common::{client, pipe, soon};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn answers_to_a_peer_that_has_ended_its_direction_go_out() {
    let server = Running::echo().await;
    let mut peer = Raw::open(&server, "/").await;
    peer.send(Frame::text("a")).await;
    peer.send(Frame::text("b")).await;
    peer.say_goodbye(1000, "").await;
    assert_eq!(
        soon(peer.rest()).await,
        [Frame::text("a"), Frame::text("b"), Frame::close(1000, "")]
    );
}

#[tokio::test]
async fn what_was_queued_goes_out_to_a_peer_that_has_ended_its_direction() {
    let (mut ws, mut peer) = pipe(64, client()).await;
    let receiving = tokio::spawn(async move {
        let ran = ws.run(|message, replies| replies.echo(message)).await;
        (ran, ws)
    });
    for number in 0..5 {
        peer.send(Frame::binary([number; 50])).await;
    }
    peer.say_goodbye(1000, "").await;
    // Read only now: most of it was still queued when the end came.
    for number in 0..5 {
        assert_eq!(soon(peer.frame()).await, Frame::binary([number; 50]));
    }
    assert_eq!(soon(peer.frame()).await, Frame::close(1000, ""));
    let (ran, _ws) = soon(receiving).await.unwrap();
    ran.unwrap();
}

#[tokio::test]
async fn an_end_without_a_close_frame_is_lost_also_if_the_peer_still_reads() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.io.shutdown().await.unwrap();
    let ended = soon(ws.recv()).await;
    assert!(matches!(ended, Err(telsiz::Error::Lost(_))), "{ended:?}");
}
