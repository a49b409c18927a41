//! What thousands of open and silent connections cost.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use telsiz_proto::{Config, Connection, Input, Message, Outbox};

use common::frame::{BINARY, CONTINUATION, Frame, PING};
use common::{Side, drain, heap, noise};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// The size of a connection on a 64-bit machine. Whoever makes it larger does
/// so knowingly.
const SIZE: usize = 128;

#[test]
#[cfg(target_pointer_width = "64")]
fn it_is_no_larger_than_it_was() {
    let size = size_of::<Connection>();
    println!("size_of::<Connection>() = {size}");
    assert!(size <= SIZE, "{size} > {SIZE}");
}

/// Messages, pings and large messages, both ways; all is written and dropped.
fn converse(connection: &mut Connection, side: Side, now: Instant) {
    let mut out = Outbox::default();
    let frames = [
        Frame::text("a").more(),
        Frame::new(PING, "between"),
        Frame::new(CONTINUATION, "b"),
        Frame::new(BINARY, noise(50_000, 1)),
    ];
    let bytes: Vec<_> = frames.into_iter().flat_map(|f| f.to(side)).collect();
    for size in [usize::MAX, 777] {
        for read in bytes.clone().chunks_mut(size.min(bytes.len())) {
            let mut input = Input::new(read);
            while let Ok(Some(_)) = connection.poll(&mut input) {}
        }
    }
    let mut owned = BytesMut::from(&Frame::text("owned").to(side)[..]);
    while let Ok(Some(_)) = connection.poll(&mut owned) {}
    for message in [Message::text("a"), Message::binary(noise(50_000, 2))] {
        assert_eq!(connection.send(message, &mut out), Ok(()));
    }
    assert_eq!(
        connection.send_fragment("a".into(), false, &mut out),
        Ok(())
    );
    assert_eq!(connection.send_fragment("b".into(), true, &mut out), Ok(()));
    assert_eq!(connection.ping(b"ours"), Ok(()));
    assert_eq!(connection.handle_timeout(now), Ok(()));
    connection.transmit(&mut out);
    assert!(Frame::read_all(&drain(&mut out)).len() > 5);
}

#[test]
fn it_owns_no_heap() {
    let config = Arc::new(Config::default());
    for side in Side::BOTH {
        let now = Instant::now();
        common::taken_keys();
        let before = heap::live();
        let mut connection = Connection::new(side.role(), config.clone(), now);
        assert_eq!(heap::live(), before, "a new one");
        for round in 1..4 {
            converse(&mut connection, side, now + Duration::from_secs(30 * round));
            common::taken_keys();
            assert_eq!(heap::live(), before, "after round {round}");
        }
    }
}

#[test]
fn messages_that_come_whole_ask_for_no_memory() {
    let config = Arc::new(Config::default());
    for side in Side::BOTH {
        let mut connection = Connection::new(side.role(), config.clone(), Instant::now());
        let frames = [Frame::text("günaydın").to(side), {
            Frame::new(BINARY, noise(50_000, 1)).to(side)
        }];
        let mut read = frames.concat();
        let (count, used) = heap::measure(|| {
            let mut input = Input::new(&mut read);
            let mut count = 0;
            while let Ok(Some(_)) = connection.poll(&mut input) {
                count += 1;
            }
            count
        });
        assert_eq!(count, 2);
        assert_eq!(used.calls, 0, "{used:?}");
    }
}

#[test]
fn an_echo_with_a_warm_outbox_asks_for_no_memory() {
    let config = Arc::new(Config::default());
    let mut connection = Connection::new(Side::Server.role(), config, Instant::now());
    let mut out = Outbox::default();
    let mut echo = |connection: &mut Connection| {
        let mut read = Frame::text("hello, there").to(Side::Server);
        let ((), used) = heap::measure(|| {
            let event = connection.poll(&mut Input::new(&mut read));
            let Ok(Some(telsiz_proto::Event::Message(message))) = event else {
                panic!("{event:?}");
            };
            assert_eq!(connection.forward(&message, &mut out), Ok(()));
            connection.transmit(&mut out);
            out.advance(out.len());
        });
        used.calls
    };
    echo(&mut connection);
    assert_eq!(echo(&mut connection), 0);
}
