//! `ping()` of a whole WebSocket and of a `Sender`.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frame::{Frame, PING, PONG};
use common::server::Running;
use common::{client, heap, pipe, soon};
use telsiz::{CloseCode, PingError};
use tokio::io::AsyncWriteExt;
use tokio::time::{advance, sleep};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

#[tokio::test(start_paused = true)]
async fn a_ping_takes_the_time_to_its_pong() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let answer = async {
        let ping = peer.frame().await;
        assert_eq!(ping.opcode, PING);
        sleep(Duration::from_millis(1234)).await;
        peer.send(Frame::new(PONG, ping.payload)).await;
    };
    let (time, ()) = tokio::join!(ws.ping(), answer);
    assert_eq!(time.unwrap().as_millis(), 1234);
}

#[tokio::test]
async fn our_server_answers_pings() {
    let server = Running::echo().await;
    let mut ws = server.connect("/").await;
    soon(ws.ping()).await.unwrap();
    soon(ws.ping()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_pong_that_answers_nothing_answers_no_ping() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let answer = async {
        let ping = peer.frame().await;
        peer.send(Frame::new(PONG, "")).await;
        peer.send(Frame::new(PONG, "what")).await;
        sleep(Duration::from_secs(1)).await;
        peer.send(Frame::new(PONG, ping.payload)).await;
    };
    let (time, ()) = tokio::join!(ws.ping(), answer);
    assert_eq!(time.unwrap(), Duration::from_secs(1));
}

#[tokio::test]
async fn messages_that_come_before_the_pong_are_kept() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let answer = async {
        let ping = peer.frame().await;
        for text in ["1", "2", "3"] {
            peer.send(Frame::text(text)).await;
        }
        peer.send(Frame::new(PONG, ping.payload)).await;
        peer.send(Frame::text("4")).await;
    };
    let (time, ()) = soon(async { tokio::join!(ws.ping(), answer) }).await;
    time.unwrap();
    for text in ["1", "2", "3", "4"] {
        assert_eq!(soon(ws.recv()).await.unwrap(), Some(text.into()));
    }
}

#[tokio::test]
async fn kept_messages_come_through_run_too_and_in_order() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let answer = async {
        let ping = peer.frame().await;
        for text in ["1", "2", "3"] {
            peer.send(Frame::text(text)).await;
        }
        peer.send(Frame::new(PONG, ping.payload)).await;
    };
    let (time, ()) = soon(async { tokio::join!(ws.ping(), answer) }).await;
    time.unwrap();
    peer.send(Frame::text("4")).await;
    peer.say_goodbye(1000, "").await;
    let mut seen = Vec::new();
    soon(ws.run(|message, _| seen.push(message.as_text().unwrap().to_owned())))
        .await
        .unwrap();
    assert_eq!(seen, ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn too_many_messages_before_the_pong_are_a_backlog_and_are_kept() {
    let (mut ws, mut peer) = pipe(64 * 1024, client().max_message_size(1000)).await;
    let payload = async {
        let ping = peer.frame().await;
        for number in 0..10 {
            peer.send(Frame::binary([number; 400])).await;
        }
        ping.payload
    };
    let (time, payload) = soon(async { tokio::join!(ws.ping(), payload) }).await;
    assert!(matches!(time, Err(PingError::Backlog)), "{time:?}");
    // It stays one until they are received, and a later ping works again.
    assert!(matches!(soon(ws.ping()).await, Err(PingError::Backlog)));
    for number in 0..10 {
        let message = soon(ws.recv()).await.unwrap();
        assert_eq!(message, Some(vec![number; 400].into()));
    }
    peer.send(Frame::new(PONG, payload)).await;
    tokio::select! {
        time = soon(ws.ping()) => drop(time.unwrap()),
        frames = peer.behave() => panic!("the connection ended: {frames:?}"),
    }
}

#[tokio::test]
async fn messages_that_are_kept_keep_nothing_that_was_read_with_them() {
    const LIMIT: usize = 100_000;
    const READ: usize = 64 * 1024;
    for len in [0, 1, 1000] {
        let (mut ws, mut peer) = pipe(READ, client().max_message_size(LIMIT)).await;
        let mut read = Frame::binary(vec![0; len]).bytes(false);
        while read.len() < 60_000 {
            read.extend(Frame::new(PONG, [0; 125]).bytes(false));
        }
        let flood = async { while peer.io.write_all(&read).await.is_ok() {} };
        let before = heap::live();
        tokio::select! {
            time = soon(ws.ping()) => assert!(matches!(time, Err(PingError::Backlog))),
            () = flood => panic!("the connection ended"),
        }
        let kept = heap::live() - before;
        // Twice: the list of them grows by doubling. The rest: both pipes, the read buffer.
        let bound = 2 * (LIMIT + len) + 4 * READ;
        assert!(kept <= bound as isize, "{kept} for messages of {len} bytes");
    }
}

#[tokio::test]
async fn a_ping_fails_when_the_connection_ends() {
    for code in [None, Some(1000)] {
        let (mut ws, mut peer) = pipe(4096, client()).await;
        let ending = async move {
            peer.frame().await;
            if let Some(code) = code {
                peer.say_goodbye(code, "").await;
                peer.frame().await;
            }
        };
        let (time, ()) = soon(async { tokio::join!(ws.ping(), ending) }).await;
        assert!(matches!(time, Err(PingError::Closed)));
        assert!(matches!(soon(ws.ping()).await, Err(PingError::Closed)));
    }
}

#[tokio::test]
async fn recv_reports_what_ended_the_connection_during_a_ping() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let ending = async move {
        peer.frame().await;
        peer.send(Frame::text("last")).await;
    };
    let (time, ()) = soon(async { tokio::join!(ws.ping(), ending) }).await;
    assert!(matches!(time, Err(PingError::Closed)));
    assert_eq!(ws.recv().await.unwrap(), Some("last".into()));
    // Not `None`: there was no closing handshake.
    assert!(matches!(ws.recv().await, Err(telsiz::Error::Lost(_))));
    assert!(matches!(ws.recv().await, Ok(None)));
}

#[tokio::test(start_paused = true)]
async fn a_sender_pings_while_the_receiver_receives() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { receiver.recv().await.unwrap() });
    let answer = async {
        let ping = peer.frame().await;
        sleep(Duration::from_millis(70)).await;
        peer.send(Frame::new(PONG, ping.payload)).await;
    };
    let (time, ()) = tokio::join!(sender.ping(), answer);
    assert_eq!(time.unwrap(), Duration::from_millis(70));
    peer.send(Frame::text("still receiving")).await;
    let message = receiving.await.unwrap();
    assert_eq!(message, Some("still receiving".into()));
}

#[tokio::test]
async fn one_pong_answers_all_pings_up_to_its_own() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    let answer = async {
        let first = peer.frame().await;
        let second = peer.frame().await;
        assert_ne!(first.payload, second.payload);
        peer.send(Frame::new(PONG, second.payload)).await;
    };
    let pings = async { tokio::join!(sender.ping(), sender.ping(), answer) };
    let (first, second, ()) = soon(pings).await;
    first.unwrap();
    second.unwrap();
}

#[tokio::test]
async fn a_senders_ping_fails_when_the_connection_ends() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move {
        let message = receiver.recv().await.unwrap();
        (message, receiver)
    });
    let ending = async {
        peer.frame().await;
        peer.say_goodbye(1001, "").await;
    };
    let (time, ()) = soon(async { tokio::join!(sender.ping(), ending) }).await;
    assert!(matches!(time, Err(PingError::Closed)));
    let (message, receiver) = receiving.await.unwrap();
    assert_eq!(message, None);
    assert_eq!(receiver.close_code(), Some(CloseCode::GOING_AWAY));
    assert!(matches!(soon(sender.ping()).await, Err(PingError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_was_given_up_disturbs_no_later_one() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), ws.ping()).await;
    assert!(given_up.is_err());
    let first = peer.frame().await;
    let answer = async {
        let second = peer.frame().await;
        peer.send(Frame::new(PONG, first.payload)).await;
        advance(Duration::from_secs(3)).await;
        peer.send(Frame::new(PONG, second.payload)).await;
    };
    let (time, ()) = tokio::join!(ws.ping(), answer);
    assert_eq!(time.unwrap(), Duration::from_secs(3));
}
