//! A WebSocket as a `Stream` of messages and a `Sink` for them.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::Frame;
use common::server::Running;
use common::{client, pipe, soon};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use telsiz::{CloseCode, Error, Message, Upgrade};

#[tokio::test]
async fn a_stream_of_messages_ends_with_the_connection() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::text("a")).await;
    peer.send(Frame::binary([1])).await;
    peer.say_goodbye(1000, "").await;
    let messages: Vec<Message> = soon(ws.by_ref().try_collect()).await.unwrap();
    assert_eq!(messages, ["a".into(), vec![1].into()]);
    assert!(soon(ws.next()).await.is_none());
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
}

#[tokio::test]
async fn an_error_is_an_item_and_the_last() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    peer.send(Frame::text("a")).await;
    drop(peer);
    assert_eq!(soon(ws.next()).await.unwrap().unwrap(), "a".into());
    assert!(matches!(soon(ws.next()).await, Some(Err(Error::Lost(_)))));
    assert!(soon(ws.next()).await.is_none());
}

#[tokio::test]
async fn a_sink_takes_all_kinds_of_messages_and_closes_with_1000() {
    let (mut ws, mut peer) = pipe(7, client().write_buffer(16)).await;
    let reading = tokio::spawn(async move { peer.behave().await });
    soon(SinkExt::<&str>::feed(&mut ws, "fed")).await.unwrap();
    soon(SinkExt::send(&mut ws, vec![1, 2])).await.unwrap();
    let mut many = stream::iter(["x".repeat(30), "y".repeat(30)]).map(Ok);
    soon(ws.send_all(&mut many)).await.unwrap();
    soon(SinkExt::<Message>::close(&mut ws)).await.unwrap();
    assert_eq!(
        soon(reading).await.unwrap(),
        [
            Frame::text("fed"),
            Frame::binary([1, 2]),
            Frame::text(&"x".repeat(30)),
            Frame::text(&"y".repeat(30)),
            Frame::close(1000, ""),
        ]
    );
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
    let late = soon(SinkExt::send(&mut ws, "late")).await;
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
}

#[tokio::test]
async fn a_sink_waits_for_room() {
    let (mut ws, mut peer) = pipe(7, client().write_buffer(16)).await;
    soon(SinkExt::feed(&mut ws, "x".repeat(50))).await.unwrap();
    let mut waiting = Box::pin(SinkExt::feed(&mut ws, "y"));
    assert!(common::poll::once(&mut waiting).is_pending());
    let reading = tokio::spawn(async move { (peer.frame().await, peer.frame().await) });
    soon(waiting).await.unwrap();
    soon(ws.flush()).await.unwrap();
    let (first, second) = soon(reading).await.unwrap();
    assert_eq!(first.payload.len(), 50);
    assert_eq!(second, Frame::text("y"));
}

#[tokio::test]
async fn forwarding_a_stream_into_its_own_sink_is_an_echo() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let (sink, stream) = StreamExt::split(request.accept().await?);
            stream.forward(sink).await
        })
    })
    .await;
    let mut ws = server.connect("/").await;
    for text in ["a", "b", "c"] {
        soon(SinkExt::send(&mut ws, text)).await.unwrap();
        assert_eq!(soon(ws.next()).await.unwrap().unwrap(), text.into());
    }
    soon(SinkExt::<Message>::close(&mut ws)).await.unwrap();
    assert_eq!(ws.close_code(), Some(CloseCode::NORMAL));
}

#[tokio::test]
async fn a_receiver_is_a_stream_too() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (receiver, _sender) = ws.split();
    peer.send(Frame::text("a")).await;
    peer.send(Frame::text("b")).await;
    peer.say_goodbye(1000, "").await;
    let messages: Vec<Message> = soon(receiver.try_collect::<Vec<_>>()).await.unwrap();
    assert_eq!(messages, ["a".into(), "b".into()]);
}
