//! An echo on lent messages and one on owned messages say the same, whatever
//! comes and however it is cut.
#![allow(clippy::unwrap_used)]

mod common;

use common::frame::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use common::raw::Raw;
use common::{client, noise, pipe, soon};
use telsiz::WebSocket;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// Small numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % limit
    }

    /// 0 to 200 KiB, mostly small, often near a border.
    fn size(&mut self) -> usize {
        match self.below(8) {
            0 => 0,
            1..=3 => self.below(200),
            4 => 120 + self.below(12),
            5 => 4090 + self.below(12),
            6 => 65_530 + self.below(12),
            _ => self.below(200 * 1024),
        }
    }
}

/// Frames, and the messages that they make.
fn conversation(dice: &mut Dice) -> (Vec<Frame>, Vec<(u8, Vec<u8>)>) {
    let (mut frames, mut messages) = (Vec::new(), Vec::new());
    for number in 0..30 {
        let (opcode, payload) = match dice.below(2) {
            0 => (TEXT, "ğ".repeat(dice.size() / 2).into_bytes()),
            _ => (BINARY, noise(dice.size(), number)),
        };
        let mut rest = &payload[..];
        let mut next = opcode;
        for _ in 0..[0, 0, 0, 1, 4][dice.below(5)] {
            let (fragment, tail) = rest.split_at(dice.below(rest.len() + 1));
            frames.push(Frame::new(next, fragment).more());
            rest = tail;
            next = CONTINUATION;
            if dice.below(3) == 0 {
                frames.push(Frame::new(PING, noise(dice.below(126), number)));
            }
        }
        frames.push(Frame::new(next, rest));
        messages.push((opcode, payload));
    }
    frames.push(Frame::close(1000, ""));
    (frames, messages)
}

/// Sends `frames` in pieces of random sizes and reads all the answers.
async fn converse(peer: Raw<DuplexStream>, frames: &[Frame], mut dice: Dice) -> Vec<Frame> {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(false)).collect();
    let (mut reading, mut writing) = tokio::io::split(peer.io);
    let write = async {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = [1, 10, 1000, 100_000][dice.below(4)];
            let (piece, tail) = rest.split_at(rest.len().min(1 + dice.below(most)));
            writing.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
            rest = tail;
        }
        writing
    };
    let read = async {
        let mut frames = Vec::new();
        while frames
            .last()
            .is_none_or(|frame: &Frame| frame.opcode != CLOSE)
        {
            frames.push(Frame::read(&mut reading, true).await.expect("a Close"));
        }
        frames
    };
    let (mut writing, frames) = tokio::join!(write, read);
    writing.shutdown().await.unwrap();
    frames
}

async fn run(mut ws: WebSocket<DuplexStream>) {
    ws.run(|message, replies| replies.echo(message))
        .await
        .unwrap();
}

async fn recv(mut ws: WebSocket<DuplexStream>) {
    while let Some(message) = ws.recv().await.unwrap() {
        ws.feed(message).await.unwrap();
    }
}

/// The messages among the answers of an echo that `way` is.
async fn answers<F>(way: impl Fn(WebSocket<DuplexStream>) -> F, seed: u64) -> Vec<(u8, Vec<u8>)>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut dice = Dice(seed);
    let (frames, _) = conversation(&mut dice);
    let room = [64, 5000, 300_000][dice.below(3)];
    let buffer = [100, 64 * 1024][dice.below(2)];
    let (ws, peer) = pipe(room, client().write_buffer(buffer)).await;
    let echoing = tokio::spawn(way(ws));
    let answers = soon(converse(peer, &frames, dice)).await;
    soon(echoing).await.unwrap();
    let pongs = answers.iter().filter(|frame| frame.opcode == PONG).count();
    let pings = frames.iter().filter(|frame| frame.opcode == PING).count();
    assert!(
        pongs <= pings && (pings == 0 || pongs > 0),
        "{pongs} of {pings}"
    );
    let messages = answers.into_iter().filter(|frame| frame.opcode < CLOSE);
    messages
        .map(|frame| (frame.opcode, frame.payload))
        .collect()
}

#[tokio::test]
async fn whatever_comes_and_however_it_is_cut() {
    for seed in 0..12 {
        let (_, messages) = conversation(&mut Dice(seed));
        assert!(answers(run, seed).await == messages, "run, seed {seed}");
        assert!(answers(recv, seed).await == messages, "recv, seed {seed}");
    }
}
