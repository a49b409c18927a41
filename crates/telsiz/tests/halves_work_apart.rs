//! A `Receiver` and its `Sender`s in different tasks.
#![allow(clippy::unwrap_used)]

mod common;

use std::task::{Context, Poll};
use std::time::Duration;

use common::frame::{CLOSE, Frame};
use common::poll::Count;
use common::server::Running;
use common::{client, noise, pipe, soon};
use telsiz::{
    Batch, CloseCode, Error, Message, Outgoing, PingError, Prepared, Sender, State, TrySendError,
    Upgrade,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[tokio::test]
async fn a_sender_writes_while_the_receiver_waits_idly() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { receiver.recv().await.unwrap() });
    tokio::task::yield_now().await;
    soon(sender.send("one")).await.unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("one"));
    sender.try_send("two").unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("two"));
    soon(sender.feed("three")).await.unwrap();
    soon(sender.flush()).await.unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("three"));
    peer.send(Frame::text("four")).await;
    assert_eq!(soon(receiving).await.unwrap(), Some("four".into()));
}

#[tokio::test]
async fn sending_does_not_wake_the_receiver() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let (count, waker) = Count::new();
    let mut receiving = Box::pin(receiver.recv());
    let cx = &mut Context::from_waker(&waker);
    assert!(receiving.as_mut().poll(cx).is_pending());
    for _ in 0..10 {
        sender.send("a").await.unwrap();
        sender.try_send("b").unwrap();
        peer.frame().await;
        peer.frame().await;
    }
    assert_eq!(count.take(), 0);
    peer.send(Frame::text("c")).await;
    assert!(count.take() > 0);
    let Poll::Ready(Ok(Some(message))) = receiving.as_mut().poll(cx) else {
        panic!("a message was there");
    };
    assert_eq!(message, Message::from("c"));
}

#[tokio::test]
async fn what_try_send_could_not_write_goes_out_while_the_receiver_waits() {
    let (ws, mut peer) = pipe(7, client()).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.try_send("far more than seven bytes").unwrap();
    assert_eq!(
        soon(peer.frame()).await,
        Frame::text("far more than seven bytes")
    );
}

#[tokio::test]
async fn try_send_is_full_beyond_the_write_buffer_and_gives_the_message_back() {
    let (ws, mut peer) = pipe(7, client().write_buffer(100)).await;
    let (mut receiver, sender) = ws.split();
    // The message that crosses the line still goes in.
    sender.try_send("x".repeat(90)).unwrap();
    sender.try_send("y".repeat(90)).unwrap();
    let backlog = sender.backlog();
    assert!(backlog > 100 && backlog < 200, "{backlog}");
    let Err(TrySendError::Full(message)) = sender.try_send("z") else {
        panic!("it has to be full");
    };
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    assert_eq!(soon(peer.frame()).await.payload, [b'x'; 90]);
    assert_eq!(soon(peer.frame()).await.payload, [b'y'; 90]);
    soon(sender.flush()).await.unwrap();
    assert_eq!(sender.backlog(), 0);
    sender.try_send(message).unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("z"));
}

#[tokio::test]
async fn behind_a_message_larger_than_the_write_buffer_there_is_as_much_room_as_ever() {
    let (ws, mut peer) = pipe(7, client().write_buffer(100)).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    // 50 bytes each.
    let fill = || {
        let tried = (0..).take_while(|_| sender.try_send("y".repeat(44)).is_ok());
        tried.count()
    };
    for round in 0..3 {
        soon(sender.feed("x".repeat(1000))).await.unwrap();
        assert_eq!(fill(), 3, "in round {round}");
        assert!(
            timeout(Duration::ZERO, sender.feed("z")).await.is_err(),
            "who waits has to"
        );
        assert_eq!(soon(peer.frame()).await.payload.len(), 1000);
        for _ in 0..3 {
            assert_eq!(soon(peer.frame()).await.payload.len(), 44);
        }
        soon(sender.flush()).await.unwrap();
        // It is written, and makes no room any more.
        assert_eq!(fill(), 3, "after round {round}");
        for _ in 0..3 {
            assert_eq!(soon(peer.frame()).await.payload.len(), 44);
        }
        soon(sender.flush()).await.unwrap();
    }
}

#[tokio::test]
async fn what_try_feed_queued_goes_out_with_try_flush() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.try_feed("one").unwrap();
    sender.try_feed("two").unwrap();
    tokio::task::yield_now().await;
    assert!(sender.backlog() > 0, "nobody wrote it");
    sender.try_flush();
    assert_eq!(sender.backlog(), 0);
    assert_eq!(soon(peer.frame()).await, Frame::text("one"));
    assert_eq!(soon(peer.frame()).await, Frame::text("two"));
}

#[tokio::test]
async fn what_try_flush_could_not_write_goes_out_while_the_receiver_waits() {
    let (ws, mut peer) = pipe(7, client()).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.try_feed("far more than").unwrap();
    sender.try_feed("seven bytes").unwrap();
    sender.try_flush();
    assert_eq!(soon(peer.frame()).await, Frame::text("far more than"));
    assert_eq!(soon(peer.frame()).await, Frame::text("seven bytes"));
}

#[tokio::test]
async fn what_try_feed_queued_goes_out_before_the_receiver_waits() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    sender.try_feed("fed").unwrap();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    assert_eq!(soon(peer.frame()).await, Frame::text("fed"));
}

#[tokio::test]
async fn try_feed_is_full_beyond_the_write_buffer_and_gives_the_message_back() {
    let (ws, mut peer) = pipe(7, client().write_buffer(100)).await;
    let (mut receiver, sender) = ws.split();
    // The message that crosses the line still goes in.
    sender.try_feed("x".repeat(90)).unwrap();
    sender.try_feed("y".repeat(90)).unwrap();
    let Err(TrySendError::Full(message)) = sender.try_feed("z") else {
        panic!("it has to be full");
    };
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    assert_eq!(soon(peer.frame()).await.payload, [b'x'; 90]);
    assert_eq!(soon(peer.frame()).await.payload, [b'y'; 90]);
    soon(sender.flush()).await.unwrap();
    sender.try_feed(message).unwrap();
    sender.try_flush();
    assert_eq!(soon(peer.frame()).await, Frame::text("z"));
}

#[tokio::test]
async fn nothing_is_full_before_the_transport_was_asked() {
    let (ws, mut peer) = pipe(1024 * 1024, client().write_buffer(1000)).await;
    let (_receiver, sender) = ws.split();
    let messages: Vec<_> = (0..20)
        .map(|seed| Prepared::new(noise(20_000, seed)))
        .collect();
    for message in &messages {
        sender.try_feed(message).unwrap();
    }
    sender.try_send_all(&Batch::new(messages.clone())).unwrap();
    assert_eq!(sender.backlog(), 0);
    for message in messages.iter().chain(&messages) {
        assert!(soon(peer.frame()).await.payload == message.message().as_bytes());
    }
}

#[tokio::test]
async fn after_a_close_nothing_can_be_sent() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    tokio::task::yield_now().await;
    sender.close(CloseCode::GOING_AWAY);
    assert_eq!(sender.state(), State::Closing);
    assert_eq!(soon(peer.frame()).await, Frame::close(1001, ""));
    assert!(matches!(sender.try_send("a"), Err(TrySendError::Closed(_))));
    assert!(matches!(sender.try_feed("a"), Err(TrySendError::Closed(_))));
    sender.try_flush();
    assert!(matches!(soon(sender.send("a")).await, Err(Error::Closed)));
    assert!(matches!(soon(sender.feed("a")).await, Err(Error::Closed)));
    assert!(matches!(soon(sender.ping()).await, Err(PingError::Closed)));
    peer.say_goodbye(1001, "").await;
    assert!(soon(receiving).await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn dropping_the_receiver_closes_with_1000_and_ends_all_senders() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (receiver, sender) = ws.split();
    let other = receiver.sender();
    sender.feed("fed before").await.unwrap();
    drop(receiver);
    for sender in [&sender, &other, &sender.clone()] {
        assert_eq!(sender.state(), State::Closed);
        assert_eq!(sender.backlog(), 0);
        assert!(matches!(sender.try_send("a"), Err(TrySendError::Closed(_))));
        assert!(matches!(sender.try_feed("a"), Err(TrySendError::Closed(_))));
        sender.try_flush();
        assert!(matches!(soon(sender.send("a")).await, Err(Error::Closed)));
        assert!(matches!(soon(sender.feed("a")).await, Err(Error::Closed)));
        assert!(matches!(soon(sender.flush()).await, Err(Error::Closed)));
        assert!(matches!(soon(sender.ping()).await, Err(PingError::Closed)));
        sender.close(CloseCode::NORMAL);
    }
    let frames = soon(peer.behave()).await;
    assert_eq!(frames, [Frame::text("fed before"), Frame::close(1000, "")]);
}

#[tokio::test]
async fn dropping_senders_closes_nothing() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    drop(sender.clone());
    drop(sender);
    peer.send(Frame::text("a")).await;
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some("a".into()));
    let sender = receiver.sender();
    soon(sender.send("b")).await.unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("b"));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_ends_when_the_receiver_is_dropped() {
    let (ws, _peer) = pipe(7, client().write_buffer(10)).await;
    let (receiver, sender) = ws.split();
    sender.feed("more than the buffer").await.unwrap();
    let sending = tokio::spawn(async move { sender.send("waits").await });
    tokio::task::yield_now().await;
    drop(receiver);
    let sent = tokio::time::timeout(Duration::from_secs(3600), sending).await;
    let sent = sent.expect("the sender is woken").unwrap();
    assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_waits_ends_when_the_receiver_is_dropped() {
    let (ws, _peer) = pipe(7, client()).await;
    let (receiver, sender) = ws.split();
    let sending = tokio::spawn(async move { sender.send("more than seven bytes").await });
    tokio::task::yield_now().await;
    drop(receiver);
    let sent = tokio::time::timeout(Duration::from_secs(3600), sending).await;
    let sent = sent.expect("the sender is woken").unwrap();
    assert!(sent.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_ends_when_another_task_closes() {
    let (ws, _peer) = pipe(7, client().write_buffer(10)).await;
    let (mut receiver, sender) = ws.split();
    sender.feed("more than the buffer").await.unwrap();
    let waiting = sender.clone();
    let sending = tokio::spawn(async move { waiting.send("waits").await });
    let receiving = tokio::spawn(async move { (receiver.recv().await, receiver) });
    tokio::task::yield_now().await;
    sender.close(CloseCode::NORMAL);
    let sent = tokio::time::timeout(Duration::from_secs(3600), sending).await;
    let sent = sent.expect("the sender is woken").unwrap();
    assert!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    let (ended, _) = receiving.await.unwrap();
    assert!(matches!(ended, Err(Error::CloseTimeout)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_send_ends_when_the_receiver_gives_a_dead_peer_up() {
    let (ws, _peer) = pipe(7, client().write_buffer(10)).await;
    let (mut receiver, sender) = ws.split();
    sender.feed("more than the buffer").await.unwrap();
    let waiting = sender.clone();
    let sending = tokio::spawn(async move { waiting.send("waits for room").await });
    let flushing = tokio::spawn(async move { sender.flush().await });
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let hour = Duration::from_secs(3600);
    assert!(receiving.await.unwrap().is_err());
    let sent = tokio::time::timeout(hour, sending).await;
    assert!(sent.expect("send is woken").unwrap().is_err());
    let flushed = tokio::time::timeout(hour, flushing).await;
    assert!(flushed.expect("flush is woken").unwrap().is_err());
}

#[tokio::test]
async fn a_send_whose_bytes_were_thrown_away_is_no_success() {
    let (ws, peer) = pipe(7, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { (receiver.recv().await, receiver) });
    let sending = tokio::spawn(async move { sender.send("more than seven bytes").await });
    tokio::task::yield_now().await;
    drop(peer);
    let sent = soon(sending).await.unwrap();
    assert!(sent.is_err(), "{sent:?}");
    let (ended, _receiver) = soon(receiving).await.unwrap();
    assert!(matches!(ended, Err(Error::Lost(_))), "{ended:?}");
}

#[tokio::test]
async fn a_receiver_closes_for_both() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    sender.feed("fed before").await.unwrap();
    let (outcome, frames) =
        soon(async { tokio::join!(receiver.close(CloseCode::GOING_AWAY), peer.behave()) }).await;
    assert_eq!(outcome.unwrap().code(), CloseCode::GOING_AWAY);
    assert_eq!(frames[0], Frame::text("fed before"));
    assert_eq!(frames[1].opcode, CLOSE);
    assert_eq!(receiver.close_code(), Some(CloseCode::GOING_AWAY));
    assert_eq!(receiver.state(), State::Closed);
    assert!(matches!(soon(sender.send("a")).await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_subprotocol_and_stashed_messages_survive_the_split() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let answer = async {
        let ping = peer.frame().await;
        peer.send(Frame::text("kept")).await;
        peer.send(Frame::new(common::frame::PONG, ping.payload))
            .await;
    };
    let (time, ()) = soon(async { tokio::join!(ws.ping(), answer) }).await;
    time.unwrap();
    let (mut receiver, _sender) = ws.split();
    assert_eq!(soon(receiver.recv()).await.unwrap(), Some("kept".into()));
}

/// Several senders, the receiver that echoes through one of its own, and a peer
/// that reads and writes, through a pipe that holds `room` bytes.
async fn busy(room: usize) {
    const SENDERS: u8 = 4;
    const MESSAGES: u16 = 300;
    let (ws, peer) = pipe(room, client().write_buffer(64)).await;
    let (mut receiver, sender) = ws.split();
    let mut tasks = JoinSet::new();
    for number in 0..SENDERS {
        let sender = sender.clone();
        tasks.spawn(async move {
            for count in 0..MESSAGES {
                let mut message = vec![number; 3 + usize::from(count % 90)];
                message[1..3].copy_from_slice(&count.to_be_bytes());
                match count % 3 {
                    0 => sender.send(message).await.unwrap(),
                    1 => sender.feed(message).await.unwrap(),
                    _ => {
                        let mut message = message.into();
                        while let Err(error) = sender.try_send(message) {
                            let TrySendError::Full(back) = error else {
                                panic!("{error}");
                            };
                            message = back;
                            sender.flush().await.unwrap();
                        }
                    }
                }
            }
            sender.flush().await.unwrap();
        });
    }
    let receiving = tokio::spawn(async move {
        for count in 0..MESSAGES {
            let message = receiver.recv().await.unwrap().unwrap();
            assert_eq!(message, Message::from(vec![1; usize::from(count % 50)]));
        }
        receiver
    });
    let (mut reading, mut writing) = tokio::io::split(peer.io);
    let writing = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        for count in 0..MESSAGES {
            let frame = Frame::binary(vec![1; usize::from(count % 50)]);
            writing.write_all(&frame.bytes(false)).await.unwrap();
        }
        writing
    });
    let mut next = [0; SENDERS as usize];
    for _ in 0..u16::from(SENDERS) * MESSAGES {
        let frame = Frame::read(&mut reading, true).await.unwrap();
        let sender = usize::from(frame.payload[0]);
        let count = u16::from_be_bytes([frame.payload[1], frame.payload[2]]);
        assert_eq!(count, next[sender], "in order for each sender");
        assert_eq!(frame.payload.len(), 3 + usize::from(count % 90));
        next[sender] += 1;
    }
    assert_eq!(next, [MESSAGES; SENDERS as usize]);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    receiving.await.unwrap();
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_up_is_lost_on_many_threads() {
    for room in [1, 7, 100] {
        soon(busy(room)).await;
    }
}

#[tokio::test]
async fn no_wake_up_is_lost_on_one_thread() {
    for room in [1, 7, 100] {
        soon(busy(room)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn halves_over_tcp_at_both_ends() {
    let server = Running::start(|serve| {
        serve.fallback(|request: Upgrade| async move {
            let (mut receiver, sender) = request.accept().await?.split();
            while let Some(message) = receiver.recv().await? {
                let sender = sender.clone();
                // Not awaited here: the answers come in any order.
                tokio::spawn(async move { sender.send(message).await });
            }
            Ok::<_, Error>(())
        })
    })
    .await;
    let (mut receiver, sender) = server.connect("/").await.split();
    let sending = tokio::spawn(async move {
        for number in 0..500_u32 {
            sender.send(number.to_string()).await.unwrap();
        }
        sender
    });
    let mut numbers = Vec::new();
    for _ in 0..500 {
        let message = soon(receiver.recv()).await.unwrap().unwrap();
        numbers.push(message.as_text().unwrap().parse::<u32>().unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    soon(sending).await.unwrap();
}

/// A server, and the sending halves of its connections in the order in which they come.
async fn joining(write_buffer: usize) -> (Running, mpsc::UnboundedReceiver<Sender>) {
    let (join, joined) = mpsc::unbounded_channel();
    let server = Running::start(|serve| {
        let serve = serve.write_buffer(write_buffer);
        serve.fallback(move |request: Upgrade| {
            let join = join.clone();
            async move {
                let (mut receiver, sender) = request.accept().await?.split();
                join.send(sender).unwrap();
                receiver.recv().await
            }
        })
    })
    .await;
    (server, joined)
}

#[tokio::test]
async fn what_one_task_tries_to_send_to_many_is_written_at_once() {
    // More writes than tokio's budget for a task has.
    const MEMBERS: usize = 300;
    let (server, mut joined) = joining(64 * 1024).await;
    let (mut clients, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..MEMBERS {
        clients.push(server.connect("/").await);
        senders.push(soon(joined.recv()).await.unwrap());
    }
    let prepared = Prepared::new("prepared");
    for sender in &senders {
        sender.try_send(&prepared).unwrap();
        sender.try_send("sent").unwrap();
        sender.try_feed("fed").unwrap();
        sender.try_flush();
    }
    let written = senders.iter().filter(|sender| sender.backlog() == 0);
    assert_eq!(written.count(), MEMBERS);
    for ws in &mut clients {
        for text in ["prepared", "sent", "fed"] {
            assert_eq!(soon(ws.recv()).await.unwrap(), Some(text.into()));
        }
    }
}

#[tokio::test]
async fn a_prepared_message_that_is_written_in_parts_arrives_whole() {
    const LEN: usize = 12 * 1024 * 1024;
    let (server, mut joined) = joining(64 * 1024).await;
    let client = server.client("/").max_message_size(LEN);
    let mut ws = soon(client).await.unwrap();
    let sender = soon(joined.recv()).await.unwrap();
    let message = Message::from(noise(LEN, 1));
    sender.try_send(Prepared::new(message.clone())).unwrap();
    let left = sender.backlog();
    assert!(0 < left && left < LEN, "{left}");
    assert!(soon(ws.recv()).await.unwrap() == Some(message));
}

/// More than one write takes, some of which go alone.
fn several(count: usize) -> Vec<Prepared> {
    let sizes = [5, 200, 0, 70_000, 300, 126, 40_000, 30_000].iter().cycle();
    let sizes = sizes.take(count).enumerate();
    sizes
        .map(|(seed, len)| Prepared::new(noise(*len, seed as u64)))
        .collect()
}

#[tokio::test]
async fn prepared_messages_that_are_sent_together_arrive_whole_and_in_order() {
    // More than the kernel takes at once.
    const COUNT: usize = 1_000;
    let (server, mut joined) = joining(64 * 1024 * 1024).await;
    let mut ws = server.connect("/").await;
    let sender = soon(joined.recv()).await.unwrap();
    let messages = several(COUNT);
    let (small, large) = messages.split_at(3);
    sender.try_send_all(&Batch::new(small.to_vec())).unwrap();
    assert_eq!(sender.backlog(), 0, "they were written at once");
    // Some of a size that is written together, then more than that.
    let mut rest = large;
    while !rest.is_empty() {
        let some = if rest.len() > 500 { 3 } else { rest.len() };
        let (some, behind) = rest.split_at(some);
        sender.try_send_all(&Batch::new(some.to_vec())).unwrap();
        rest = behind;
    }
    assert!(sender.backlog() > 0, "they were not all written at once");
    for message in &messages {
        let came = soon(ws.recv()).await.unwrap();
        assert!(came.as_ref() == Some(message.message()));
    }
}

#[tokio::test]
async fn a_client_masks_each_of_the_messages_that_are_sent_together() {
    let (ws, mut peer) = pipe(7, client().write_buffer(1024 * 1024)).await;
    let (mut receiver, sender) = ws.split();
    let _receiving = tokio::spawn(async move { receiver.recv().await });
    let messages = several(20);
    sender.try_feed("first").unwrap();
    sender.try_send_all(&Batch::new(messages.clone())).unwrap();
    assert_eq!(soon(peer.frame()).await, Frame::text("first"));
    for message in &messages {
        let came = soon(peer.frame()).await.payload;
        assert!(came == message.message().as_bytes());
    }
}

#[tokio::test]
async fn messages_that_are_sent_together_are_refused_from_the_first_that_has_no_room() {
    let (ws, _peer) = pipe(4096, client().write_buffer(100)).await;
    let (receiver, sender) = ws.split();
    let large = Prepared::new("x".repeat(70_000));
    let messages = Batch::new(vec![large.clone(), Prepared::new("second"), large]);
    let refused = sender.try_send_all(&messages);
    assert!(matches!(
        refused,
        Err(TrySendError::Full(Outgoing::Prepared(message))) if *message.message() == Message::from("second")
    ));
    drop(receiver);
    assert!(matches!(
        sender.try_send_all(&messages),
        Err(TrySendError::Closed(_))
    ));
    assert!(sender.try_send_all(&Batch::new(Vec::new())).is_ok());
}
