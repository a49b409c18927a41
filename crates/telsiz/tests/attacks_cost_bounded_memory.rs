//! What a peer can make one open connection hold, attack by attack. Each bound is a
//! formula of the limits; they stand in `docs/limits.md`.

mod common;

use std::time::Duration;

use common::attack::{Attacker, End, GROWN, GROWTH, READ, STATE, Then, Way, all, cost};
use common::frame::{BINARY, CONTINUATION, Frame, PING, PONG};
use common::heap;
use telsiz::{CloseCode, Deflate, Options, WebSocket};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// The largest message that is accepted.
const MESSAGE: usize = 256 * 1024;

/// What may wait for the peer.
const BUFFER: usize = 64 * 1024;

/// A decompressor; a thread has one for all connections that keep nothing.
const INFLATER: isize = 64 * 1024;

fn options() -> Options {
    Options::default()
        .max_message_size(MESSAGE)
        .write_buffer(BUFFER)
}

/// Attacks an echo; the bound holds for each end in each way.
#[track_caller]
fn at_most<A>(bound: isize, options: &Options, attack: A)
where
    A: Fn(&mut Attacker) + Clone + Send + 'static,
{
    for (end, way) in all() {
        let echo = move |ws| way.echo(ws);
        let cost = cost(end, options.clone(), echo, attack.clone(), Then::HangUp);
        cost.is_at_most(bound, (end, way));
    }
}

#[test]
fn silence_amid_anything() {
    // The read buffer is not kept for what has not come.
    let starts: [fn(&Attacker) -> Vec<u8>; 5] = [
        |_| Vec::new(),
        |peer| peer.encode(&Frame::new(PONG, [])),
        |peer| peer.encode(&Frame::binary([]))[..1].to_vec(),
        |peer| peer.encode(&Frame::binary([0; 10]))[..10].to_vec(),
        |peer| peer.encode(&Frame::new(PING, [0; 10]))[..10].to_vec(),
    ];
    for start in starts {
        for (end, way) in all() {
            let attack = move |peer: &mut Attacker| {
                // Most of the buffer is used up by what needs no answer.
                let pongs = peer.encode(&Frame::new(PONG, [0; 125])).repeat(400);
                let ping = peer.encode(&Frame::new(PING, []));
                peer.write(&[pongs, ping, start(peer)].concat());
                assert_eq!(peer.frame().0, PONG);
            };
            let echo = move |ws| way.echo(ws);
            let cost = cost(end, options(), echo, attack, Then::HangUp);
            assert!(cost.held <= STATE, "{end:?} {way:?}: {cost:?}");
        }
    }
}

/// The header of a frame that claims `len` bytes.
fn claim(peer: &Attacker, len: u64) -> Vec<u8> {
    let mut header = peer.encode(&Frame::binary(vec![0; 0x1_0000]));
    header.truncate(header.len() - 0x1_0000);
    header[2..10].copy_from_slice(&len.to_be_bytes());
    header
}

#[test]
fn claimed_lengths() {
    for came in [0, 1, 10_000, 50_000] {
        at_most(GROWTH * came as isize + STATE, &options(), move |peer| {
            let header = claim(peer, MESSAGE as u64);
            peer.write(&[header, vec![0; came]].concat());
        });
    }
    for claimed in [MESSAGE as u64 + 1, 1 << 40, u64::MAX >> 1] {
        at_most(STATE, &options(), move |peer| {
            peer.write(&claim(peer, claimed));
            assert_eq!(peer.close_code(), 1009);
        });
    }
}

#[test]
fn a_flood_of_pings_from_a_peer_that_does_not_read() {
    for (len, most) in [(0, 1_000_000), (125, 6_000_000)] {
        at_most(GROWTH * BUFFER as isize + STATE, &options(), move |peer| {
            let pings = peer.encode(&Frame::new(PING, vec![0; len])).repeat(1000);
            // All are read, though no answer is.
            peer.write(&pings.repeat(most / pings.len()));
        });
    }
}

/// A compressed message of `len` times a byte: with fixed codes, the byte and then 258
/// times the one before, over and over (RFC 1951, section 3.2.6).
fn bomb(len: usize) -> Vec<u8> {
    let mut bits = vec![0, 1, 0];
    let mut code = |width: u32, code: u32| {
        bits.extend((0..width).rev().map(|bit| (code >> bit & 1) as u8));
    };
    code(8, 0b0011_0000);
    for _ in 0..(len - 1) / 258 {
        code(8, 0b1100_0101);
        code(5, 0);
    }
    for _ in 0..(len - 1) % 258 {
        code(8, 0b0011_0000);
    }
    // The end of the block, and the beginning of the empty one after it.
    code(7, 0);
    code(3, 0);
    bits.chunks(8)
        .map(|byte| byte.iter().rev().fold(0, |byte, bit| byte << 1 | bit))
        .collect()
}

/// The bytes of the frame with RSV1 set.
fn compressed(peer: &Attacker, frame: &Frame) -> Vec<u8> {
    let mut bytes = peer.encode(frame);
    bytes[0] |= 0x40;
    bytes
}

fn deflating(takeover: bool) -> Options {
    let mut deflate = Deflate::default();
    deflate.server_takeover = takeover;
    deflate.client_takeover = takeover;
    options().deflate(deflate)
}

#[test]
fn deflate_bombs() {
    // What is compressed, and twice what comes out, while it moves to more memory.
    let bound = GROWN * MESSAGE as isize + INFLATER + STATE;
    for takeover in [false, true] {
        at_most(bound, &deflating(takeover), |peer| {
            let bomb = bomb(100 * MESSAGE);
            assert!(bomb.len() < MESSAGE, "its own size is allowed");
            let bytes = compressed(peer, &Frame::binary(bomb));
            peer.write(&bytes);
            assert_eq!(peer.close_code(), 1009);
        });
    }
}

#[test]
fn deflate_bombs_in_many_fragments() {
    let bound = GROWN * MESSAGE as isize + INFLATER + STATE;
    for step in [1, 10] {
        at_most(bound, &deflating(false), move |peer| {
            let bomb = bomb(158 * 16_000 * step);
            let mut bytes = compressed(peer, &Frame::binary([]).more());
            for piece in bomb.chunks(step) {
                bytes.extend(peer.encode(&Frame::new(CONTINUATION, piece).more()));
            }
            bytes.extend(peer.encode(&Frame::new(CONTINUATION, [])));
            peer.write(&bytes);
            assert_eq!(peer.close_code(), 1009);
        });
    }
}

#[test]
fn fragments_without_end() {
    // The default number of fragments is not reached by those that are larger.
    for (len, most, code) in [(0, 0, 1008), (1, 16_385, 1008), (1000, MESSAGE, 1009)] {
        at_most(GROWTH * most as isize + STATE, &options(), move |peer| {
            peer.send(&Frame::binary([]).more());
            let more = peer.encode(&Frame::new(CONTINUATION, vec![0; len]).more());
            peer.write(&more.repeat(20_000));
            assert_eq!(peer.close_code(), code);
        });
    }
}

#[test]
fn one_byte_at_a_time_and_a_ping_after_each() {
    let came = 16_000;
    let bound = GROWTH * (came + BUFFER as isize) + STATE;
    at_most(bound, &options(), move |peer| {
        let ping = peer.encode(&Frame::new(PING, [0; 125]));
        let more = Frame::new(CONTINUATION, [0]).more();
        let both = [peer.encode(&more), ping].concat();
        peer.send(&Frame::new(BINARY, []).more());
        peer.write(&both.repeat(came as usize));
    });
}

#[test]
fn a_reader_that_stops() {
    for len in [1000, MESSAGE] {
        // What waits with the message that crossed the line, the next one, and what was
        // read with that.
        let bound = GROWTH * (BUFFER + len) as isize + GROWN * len as isize + READ + STATE;
        at_most(bound, &options(), move |peer| {
            let message = peer.encode(&Frame::binary(vec![0; len]));
            let messages = message.repeat(1 + 10_000 / len);
            peer.stuff(&messages);
        });
    }
}

#[test]
fn a_reader_that_stops_and_sends_much_that_is_not_answered() {
    // A message that waits for the peer must not keep all that was read with it.
    // A client masks what it sends, and so copies it.
    for way in [Way::Recv, Way::Run, Way::Halves] {
        let len = 8000;
        let attack = move |peer: &mut Attacker| {
            let message = peer.encode(&Frame::binary(vec![0; len]));
            let pong = peer.encode(&Frame::new(PONG, [0; 125]));
            let pongs = pong.repeat((62_000 - message.len()) / pong.len());
            peer.stuff(&[message, pongs].concat());
        };
        let bound = GROWTH * (BUFFER + len) as isize + READ + STATE;
        let echo = move |ws| way.echo(ws);
        cost(End::Server, options(), echo, attack, Then::HangUp).is_at_most(bound, way);
    }
}

#[test]
fn messages_that_are_kept_with_much_around_each() {
    const COUNT: usize = 100;
    const LEN: usize = 1000;
    for end in [End::Server, End::Client] {
        let victim = async |mut ws: WebSocket| {
            let mut kept = Vec::with_capacity(COUNT);
            while let Ok(Some(message)) = ws.recv().await {
                kept.push(message.into_own());
            }
            assert_eq!(kept.len(), COUNT);
        };
        let attack = |peer: &mut Attacker| {
            let pongs = peer.encode(&Frame::new(PONG, [0; 125])).repeat(480);
            let message = peer.encode(&Frame::binary([0; LEN]));
            peer.write(&[message, pongs].concat().repeat(COUNT));
            peer.send(&Frame::close(1000, ""));
            assert_eq!(peer.close_code(), 1000);
        };
        let bound = (COUNT * (LEN + 64)) as isize + READ + STATE;
        cost(end, options(), victim, attack, Then::HangUp).is_at_most(bound, end);
    }
}

/// The default.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn a_peer_that_closes_and_goes_on_sending_without_end() {
    for (end, way) in all() {
        let attack = |peer: &mut Attacker| {
            peer.send(&Frame::close(1000, ""));
            assert_eq!(peer.close_code(), 1000);
            let noise = [Frame::binary([0; 60_000]), Frame::new(PING, [0; 125])];
            let noise = noise.map(|frame| peer.encode(&frame)).concat();
            peer.write(&noise.repeat(50));
        };
        let echo = move |ws| way.echo(ws);
        cost(end, options(), echo, attack, Then::Wait(CLOSE_TIMEOUT))
            .is_at_most(READ + STATE, (end, way));
    }
}

#[test]
fn a_peer_that_never_answers_our_close_and_floods() {
    for end in [End::Server, End::Client] {
        for halves in [false, true] {
            let victim = move |mut ws: WebSocket| async move {
                match halves {
                    false => drop(ws.close(CloseCode::NORMAL).await),
                    true => drop(ws.split().0.close(CloseCode::NORMAL).await),
                }
            };
            let attack = |peer: &mut Attacker| {
                assert_eq!(peer.close_code(), 1000);
                let noise = [
                    Frame::binary([0; 60_000]),
                    Frame::new(PING, [0; 125]),
                    Frame::binary([0; 100_000]).more(),
                    Frame::new(CONTINUATION, [0; 100_000]),
                ];
                let noise = noise.map(|frame| peer.encode(&frame)).concat();
                // It is read and thrown away.
                peer.write(&noise.repeat(20));
            };
            let bound = GROWTH * MESSAGE as isize + READ + STATE;
            cost(end, options(), victim, attack, Then::Wait(CLOSE_TIMEOUT))
                .is_at_most(bound, (end, halves));
        }
    }
}
