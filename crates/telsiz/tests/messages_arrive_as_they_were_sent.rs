//! Messages of every kind and size, there and back.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::{BINARY, CONTINUATION, Frame, PING, PONG, TEXT};
use common::server::Running;
use common::{client, noise, pipe, soon};
use telsiz::{CloseCode, Error, Kind, Message, Prepared, SendError, WebSocket};

async fn echoed(ws: &mut WebSocket, message: impl Into<Message>) {
    let message = message.into();
    soon(ws.send(message.clone())).await.unwrap();
    assert!(soon(ws.recv()).await.unwrap() == Some(message));
}

#[tokio::test]
async fn text_binary_and_empty_messages_over_tcp() {
    let server = Running::echo().await;
    let mut ws = server.connect("/").await;
    echoed(&mut ws, "Merhaba dünya").await;
    echoed(&mut ws, vec![0, 1, 255]).await;
    echoed(&mut ws, "").await;
    echoed(&mut ws, Vec::new()).await;
}

#[tokio::test]
async fn messages_of_every_length_form_over_tcp() {
    let server = Running::echo().await;
    let mut ws = server.connect("/").await;
    for len in [125, 126, 4095, 4096, 65_535, 65_536, 1 << 20] {
        echoed(&mut ws, noise(len, 1)).await;
        echoed(&mut ws, "ç".repeat(len / 2)).await;
    }
}

#[tokio::test]
async fn a_message_of_1_mib_through_a_narrow_pipe() {
    let (mut ws, mut peer) = pipe(1000, client()).await;
    let bytes = noise(1 << 20, 2);
    let there = async {
        ws.send(bytes.clone()).await.unwrap();
        ws.recv().await.unwrap().unwrap()
    };
    let back = async {
        let frame = peer.frame().await;
        peer.send(frame.clone()).await;
        frame
    };
    let (message, frame) = soon(async { tokio::join!(there, back) }).await;
    assert!(frame == Frame::binary(&bytes));
    assert!(message == Message::from(bytes));
}

#[tokio::test]
async fn fragments_come_as_one_message_whatever_lies_between() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::text("mer").more()).await;
    peer.send(Frame::new(CONTINUATION, "").more()).await;
    peer.send(Frame::new(PING, "between")).await;
    peer.send(Frame::new(CONTINUATION, "haba")).await;
    peer.send(Frame::binary([0]).more()).await;
    peer.send(Frame::new(CONTINUATION, [1])).await;
    assert_eq!(ws.recv().await.unwrap(), Some("merhaba".into()));
    assert_eq!(ws.recv().await.unwrap(), Some(vec![0, 1].into()));
    ws.flush().await.unwrap();
    assert_eq!(peer.frame().await, Frame::new(PONG, "between"));
}

#[tokio::test]
async fn fragments_go_out_as_they_are_given() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    ws.send_fragment("mer", false).await.unwrap();
    ws.send_fragment("", false).await.unwrap();
    ws.send_fragment("haba", true).await.unwrap();
    ws.send_fragment(vec![7], true).await.unwrap();
    assert_eq!(peer.frame().await, Frame::new(TEXT, "mer").more());
    assert_eq!(peer.frame().await, Frame::new(CONTINUATION, "").more());
    assert_eq!(peer.frame().await, Frame::new(CONTINUATION, "haba"));
    assert_eq!(peer.frame().await, Frame::new(BINARY, [7]));
}

#[tokio::test]
async fn fragments_arrive_whole_at_our_server() {
    let server = Running::echo().await;
    let mut ws = server.connect("/").await;
    for part in ["a", "", "bc"] {
        soon(ws.send_fragment(part, false)).await.unwrap();
    }
    soon(ws.send_fragment("d", true)).await.unwrap();
    assert_eq!(soon(ws.recv()).await.unwrap(), Some("abcd".into()));
}

#[tokio::test]
async fn nothing_else_goes_out_amid_a_fragmented_message() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    ws.send_fragment("a", false).await.unwrap();
    let is_misuse = |result| matches!(result, Err(Error::Misuse(SendError::FragmentOpen)));
    assert!(is_misuse(ws.send("b").await));
    assert!(is_misuse(ws.send_fragment(vec![1], true).await));
    ws.send_fragment("c", true).await.unwrap();
    ws.send("d").await.unwrap();
    assert_eq!(peer.frame().await, Frame::text("a").more());
    assert_eq!(peer.frame().await, Frame::new(CONTINUATION, "c"));
    assert_eq!(peer.frame().await, Frame::text("d"));
}

#[tokio::test]
async fn what_is_fed_goes_out_when_recv_waits() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    ws.feed("a").await.unwrap();
    ws.feed("b").await.unwrap();
    let answer = async {
        assert_eq!(peer.frame().await, Frame::text("a"));
        assert_eq!(peer.frame().await, Frame::text("b"));
        peer.send(Frame::text("c")).await;
    };
    let (message, ()) = soon(async { tokio::join!(ws.recv(), answer) }).await;
    assert_eq!(message.unwrap(), Some("c".into()));
}

#[tokio::test]
async fn feed_queues_with_the_call_and_flush_writes() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    drop(ws.feed("never awaited"));
    ws.flush().await.unwrap();
    assert_eq!(peer.frame().await, Frame::text("never awaited"));
}

#[tokio::test]
async fn a_prepared_message_goes_to_many_in_both_roles() {
    let prepared = Prepared::new("to all");
    let sent = prepared.clone();
    let server = Running::start(|serve| {
        serve.fallback(move |request| {
            let sent = sent.clone();
            async move {
                let mut ws = request.accept().await?;
                ws.send(&sent).await?;
                while let Some(message) = ws.recv().await? {
                    assert_eq!(message, *sent.message());
                    ws.send(message).await?;
                }
                Ok::<_, Error>(())
            }
        })
    })
    .await;
    for _ in 0..3 {
        let mut ws = server.connect("/").await;
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("to all".into()));
        soon(ws.send(&prepared)).await.unwrap();
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("to all".into()));
    }
}

#[tokio::test]
async fn what_comes_with_the_answer_to_the_handshake_is_received() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let behind = [
        Frame::text("early").bytes(false),
        Frame::binary([1]).bytes(false),
    ]
    .concat();
    let (ws, _peer) = tokio::join!(
        client().over(ours),
        common::raw::Raw::accept_with(theirs, &behind)
    );
    let mut ws = ws.unwrap();
    assert_eq!(ws.recv().await.unwrap(), Some("early".into()));
    assert_eq!(ws.recv().await.unwrap(), Some(vec![1].into()));
}

#[tokio::test]
async fn run_lends_every_message_with_its_kind() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let mut seen = Vec::new();
    let running = ws.run(|message, replies| {
        seen.push((message.kind(), message.as_bytes().to_vec()));
        match message.as_text() {
            Some(text) => replies.text(&text.to_uppercase()),
            None => replies.binary(b"binary"),
        }
        if message.as_bytes() == b"end" {
            replies.close(CloseCode::NORMAL);
        }
    });
    let peering = async {
        peer.send(Frame::text("a")).await;
        peer.send(Frame::text("b").more()).await;
        peer.send(Frame::new(CONTINUATION, "c")).await;
        peer.send(Frame::binary([1])).await;
        peer.send(Frame::text("end")).await;
        let mut answers = Vec::new();
        for _ in 0..5 {
            answers.push(peer.frame().await);
        }
        peer.say_goodbye(1000, "").await;
        answers
    };
    let (ran, answers) = soon(async { tokio::join!(running, peering) }).await;
    ran.unwrap();
    assert_eq!(
        answers,
        [
            Frame::text("A"),
            Frame::text("BC"),
            Frame::binary("binary"),
            Frame::text("END"),
            Frame::close(1000, ""),
        ]
    );
    assert_eq!(
        seen,
        [
            (Kind::Text, b"a".to_vec()),
            (Kind::Text, b"bc".to_vec()),
            (Kind::Binary, vec![1]),
            (Kind::Text, b"end".to_vec()),
        ]
    );
}
