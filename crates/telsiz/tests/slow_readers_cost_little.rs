//! A peer that sends much and never reads: what we take from it is bounded, and so
//! is what we keep.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::frame::{Frame, PING, PONG};
use common::raw::Raw;
use common::{client, heap, pipe, soon};
use telsiz::{TrySendError, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::yield_now;
use tokio::time::timeout;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// What the pipe holds.
const PIPE: usize = 1000;
/// What may wait for the peer.
const BUFFER: usize = 10_000;
/// What is read at once.
const READ: usize = 64 * 1024;

/// How many bytes the peer gets rid of before nothing moves any more, sending
/// `frame` over and over.
async fn taken(peer: &mut Raw<DuplexStream>, frame: &Frame, most: usize) -> usize {
    let bytes = frame.bytes(false);
    let mut taken = 0;
    // The clock is paused: it goes on only if nobody can do anything.
    while let Ok(n) = timeout(
        Duration::from_secs(1),
        peer.io.write(&bytes[taken % bytes.len()..]),
    )
    .await
    {
        taken += n.unwrap();
        if taken > most {
            break;
        }
    }
    taken
}

async fn run(mut ws: WebSocket<DuplexStream>) {
    let _ = ws.run(|message, replies| replies.echo(message)).await;
}

async fn recv_and_feed(mut ws: WebSocket<DuplexStream>) {
    while let Ok(Some(message)) = ws.recv().await {
        if ws.feed(message).await.is_err() {
            return;
        }
    }
}

async fn halves(ws: WebSocket<DuplexStream>) {
    let (mut receiver, sender) = ws.split();
    while let Ok(Some(message)) = receiver.recv().await {
        if sender.send(message).await.is_err() {
            return;
        }
    }
}

async fn bounded<F>(way: impl Fn(WebSocket<DuplexStream>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for len in [0, 10, 3000, 9000] {
        let opening = client().write_buffer(BUFFER).ping_interval(None);
        let (ws, mut peer) = pipe(PIPE, opening).await;
        let echoing = tokio::spawn(way(ws));
        let bound = 2 * PIPE + BUFFER + 2 * (len + 20) + READ;
        let taken = taken(&mut peer, &Frame::binary(vec![1; len]), 100 * bound).await;
        assert!(taken <= bound, "{taken} bytes were taken, {len} at a time");
        echoing.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn run_stops_reading() {
    bounded(run).await;
}

#[tokio::test(start_paused = true)]
async fn recv_and_feed_stop_reading() {
    bounded(recv_and_feed).await;
}

#[tokio::test(start_paused = true)]
async fn halves_stop_reading() {
    bounded(halves).await;
}

#[tokio::test(start_paused = true)]
async fn everything_comes_once_the_peer_reads() {
    for number in 0..3 {
        let opening = client().write_buffer(BUFFER).ping_interval(None);
        let (ws, mut peer) = pipe(PIPE, opening).await;
        let echoing = match number {
            0 => tokio::spawn(run(ws)),
            1 => tokio::spawn(recv_and_feed(ws)),
            _ => tokio::spawn(halves(ws)),
        };
        let frame = Frame::binary([7; 996]);
        // Whole frames of 1000 bytes: the pipe cuts none.
        let taken = taken(&mut peer, &frame, 10_000_000).await;
        let whole = taken.div_ceil(1000);
        let rest = frame.bytes(false).split_off(taken % 1000);
        let (mut reading, mut writing) = tokio::io::split(peer.io);
        let write = async {
            if taken % 1000 != 0 {
                writing.write_all(&rest).await.unwrap();
            }
        };
        let read = async {
            for _ in 0..whole {
                assert_eq!(Frame::read(&mut reading, true).await, Some(frame.clone()));
            }
        };
        soon(async { tokio::join!(write, read) }).await;
        assert!(whole > 1, "{whole}");
        echoing.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_is_answered_only_as_far_as_the_peer_reads() {
    for lend in [true, false] {
        let (mut ws, mut peer) =
            pipe(PIPE, client().write_buffer(BUFFER).ping_interval(None)).await;
        let receiving = tokio::spawn(async move {
            match lend {
                true => ws.run(|_, _| {}).await,
                false => ws.recv().await.map(drop),
            }
        });
        // All of it is read, although nothing of the answers is.
        const PINGS: u32 = 20_000;
        for number in 0..PINGS {
            let mut payload = [0; 100];
            payload[..4].copy_from_slice(&number.to_be_bytes());
            let sent = timeout(Duration::from_secs(1), peer.send(Frame::new(PING, payload))).await;
            assert!(sent.is_ok(), "ping {number} is not read");
        }
        let mut numbers = Vec::new();
        while let Ok(frame) = timeout(Duration::from_secs(1), peer.frame()).await {
            assert_eq!(frame.opcode, PONG);
            let number = frame.payload.first_chunk().unwrap();
            numbers.push(u32::from_be_bytes(*number));
        }
        assert!(numbers.is_sorted());
        assert_eq!(numbers.last(), Some(&(PINGS - 1)), "the newest is answered");
        // The pipe, one write buffer, and what one read brought.
        let bound = (PIPE + BUFFER + READ) / 100;
        assert!(numbers.len() <= bound, "{} pongs were kept", numbers.len());
        receiving.abort();
    }
}

#[tokio::test]
async fn a_senders_backlog_is_bounded_by_the_write_buffer_and_one_message() {
    let (ws, _peer) = pipe(PIPE, client().write_buffer(BUFFER)).await;
    let (_receiver, sender) = ws.split();
    let mut queued = 0;
    while sender.try_send(vec![0; 700]).is_ok() {
        queued += 1;
        assert!(queued < 1000, "it is never full");
        assert!(
            sender.backlog() <= BUFFER + 700 + 14,
            "{}",
            sender.backlog()
        );
    }
    assert!(queued >= (PIPE + BUFFER) / 714, "{queued}");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_never_catches_up_costs_no_more_than_one_that_stops() {
    // What was written of the messages that wait must not stay with them.
    for number in 0..3 {
        let opening = client().write_buffer(BUFFER).ping_interval(None);
        let (ws, peer) = pipe(PIPE, opening).await;
        let echoing = match number {
            0 => tokio::spawn(run(ws)),
            1 => tokio::spawn(recv_and_feed(ws)),
            _ => tokio::spawn(halves(ws)),
        };
        let (mut reading, mut writing) = tokio::io::split(peer.io);
        let before = heap::live();
        let asking = tokio::spawn(async move {
            let frame = Frame::binary([7; 1000]).bytes(false);
            while writing.write_all(&frame).await.is_ok() {}
        });
        let mut answer = [0; PIPE / 2];
        for _ in 0..4000 {
            soon(reading.read_exact(&mut answer)).await.unwrap();
            let held = heap::live() - before;
            let bound = 4 * (BUFFER + 1000) + 2 * PIPE + READ + 8192;
            assert!(held <= bound as isize, "{held} in way {number}");
        }
        asking.abort();
        echoing.abort();
    }
}

/// What the state of a connection, its pipe and its task take.
const STATE: usize = 8 * 1024;

/// What may be held of an outbox in which `len` bytes at a time are put.
fn outbox(len: usize) -> usize {
    4 * (BUFFER + len) + 2 * PIPE + STATE
}

#[tokio::test]
async fn try_send_to_one_that_stopped_costs_the_write_buffer_and_one_message() {
    for len in [1, 700, 5000, 100_000] {
        let (ws, _peer) = pipe(PIPE, client().write_buffer(BUFFER)).await;
        let (_receiver, sender) = ws.split();
        let before = heap::live();
        for _ in 0..100_000 / len + 10 {
            let sent = sender.try_send(vec![1; len]);
            if let Err(error) = sent {
                assert!(matches!(error, TrySendError::Full(_)), "{error:?}");
            }
        }
        let held = heap::live() - before;
        assert!(held <= outbox(len) as isize, "{held} for {len} at a time");
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_wait_to_send_cost_their_own_messages() {
    const TASKS: usize = 100;
    for len in [1, 700, 5000] {
        let (ws, _peer) = pipe(PIPE, client().write_buffer(BUFFER)).await;
        let (_receiver, sender) = ws.split();
        let before = heap::live();
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let sender = sender.clone();
                tokio::spawn(async move { while sender.send(vec![1; len]).await.is_ok() {} })
            })
            .collect();
        // The clock goes on only when nobody can do anything any more.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let held = heap::live() - before;
        let bound = outbox(len) + TASKS * (len + 1000);
        assert!(held <= bound as isize, "{held} for {len} at a time");
        tasks.into_iter().for_each(|task| task.abort());
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_gave_up_sending_cost_nothing() {
    let quiet = client().write_buffer(BUFFER).ping_interval(None);
    let (ws, _peer) = pipe(PIPE, quiet).await;
    let (_receiver, sender) = ws.split();
    while sender.try_send(vec![1; 100]).is_ok() {}
    let mut held = Vec::new();
    for _ in 0..2 {
        for _ in 0..1000 {
            let sender = sender.clone();
            let sending = async move {
                let sent = timeout(Duration::from_millis(1), sender.send("late")).await;
                assert!(sent.is_err(), "there was room");
            };
            tokio::spawn(sending).await.unwrap();
            yield_now().await;
        }
        held.push(heap::live());
    }
    let more = held[1] - held[0];
    assert!(more <= 1000, "{more} for 1000 that gave up");
}
