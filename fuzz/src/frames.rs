//! `frames`: any bytes, in both roles, compressed or not, in any reads.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use telsiz_proto::{Config, Connection, Input};

use crate::common::compressing::{agree, config, settings};
use crate::common::frame::{CLOSE, Frame, PONG};
use crate::common::{Driver, End, Seen, Side, heap, reference};
use crate::script::Script;

const LIMIT: usize = 10_000;

/// Whatever comes and however it is cut, a connection says what the book says, answers what it has to answer,
/// and keeps no more than a few times what came.
pub fn frames(data: &[u8]) {
    let mut script = Script::new(data);
    let side = script.pick(&Side::BOTH);
    let deflate = match script.below(4) {
        3 => Some(script.flag()),
        _ => None,
    };
    let driver = script.below(6);
    let driver = Driver::all().nth(driver).expect("one of six");
    let sizes = script.sizes(4);
    let bytes = script.rest();

    let whole = said(side, deflate, Driver::SIMPLE, bytes, &[usize::MAX]);
    let split = said(side, deflate, driver, bytes, &sizes);
    assert_eq!(whole, split, "{driver:?} {sizes:?}");
    for seen in &whole.0 {
        assert!(!matches!(seen, Seen::Message(_, message) if message.len() > LIMIT));
    }
    assert_eq!(whole.1, answers(&whole.0));
    if deflate.is_none() {
        let limits = &narrow(deflate).limits;
        assert_eq!(whole.0, reference::receive(side, limits, bytes));
    }
    keeps_little(side, deflate, bytes, &sizes);
}

/// Settings with limits that are soon reached.
fn narrow(deflate: Option<bool>) -> Config {
    let mut config = match deflate {
        None => Config::default(),
        Some(takeover) => config(&settings(takeover, 15)),
    };
    config.limits.message_size = LIMIT;
    config.limits.fragments = 5;
    config
}

/// What a connection says about `bytes`, and what it then sends, without masks.
fn said(
    side: Side,
    deflate: Option<bool>,
    driver: Driver,
    bytes: &[u8],
    sizes: &[usize],
) -> (Vec<Seen>, Vec<Frame>) {
    let mut end = End::new(side, &narrow(deflate), Instant::now());
    if let Some(takeover) = deflate {
        let settings = settings(takeover, 15);
        end.connection.set_deflate(agree(&settings, &settings));
    }
    end.get_split(driver, bytes, sizes);
    let frames = end.frames();
    assert!(
        frames
            .iter()
            .all(|f| f.key.is_some() == (side == Side::Client))
    );
    (end.seen, frames.into_iter().map(Frame::plain).collect())
}

/// What has to go out when `seen` came in: one pong, for the last ping (section 5.5.3), and a Close frame.
fn answers(seen: &[Seen]) -> Vec<Frame> {
    let pong = seen.iter().rev().find_map(|seen| match seen {
        Seen::Ping(payload) => Some(Frame::new(PONG, payload)),
        _ => None,
    });
    let close = seen.last().and_then(|seen| match seen {
        Seen::Close(frame) => Some(frame.clone()),
        Seen::Fault(fault) => Some(fault.close_frame()),
        _ => None,
    });
    let close = close.map(|close| match close.code().is_sendable() {
        true => Frame::close(close.code().get(), close.reason()),
        false => Frame::new(CLOSE, ""),
    });
    pong.into_iter().chain(close).collect()
}

/// Feeds `bytes` to a connection whose events are dropped, and looks at the heap.
fn keeps_little(side: Side, deflate: Option<bool>, bytes: &[u8], sizes: &[usize]) {
    let mut connection = Connection::new(side.role(), Arc::new(narrow(deflate)), Instant::now());
    if let Some(takeover) = deflate {
        let settings = settings(takeover, 15);
        connection.set_deflate(agree(&settings, &settings));
    }
    let mut rest = bytes;
    let mut buffer = BytesMut::from(bytes);
    let (_, used) = heap::measure(|| {
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let len = (*size).min(rest.len());
            let read = &mut buffer[..len];
            read.copy_from_slice(&rest[..len]);
            rest = &rest[len..];
            let mut input = Input::new(read);
            while let Ok(Some(_)) = connection.poll(&mut input) {}
        }
    });
    // An unfinished message may have four times what came; it is copied when it grows.
    let gathered = 5 * bytes.len().min(LIMIT + LIMIT / 4) + 1024;
    // A decompressor with its window, and what comes out of it, in memory that doubles.
    let inflated = match deflate {
        None => 0,
        Some(_) => 64 * 1024 + 4 * LIMIT,
    };
    let most = gathered + inflated;
    assert!(used.peak <= most as isize, "{} of {most}", used.peak);
}
