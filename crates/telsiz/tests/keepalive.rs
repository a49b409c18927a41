//! Pings that find out whether the peer is alive, on virtual time.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frame::{Frame, PING, PONG};
use common::frozen::frozen;
use common::raw::Raw;
use common::server::Running;
use common::{client, pipe};
use telsiz::{Cause, Error, Fault, State, WebSocket};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, advance, sleep, timeout};

const INTERVAL: Duration = Duration::from_secs(20);

fn is_silent<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Fault(Fault::Silent)))
}

#[tokio::test(start_paused = true)]
async fn a_client_pings_every_20_seconds_by_default() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let receiving = tokio::spawn(async move { ws.recv().await });
    let start = Instant::now();
    for number in 1..=5 {
        let ping = peer.frame().await;
        assert_eq!(ping.opcode, PING);
        assert_eq!(start.elapsed().as_secs(), 20 * number);
        peer.send(Frame::new(PONG, ping.payload)).await;
    }
    peer.send(Frame::text("done")).await;
    assert_eq!(receiving.await.unwrap().unwrap(), Some("done".into()));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_20_seconds_after_the_first_ping() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let start = Instant::now();
    let ended = ws.recv().await;
    assert!(is_silent(&ended), "{ended:?}");
    assert_eq!(start.elapsed().as_secs(), 40);
    assert_eq!(ws.state(), State::Closing);
    assert_eq!(ws.outcome().unwrap().cause, Cause::Fault(Fault::Silent));
    // In case it is only slow, it is told why.
    assert_eq!(peer.frame().await.opcode, PING);
    let mut frame = peer.frame().await;
    if frame.opcode == PING {
        frame = peer.frame().await;
    }
    assert_eq!(frame.close_body(), (1011, "keepalive ping timeout"));
}

#[tokio::test(start_paused = true)]
async fn interval_and_timeout_can_be_chosen() {
    let opening = client()
        .ping_interval(Duration::from_secs(7))
        .ping_timeout(Duration::from_secs(3));
    let (mut ws, _peer) = pipe(4096, opening).await;
    let start = Instant::now();
    assert!(is_silent(&ws.recv().await));
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_longer_than_the_interval_is_kept() {
    let opening = client()
        .ping_interval(Duration::from_secs(5))
        .ping_timeout(Duration::from_secs(12));
    let (mut ws, _peer) = pipe(4096, opening).await;
    let start = Instant::now();
    assert!(is_silent(&ws.recv().await));
    assert_eq!(start.elapsed().as_secs(), 17);
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_nothing_is_pinged_and_nobody_is_given_up() {
    let (mut ws, mut peer) = pipe(4096, client().ping_interval(None)).await;
    let late = async {
        let quiet = timeout(Duration::from_secs(100_000), peer.next()).await;
        assert!(quiet.is_err(), "{quiet:?}");
        peer.send(Frame::text("late")).await;
    };
    let (message, ()) = tokio::join!(ws.recv(), late);
    assert_eq!(message.unwrap(), Some("late".into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_timeout_pings_go_on_and_nobody_is_given_up() {
    let (mut ws, mut peer) = pipe(4096, client().ping_timeout(None)).await;
    let late = async {
        for _ in 0..50 {
            assert_eq!(peer.frame().await.opcode, PING);
        }
        peer.send(Frame::text("late")).await;
    };
    let start = Instant::now();
    let (message, ()) = tokio::join!(ws.recv(), late);
    assert_eq!(message.unwrap(), Some("late".into()));
    assert_eq!(start.elapsed().as_secs(), 1000);
}

/// Receives while the peer sends `bytes` over and over, every 15 s for 100 s, and
/// never a pong.
async fn stays_open(ws: &mut WebSocket<DuplexStream>, peer: &mut Raw<DuplexStream>, bytes: &[u8]) {
    let alive = async {
        for byte in bytes {
            sleep(Duration::from_secs(15)).await;
            peer.io.write_all(&[*byte]).await.unwrap();
        }
    };
    tokio::select! {
        ended = ws.run(|_, _| {}) => panic!("{ended:?}"),
        () = alive => {}
    }
    assert_eq!(ws.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn any_byte_is_life() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    // A message that comes a byte at a time, a pong that answers nothing, and
    // the header of a long message.
    let text = Frame::text("merhaba").bytes(false);
    stays_open(&mut ws, &mut peer, &text).await;
    let pong = Frame::new(PONG, "").bytes(false);
    stays_open(&mut ws, &mut peer, &pong).await;
    let long = Frame::binary(vec![0; 70_000]).bytes(false);
    stays_open(&mut ws, &mut peer, &long[..12]).await;
    assert!(is_silent(&ws.recv().await), "and then nothing");
}

#[tokio::test(start_paused = true)]
async fn bytes_inside_a_large_message_are_life() {
    let (mut ws, mut peer) = pipe(1 << 20, client()).await;
    let long = Frame::binary(vec![0; 200_000]).bytes(false);
    peer.io.write_all(&long[..100_000]).await.unwrap();
    stays_open(&mut ws, &mut peer, &long[100_000..100_010]).await;
    peer.io.write_all(&long[100_010..]).await.unwrap();
    assert_eq!(ws.recv().await.unwrap().unwrap().len(), 200_000);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_fell_silent_amid_a_message_is_found() {
    let (mut ws, mut peer) = pipe(1 << 20, client()).await;
    let long = Frame::binary(vec![0; 200_000]).bytes(false);
    peer.io.write_all(&long[..100_000]).await.unwrap();
    let ended = timeout(4 * INTERVAL, ws.recv()).await.unwrap();
    assert!(is_silent(&ended), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_receives_the_peer_is_not_given_up() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    assert!(timeout(Duration::from_secs(21), ws.recv()).await.is_err());
    let ping = peer.frame().await;
    peer.send(Frame::new(PONG, ping.payload)).await;
    peer.send(Frame::text("waiting")).await;
    // The application is busy elsewhere, long after the deadline of the pong.
    sleep(Duration::from_secs(1000)).await;
    assert_eq!(ws.recv().await.unwrap(), Some("waiting".into()));
    assert!(timeout(Duration::from_secs(15), ws.recv()).await.is_err());
    assert_eq!(ws.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_recv_that_is_dropped_every_10_ms_still_notices_a_dead_peer() {
    let (mut ws, mut peer) = pipe(4096, client()).await;
    let sending = tokio::spawn(async move {
        for number in 0..30_u8 {
            for byte in Frame::binary([number]).bytes(false) {
                sleep(Duration::from_millis(33)).await;
                peer.io.write_all(&[byte]).await.unwrap();
            }
        }
        (peer, Instant::now())
    });
    let mut seen = Vec::new();
    let mut dropped = 0;
    let ended = loop {
        tokio::select! {
            message = ws.recv() => match message {
                Ok(Some(message)) => seen.extend_from_slice(message.as_bytes()),
                ended => break ended,
            },
            () = sleep(Duration::from_millis(10)) => dropped += 1,
        }
    };
    assert!(is_silent(&ended), "{ended:?}");
    assert_eq!(seen, (0..30).collect::<Vec<u8>>());
    assert!(dropped > 3000, "{dropped}");
    let (_peer, silent_since) = sending.await.unwrap();
    let found = silent_since.elapsed();
    assert!(found >= INTERVAL && found <= 3 * INTERVAL, "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_moves_between_tasks_keeps_its_deadlines() {
    // The first task polls recv, the second one has to wait for room in between.
    let (mut ws, mut peer) = pipe(64, client().write_buffer(16)).await;
    assert!(timeout(Duration::from_secs(1), ws.recv()).await.is_err());
    let moved = tokio::spawn(async move {
        ws.feed(vec![1; 200]).await.unwrap();
        ws.feed(vec![2; 200]).await.unwrap();
        ws.flush().await.unwrap();
        ws.recv().await
    });
    assert_eq!(peer.frame().await, Frame::binary([1; 200]));
    assert_eq!(peer.frame().await, Frame::binary([2; 200]));
    let ended = timeout(Duration::from_secs(60), moved).await;
    let ended = ended.expect("the deadline wakes the task that receives");
    assert!(is_silent(&ended.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_found_while_we_receive() {
    let (mut ws, _peer) = pipe(7, client()).await;
    ws.feed("more than fits").await.unwrap();
    let start = Instant::now();
    assert!(is_silent(&ws.recv().await));
    assert_eq!(start.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn run_and_ping_keep_the_deadlines_too() {
    let (mut ws, _peer) = pipe(4096, client()).await;
    assert!(is_silent(&ws.run(|_, _| {}).await));
    let (mut ws, _peer) = pipe(4096, client()).await;
    assert!(ws.ping().await.is_err());
    assert_eq!(ws.outcome().unwrap().cause, Cause::Fault(Fault::Silent));
}

#[tokio::test(start_paused = true)]
async fn a_sender_is_of_no_matter_for_the_deadlines() {
    let (ws, mut peer) = pipe(4096, client()).await;
    let (mut receiver, sender) = ws.split();
    let receiving = tokio::spawn(async move { receiver.recv().await });
    let sending = tokio::spawn(async move {
        while sender.send("still here").await.is_ok() {
            sleep(Duration::from_secs(3)).await;
        }
    });
    let start = Instant::now();
    while peer.frame().await.opcode != 8 {}
    assert_eq!(start.elapsed().as_secs(), 40);
    assert!(is_silent(&receiving.await.unwrap()));
    sending.await.unwrap();
}

#[test]
fn a_servers_first_ping_comes_at_a_random_time_in_the_second_half_of_the_interval() {
    frozen(|| async {
        let server = Running::echo().await;
        let mut peers = Vec::new();
        for _ in 0..8 {
            peers.push(Raw::open(&server, "/").await);
        }
        // An echo shows that the server receives.
        for peer in &mut peers {
            peer.send(Frame::text("ready")).await;
            assert_eq!(peer.frame().await, Frame::text("ready"));
        }
        advance(INTERVAL / 2 - Duration::from_millis(5)).await;
        for peer in &mut peers {
            peer.send(Frame::text("not pinged yet")).await;
            assert_eq!(peer.frame().await, Frame::text("not pinged yet"));
        }
        advance(INTERVAL / 2 + Duration::from_millis(10)).await;
        for peer in &mut peers {
            assert_eq!(peer.frame().await.opcode, PING);
        }
    });
}

#[test]
fn a_server_closes_on_a_silent_client() {
    frozen(|| async {
        let server = Running::echo().await;
        let mut peer = Raw::open(&server, "/").await;
        peer.send(Frame::text("ready")).await;
        assert_eq!(peer.frame().await, Frame::text("ready"));
        for _ in 0..10 {
            advance(Duration::from_secs(5)).await;
        }
        let mut frame = peer.frame().await;
        while frame.opcode == PING {
            frame = peer.frame().await;
        }
        assert_eq!(frame.close_body(), (1011, "keepalive ping timeout"));
        assert!(peer.next().await.is_none());
    });
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_closed_with_1001_by_either_way_of_receiving() {
    for runs in [false, true] {
        let opening = client().idle_timeout(Duration::from_secs(60));
        let (mut ws, mut peer) = pipe(4096, opening).await;
        let start = Instant::now();
        let receiving = tokio::spawn(async move {
            let ended = match runs {
                true => ws.run(|_, _| ()).await.map(|()| None),
                false => loop {
                    match ws.recv().await {
                        Ok(Some(_)) => {}
                        ended => break ended,
                    }
                },
            };
            (ended, ws.outcome().unwrap())
        });
        sleep(Duration::from_secs(17)).await;
        peer.send(Frame::text("still here")).await;
        loop {
            let frame = peer.frame().await;
            if frame.opcode != PING {
                assert_eq!(frame.close_body(), (1001, "idle timeout"));
                break;
            }
            // It lives, but says nothing.
            peer.send(Frame::new(PONG, frame.payload)).await;
        }
        let elapsed = start.elapsed().as_secs();
        assert!((77..=92).contains(&elapsed), "{elapsed} s");
        peer.send(Frame::close(1001, "")).await;
        drop(peer);
        let (ended, outcome) = receiving.await.unwrap();
        assert_eq!(ended.unwrap(), None);
        assert_eq!(outcome.cause, Cause::Handshake);
        assert_eq!(outcome.sent.unwrap().code().get(), 1001);
    }
}
