//! What a peer claims reserves nothing; what it sent is kept a few times at most.

mod common;

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, BytesMut};
use telsiz_proto::{Config, Connection, Event, Exceeded, Fault, Input, Outbox, Prepared, Role};

use common::frame::{BINARY, CONTINUATION, Frame, PING};
use common::{Side, compressing, heap};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// The state of a message beside its bytes.
const STATE: isize = 200;

/// How many times what came may be kept.
const GROWTH: isize = 4;

fn unlimited(side: Side) -> Connection {
    let mut config = Config::default();
    config.limits.message_size = usize::MAX;
    config.limits.fragments = u32::MAX;
    Connection::new(side.role(), Arc::new(config), Instant::now())
}

/// Polls `bytes`, in which no event ends, where they lie.
fn swallow(connection: &mut Connection, bytes: &mut [u8]) {
    assert!(matches!(connection.poll(&mut Input::new(bytes)), Ok(None)));
}

#[test]
fn a_claimed_length_reserves_nothing() {
    for side in Side::BOTH {
        for claimed in [126, 0xffff, 0x1_0000, 1 << 30, u64::MAX >> 1] {
            let mut header = side.gets(Frame::new(BINARY, "")).header(claimed);
            let mut connection = unlimited(side);
            let ((), used) = heap::measure(|| swallow(&mut connection, &mut header));
            assert!(used.peak <= STATE, "{claimed}: {used:?}");
            let ((), used) = heap::measure(|| swallow(&mut connection, &mut [1]));
            assert!(used.peak <= STATE, "{claimed}: {used:?}");
        }
    }
}

#[test]
fn a_claimed_length_over_the_limit_is_refused_without_memory() {
    for side in Side::BOTH {
        let mut header = side.gets(Frame::new(BINARY, "")).header(1 << 40);
        let config = Arc::new(Config::default());
        let mut connection = Connection::new(side.role(), config, Instant::now());
        let (result, used) =
            heap::measure(|| connection.poll(&mut Input::new(&mut header)).map(drop));
        assert!(result.is_err());
        assert!(used.peak <= 2 * STATE, "the ending alone: {used:?}");
    }
}

#[test]
fn a_message_in_one_frame_is_kept_few_times_at_any_moment() {
    for side in Side::BOTH {
        for step in [1, 3, 100, 4096, 50_000] {
            let mut header = side.gets(Frame::new(BINARY, "")).header(1 << 30);
            let mut read = vec![0; step];
            let mut connection = unlimited(side);
            let before = heap::live();
            swallow(&mut connection, &mut header);
            let mut came = 0;
            while came < 200_000.min(4000 * step) {
                swallow(&mut connection, &mut read);
                came += step;
                let kept = heap::live() - before;
                let most = GROWTH * came as isize + STATE;
                assert!(kept <= most, "{kept} for {came} in steps of {step}");
            }
        }
    }
}

#[test]
fn a_message_in_fragments_is_kept_few_times_at_any_moment() {
    for side in Side::BOTH {
        for step in [0, 1, 100, 10_000] {
            let first = Frame::new(BINARY, vec![0; step]).more().to(side);
            let next = Frame::new(CONTINUATION, vec![0; step]).more().to(side);
            let mut connection = unlimited(side);
            let (mut came, mut read) = (0, first);
            let before = heap::live() - read.len() as isize;
            for _ in 0..100 {
                swallow(&mut connection, &mut read);
                came += step;
                read = next.clone();
                let kept = heap::live() - before - read.len() as isize;
                let most = GROWTH * came as isize + STATE;
                assert!(kept <= most, "{kept} for {came} in steps of {step}");
            }
        }
    }
}

#[test]
fn the_space_of_a_large_message_is_a_few_times_what_came() {
    for side in Side::BOTH {
        for first in [8 * 1024, 10_000, 40_000] {
            let mut start = Frame::new(BINARY, vec![0; first]).more().to(side);
            let mut header = side.gets(Frame::new(CONTINUATION, "")).header(1 << 30);
            let mut connection = unlimited(side);
            let before = heap::live();
            swallow(&mut connection, &mut start);
            swallow(&mut connection, &mut header);
            let mut came = first;
            while came < 3_000_000 {
                let mut space = connection.space(|| None).expect("a large message");
                let room = space.remaining_mut();
                let kept = heap::live() - before;
                let most = GROWTH * came as isize + STATE;
                assert!(
                    kept <= most,
                    "{kept} for {came} of which {first} in a fragment"
                );
                let filled = room.min(9_000);
                space.put_bytes(0, filled);
                came += filled;
                swallow(&mut connection, &mut []);
            }
        }
    }
}

#[test]
fn the_space_is_never_more_than_what_is_left_of_the_frame() {
    let side = Side::Client;
    let len = 60_000;
    let mut connection = unlimited(side);
    let header = side.gets(Frame::new(BINARY, "").more()).header(len);
    swallow(&mut connection, &mut [&header[..], &[0; 20_000]].concat());
    let mut left = len as usize - 20_000;
    let mut spaces = 0;
    while let Some(mut space) = connection.space(|| None) {
        assert!(space.remaining_mut() <= left);
        let filled = space.remaining_mut().min(7_000);
        space.put_bytes(0, filled);
        left -= filled;
        spaces += 1;
    }
    assert!(spaces > 3, "{spaces}");
    swallow(&mut connection, &mut vec![0; left]);
    assert!(connection.space(|| None).is_none(), "the frame is complete");
    let mut ping = Frame::new(PING, "").bytes();
    let event = connection.poll(&mut Input::new(&mut ping));
    assert!(matches!(event, Ok(Some(_))), "{event:?}");
}

#[test]
fn memory_that_an_earlier_message_left_is_at_most_twice_the_message() {
    // It may be more than four times what came, but no more than the limit allows for.
    for side in Side::BOTH {
        for claimed in [20_000, 100_000, 1 << 20] {
            for spare in [claimed, 2 * claimed, 3 * claimed] {
                let mut connection = unlimited(side);
                let mut came = side.gets(Frame::new(BINARY, "")).header(claimed as u64);
                came.extend_from_slice(&[0; 9_000]);
                swallow(&mut connection, &mut came);
                let before = heap::live();
                let mut memory = Some(BytesMut::with_capacity(spare));
                assert!(connection.space(|| memory.take()).is_some());
                let kept = heap::live() - before;
                let most = match spare <= 2 * claimed {
                    true => spare as isize,
                    false => GROWTH * 9_000,
                };
                assert!(kept <= most, "{kept} for {claimed} in {spare}");
            }
        }
    }
}

#[test]
fn there_is_no_space_for_small_messages_and_control_frames() {
    let side = Side::Client;
    let mut connection = unlimited(side);
    assert!(connection.space(|| None).is_none());
    let header = Frame::new(BINARY, "").header(100_000);
    swallow(&mut connection, &mut [&header[..], &[0; 8191]].concat());
    assert!(connection.space(|| None).is_none(), "little has come");
    swallow(&mut connection, &mut [0]);
    assert!(connection.space(|| None).is_some());
    swallow(&mut connection, &mut vec![0; 100_000 - 8192 - 8191]);
    assert!(connection.space(|| None).is_none(), "little is left");

    let mut connection = unlimited(side);
    let large = Frame::new(BINARY, vec![0; 50_000]).more().to(side);
    swallow(&mut connection, &mut large.clone());
    let ping = Frame::new(PING, [0; 125]).to(side);
    swallow(&mut connection, &mut ping[..60].to_vec());
    assert!(connection.space(|| None).is_none(), "a ping is on its way");
}

#[test]
fn a_fault_and_a_close_free_what_was_gathered() {
    for side in Side::BOTH {
        for last in [Frame::close(1000, ""), Frame::new(15, "")] {
            let mut connection = unlimited(side);
            let mut start = Frame::new(BINARY, vec![0; 100_000]).more().to(side);
            let mut last = last.to(side);
            let before = heap::live();
            swallow(&mut connection, &mut start);
            assert!(heap::live() - before >= 100_000);
            drop(connection.poll(&mut Input::new(&mut last)));
            assert!(heap::live() - before <= 2 * STATE);
        }
    }
}

/// What a decompressor takes.
const INFLATER: isize = 64 * 1024;

#[test]
fn a_bomb_costs_its_limit() {
    let limit = 1 << 20;
    for takeover in [false, true] {
        let deflate = compressing::settings(takeover, 15);
        let mut from = compressing::end(Side::Client, &deflate);
        let zeros = vec![0; 32 << 20];
        assert_eq!(from.connection.send_binary(&zeros, &mut from.out), Ok(()));
        drop(zeros);
        let mut bomb = from.transmit();
        assert!(bomb.len() < limit, "its own size is allowed");

        let mut config = compressing::config(&deflate);
        config.limits.message_size = limit;
        let mut connection = Connection::new(Side::Server.role(), Arc::new(config), Instant::now());
        connection.set_deflate(compressing::agree(&deflate, &deflate));
        let (result, used) =
            heap::measure(|| connection.poll(&mut Input::new(&mut bomb)).map(drop));
        assert!(result.is_err());
        // Twice, while what came out moves to more memory.
        let most = 2 * limit as isize + INFLATER + STATE;
        assert!(used.peak <= most, "{used:?}");
        assert!(used.kept <= INFLATER + 2 * STATE, "{used:?}");
    }
}

/// A server with a limit, and its compressing client.
fn bombed(limit: usize) -> (Connection, common::End) {
    let deflate = compressing::settings(false, 15);
    let mut config = compressing::config(&deflate);
    config.limits.message_size = limit;
    let mut connection = Connection::new(Side::Server.role(), Arc::new(config), Instant::now());
    connection.set_deflate(compressing::agree(&deflate, &deflate));
    (connection, compressing::end(Side::Client, &deflate))
}

#[test]
fn a_bomb_of_the_limit_less_one_the_limit_and_one_more() {
    const LIMIT: usize = 100_000;
    for len in [LIMIT - 1, LIMIT, LIMIT + 1] {
        let (mut connection, mut from) = bombed(LIMIT);
        let zeros = vec![0; len];
        assert_eq!(from.connection.send_binary(&zeros, &mut from.out), Ok(()));
        let mut bomb = from.transmit();
        let (message, used) = heap::measure(|| connection.poll(&mut Input::new(&mut bomb)));
        match len > LIMIT {
            true => {
                let fault = Fault::from(Exceeded::MessageSize { max: LIMIT });
                assert_eq!(message.err(), Some(fault));
            }
            // Not one byte less comes out than went in.
            false => match message {
                Ok(Some(Event::Message(message))) => assert_eq!(message.as_bytes(), zeros),
                other => panic!("{len}: {other:?}"),
            },
        }
        let most = 2 * LIMIT as isize + INFLATER + 2 * STATE;
        assert!(used.peak <= most, "{len}: {used:?}");
    }
}

#[test]
fn a_bomb_in_fragments_of_one_byte_with_pings_between_them() {
    const LIMIT: usize = 1 << 20;
    let (mut connection, _) = bombed(LIMIT);
    let deflate = compressing::settings(false, 15);
    let mut from = compressing::end(Side::Server, &deflate);
    assert_eq!(
        from.connection
            .send_binary(&vec![0; 16 * LIMIT], &mut from.out),
        Ok(())
    );
    let bomb = from.frames().remove(0).payload;
    assert!(bomb.len() > 10_000, "{}", bomb.len());
    let ping = Frame::new(PING, [0; 125]).to(Side::Server);
    let mark = heap::Mark::set();
    let mut start = Frame::new(BINARY, "").more();
    start.reserved = 4;
    swallow(&mut connection, &mut start.to(Side::Server));
    let mut faults = 0;
    for (index, byte) in bomb.iter().enumerate() {
        let piece = Frame::new(CONTINUATION, [*byte]);
        let is_last = index + 1 == bomb.len();
        let mut piece = if is_last { piece } else { piece.more() }.to(Side::Server);
        faults += usize::from(connection.poll(&mut Input::new(&mut piece)).is_err());
        let _ = connection.poll(&mut Input::new(&mut ping.clone()));
        let most = match is_last {
            true => 2 * LIMIT as isize + INFLATER,
            false => GROWTH * index as isize + 1000,
        };
        let used = mark.used();
        assert!(used.peak <= most + 3 * STATE, "{index}: {used:?}");
    }
    assert_eq!(faults, 1);
}

#[test]
fn a_prepared_message_that_waits_for_many_is_held_once() {
    const LEN: usize = 10_000;
    const MANY: isize = 100;
    for compressed in [false, true] {
        let deflate = compressing::settings(false, 15);
        let config = Arc::new(compressing::config(&deflate));
        let mut all: Vec<_> = (0..MANY)
            .map(|_| {
                let mut one = Connection::new(Role::Server, config.clone(), Instant::now());
                if compressed {
                    one.set_deflate(compressing::agree(&deflate, &deflate));
                }
                (one, Outbox::default())
            })
            .collect();
        let bytes = common::noise(LEN / 2, 1).repeat(2);
        let mark = heap::Mark::set();
        let message = Prepared::new(bytes.clone());
        for (connection, out) in &mut all {
            assert_eq!(connection.send(&message, out), Ok(()));
        }
        // Beside it: a header and a reference for each, and the thread's compressor.
        let compressor = if compressed { 400_000 } else { 0 };
        let most = 3 * LEN as isize + 400 * MANY + compressor;
        let used = mark.used();
        assert!(used.kept <= most, "{used:?} of {most}");
    }
}

#[test]
fn a_compressed_message_keeps_what_it_has_and_little_more() {
    let deflate = compressing::settings(false, 15);
    for len in [1000, 40_000, 100_000, 1 << 20] {
        let mut from = compressing::end(Side::Client, &deflate);
        let message = common::noise(len / 2, 1).repeat(2);
        assert_eq!(from.connection.send_binary(&message, &mut from.out), Ok(()));
        let mut read = from.transmit();
        let mut to = compressing::end(Side::Server, &deflate);
        let (event, used) = heap::measure(|| to.connection.poll(&mut Input::new(&mut read)));
        assert!(matches!(event, Ok(Some(telsiz_proto::Event::Message(_)))));
        let most = 2 * len as isize + INFLATER + STATE;
        assert!(used.kept <= most, "{len}: {used:?}");
    }
}
