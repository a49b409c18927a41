//! Every future is polled n times and dropped, for every n until it completes,
//! over a pipe that holds 7 bytes: nothing is lost and no frame is torn.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::{CLOSE, Frame, PING, PONG, TEXT};
use common::poll::{at_most, once};
use common::raw::Raw;
use common::{client, pipe, soon};
use telsiz::{CloseCode, State, WebSocket};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// More than any future here needs.
const ENOUGH: usize = 10_000;

/// Plays `scene` with ever more polls, until it says that its future completed.
async fn with_ever_more_polls(mut scene: impl AsyncFnMut(usize) -> bool) {
    for polls in 0..ENOUGH {
        if scene(polls).await {
            assert!(polls > 5, "{polls}");
            return;
        }
    }
    panic!("it never completes");
}

/// A connection over the narrowest pipe; the frames that the peer reads until its
/// Close, which it answers.
async fn narrow() -> (WebSocket<DuplexStream>, JoinHandle<Vec<Frame>>) {
    let opening = client().write_buffer(16).ping_interval(None);
    let (ws, mut peer) = pipe(7, opening).await;
    (ws, tokio::spawn(async move { peer.behave().await }))
}

/// Closes, and returns what came before the Close frame.
async fn finish(mut ws: WebSocket<DuplexStream>, frames: JoinHandle<Vec<Frame>>) -> Vec<Frame> {
    soon(ws.close(CloseCode::NORMAL)).await;
    let mut frames = soon(frames).await.unwrap();
    assert_eq!(frames.pop().unwrap().opcode, CLOSE);
    frames
}

/// Sends `frames` and a Close, and reads meanwhile; what it read.
async fn say(peer: Raw<DuplexStream>, frames: Vec<Frame>) -> Vec<Frame> {
    let (mut reading, mut writing) = tokio::io::split(peer.io);
    let write = async {
        for frame in frames.into_iter().chain([Frame::close(1000, "")]) {
            writing.write_all(&frame.bytes(false)).await.unwrap();
        }
        writing
    };
    let read = async {
        let mut frames = Vec::new();
        loop {
            frames.push(Frame::read(&mut reading, true).await.expect("a Close"));
            if frames.last().is_some_and(|frame| frame.opcode == CLOSE) {
                return frames;
            }
        }
    };
    let (mut writing, frames) = tokio::join!(write, read);
    writing.shutdown().await.unwrap();
    frames
}

#[tokio::test]
async fn send() {
    let (before, message, after) = ("x".repeat(100), "y".repeat(50), "z".repeat(30));
    let (mut was_absent, mut was_present) = (0, 0);
    for polls in 0..ENOUGH {
        let (mut ws, frames) = narrow().await;
        ws.feed(before.as_str()).await.unwrap();
        let sent = at_most(polls, ws.send(message.as_str())).await;
        if let Some(sent) = &sent {
            sent.as_ref().unwrap();
        }
        ws.send(after.as_str()).await.unwrap();
        let frames = finish(ws, frames).await;
        let without = [Frame::text(&before), Frame::text(&after)];
        let with = [
            Frame::text(&before),
            Frame::text(&message),
            Frame::text(&after),
        ];
        if frames == without {
            assert_eq!(
                was_present, 0,
                "what was queued once is queued from then on"
            );
            assert!(sent.is_none());
            was_absent += 1;
        } else {
            assert_eq!(frames, with);
            was_present += 1;
        }
        if sent.is_some() {
            break;
        }
    }
    assert!(
        was_absent > 5 && was_present > 5,
        "{was_absent} {was_present}"
    );
}

#[tokio::test]
async fn feed() {
    let (before, message) = ("x".repeat(100), "y".repeat(50));
    with_ever_more_polls(async |polls| {
        let (mut ws, frames) = narrow().await;
        ws.feed(before.as_str()).await.unwrap();
        let fed = at_most(polls, ws.feed(message.as_str())).await;
        let frames = finish(ws, frames).await;
        match &fed {
            Some(fed) => {
                fed.as_ref().unwrap();
                assert_eq!(frames, [Frame::text(&before), Frame::text(&message)]);
            }
            None => assert_eq!(frames, [Frame::text(&before)]),
        }
        fed.is_some()
    })
    .await;
}

#[tokio::test]
async fn send_fragment() {
    let before = "x".repeat(100);
    with_ever_more_polls(async |polls| {
        let (mut ws, frames) = narrow().await;
        ws.feed(before.as_str()).await.unwrap();
        let first = at_most(polls, ws.send_fragment("y".repeat(50), false)).await;
        ws.send_fragment("z", true).await.unwrap();
        let frames = finish(ws, frames).await;
        assert_eq!(frames[0], Frame::text(&before));
        if frames.len() == 2 {
            assert!(first.is_none());
            assert_eq!(frames[1], Frame::text("z"));
        } else {
            assert_eq!(frames[1], Frame::text(&"y".repeat(50)).more());
            assert_eq!(frames[2], Frame::new(0, "z"));
        }
        first.is_some()
    })
    .await;
}

#[tokio::test]
async fn flush() {
    with_ever_more_polls(async |polls| {
        let (mut ws, frames) = narrow().await;
        ws.feed("x".repeat(100)).await.unwrap();
        let flushed = at_most(polls, ws.flush()).await;
        let frames = finish(ws, frames).await;
        assert_eq!(frames, [Frame::text(&"x".repeat(100))]);
        flushed.map(Result::unwrap).is_some()
    })
    .await;
}

#[tokio::test]
async fn recv() {
    let messages = [
        Frame::text("first"),
        Frame::binary(common::noise(300, 7)),
        Frame::text("ş").more(),
        Frame::new(PING, "ping"),
        Frame::new(0, "ğ"),
        Frame::new(PONG, "pong"),
        Frame::binary(common::noise(20_000, 8)),
        Frame::text(""),
    ];
    for polls in 1..40 {
        let (mut ws, peer) = pipe(7, client().ping_interval(None)).await;
        let sending = tokio::spawn(say(peer, messages.to_vec()));
        let mut seen = Vec::new();
        soon(async {
            loop {
                match at_most(polls, ws.recv()).await {
                    None => tokio::task::yield_now().await,
                    Some(Ok(Some(message))) => seen.push(message.into_bytes().to_vec()),
                    Some(Ok(None)) => return,
                    Some(Err(error)) => panic!("{error}"),
                }
            }
        })
        .await;
        drop(ws);
        let expected: [&[u8]; 5] = [
            b"first",
            &messages[1].payload,
            "şğ".as_bytes(),
            &messages[6].payload,
            b"",
        ];
        assert!(seen == expected);
        let answers = soon(sending).await.unwrap();
        assert_eq!(answers, [Frame::new(PONG, "ping"), Frame::close(1000, "")]);
    }
}

#[tokio::test]
async fn ping() {
    with_ever_more_polls(async |polls| {
        let (mut ws, frames) = narrow().await;
        ws.feed("x".repeat(100)).await.unwrap();
        let pinged = at_most(polls, ws.ping()).await;
        let frames = finish(ws, frames).await;
        // The peer answers pings and does not count them.
        assert_eq!(frames, [Frame::text(&"x".repeat(100))]);
        pinged.map(Result::unwrap).is_some()
    })
    .await;
}

#[tokio::test]
async fn ping_keeps_the_messages_that_it_saw() {
    with_ever_more_polls(async |polls| {
        let (mut ws, mut peer) = pipe(7, client().ping_interval(None)).await;
        let sending = tokio::spawn(async move {
            for number in 0..10 {
                peer.send(Frame::binary([number; 20])).await;
            }
            peer.send(Frame::text("end")).await;
            peer.behave().await
        });
        let pinged = at_most(polls, ws.ping()).await;
        for number in 0..10 {
            let message = soon(ws.recv()).await.unwrap();
            assert_eq!(
                message,
                Some(vec![number; 20].into()),
                "after {polls} polls"
            );
        }
        assert_eq!(soon(ws.recv()).await.unwrap(), Some("end".into()));
        finish(ws, sending).await;
        pinged.map(Result::unwrap).is_some()
    })
    .await;
}

#[tokio::test]
async fn close() {
    with_ever_more_polls(async |polls| {
        let (mut ws, frames) = narrow().await;
        ws.feed("x".repeat(100)).await.unwrap();
        let closed = at_most(polls, ws.close(CloseCode::GOING_AWAY)).await;
        if polls > 0 {
            assert_ne!(ws.state(), State::Open);
        }
        // The closing handshake goes on with the next call, and its code stays.
        soon(ws.close(CloseCode::NORMAL)).await.unwrap();
        let code = if polls > 0 { 1001 } else { 1000 };
        let frames = soon(frames).await.unwrap();
        assert_eq!(
            frames,
            [Frame::text(&"x".repeat(100)), Frame::close(code, "")]
        );
        if let Some(closed) = &closed {
            assert_eq!(closed.as_ref().unwrap().code(), CloseCode::GOING_AWAY);
        }
        closed.is_some()
    })
    .await;
}

#[tokio::test]
async fn close_goes_on_when_the_connection_is_dropped() {
    for polls in 1..60 {
        let (mut ws, frames) = narrow().await;
        ws.feed("x".repeat(100)).await.unwrap();
        let closed = at_most(polls, ws.close(CloseCode::GOING_AWAY)).await;
        drop(ws);
        let frames = soon(frames).await.unwrap();
        assert_eq!(
            frames,
            [Frame::text(&"x".repeat(100)), Frame::close(1001, "")]
        );
        if closed.is_some() {
            return;
        }
    }
    panic!("it never completes");
}

#[tokio::test]
async fn run_handles_no_message_twice() {
    for polls in 1..30 {
        let (mut ws, peer) = pipe(7, client().write_buffer(16).ping_interval(None)).await;
        let said = (0..20).map(|number| Frame::binary([number; 30])).collect();
        let sending = tokio::spawn(say(peer, said));
        let mut handled = 0;
        soon(async {
            loop {
                let running = ws.run(|message, replies| {
                    handled += 1;
                    replies.echo(message);
                });
                match at_most(polls, running).await {
                    None => tokio::task::yield_now().await,
                    Some(ran) => return ran.unwrap(),
                }
            }
        })
        .await;
        drop(ws);
        assert_eq!(handled, 20);
        let frames = soon(sending).await.unwrap();
        assert_eq!(frames.len(), 21);
        for (number, frame) in (0..20).zip(&frames) {
            assert_eq!(*frame, Frame::binary([number; 30]));
        }
    }
}

#[tokio::test]
async fn a_senders_send_and_feed() {
    let (before, message, after) = ("x".repeat(100), "y".repeat(50), "z".repeat(30));
    let mut completed = 0;
    for flush in [true, false] {
        for polls in 0..ENOUGH {
            let (ws, frames) = narrow().await;
            let (mut receiver, sender) = ws.split();
            sender.feed(before.as_str()).await.unwrap();
            let sent = match flush {
                true => at_most(polls, sender.send(message.as_str())).await,
                false => at_most(polls, sender.feed(message.as_str())).await,
            };
            sender.send(after.as_str()).await.unwrap();
            soon(receiver.close(CloseCode::NORMAL)).await;
            let mut frames = soon(frames).await.unwrap();
            assert_eq!(frames.pop().unwrap().opcode, CLOSE);
            match frames.len() {
                2 => assert!(sent.is_none()),
                _ => assert_eq!(frames.remove(1), Frame::text(&message)),
            }
            assert_eq!(frames, [Frame::text(&before), Frame::text(&after)]);
            if let Some(sent) = sent {
                sent.unwrap();
                assert!(polls > 5, "{polls}");
                completed += 1;
                break;
            }
        }
    }
    assert_eq!(completed, 2);
}

#[tokio::test]
async fn a_send_dropped_while_it_waits_for_room_has_queued_nothing() {
    let (mut ws, mut peer) = pipe(7, client().write_buffer(16).ping_interval(None)).await;
    ws.feed("x".repeat(100)).await.unwrap();
    for _ in 0..10 {
        // Nobody reads: there is no room, however often it is asked for.
        let mut sending = Box::pin(ws.send("never"));
        assert!(once(&mut sending).is_pending());
        assert!(once(&mut sending).is_pending());
    }
    let reading = tokio::spawn(async move { (peer.frame().await, peer.frame().await) });
    soon(ws.send("at last")).await.unwrap();
    let (first, second) = soon(reading).await.unwrap();
    assert_eq!(first.payload.len(), 100);
    assert_eq!(second, Frame::new(TEXT, "at last"));
}
