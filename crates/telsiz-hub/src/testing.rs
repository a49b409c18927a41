//! What tests make rooms of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

use crate::clock::{Clock, Timestamp};
use crate::engine::{Appended, BoxFuture, PublishError, Receipt, Stored};
use crate::event::{Ephemeral, Event, Signal};
use crate::member::{ConnectionId, Member, User};
use crate::name::RoomName;
use crate::publication::{Draft, Epoch, IdempotencyKey, Position, Publication};

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::new(name).expect("a name")
}

pub(crate) fn member(connection: u64, user: &str) -> Arc<Member> {
    Arc::new(Member {
        connection: ConnectionId(connection),
        user: User::new(user, user),
        connected_at: Timestamp(0),
    })
}

/// One of the epoch `e` that weighs 256 bytes.
pub(crate) fn published(seq: u64) -> Event {
    published_in("e", seq)
}

pub(crate) fn published_in(epoch: &str, seq: u64) -> Event {
    Event::Published(Arc::new(Publication {
        seq,
        epoch: Epoch::new(epoch),
        time: Timestamp(0),
        user: User::new("u", "u"),
        text: String::new(),
    }))
}

/// What is told of `published(seq)`, and what its publisher waits for.
pub(crate) fn stored(
    room: &RoomName,
    seq: u64,
) -> (Stored, oneshot::Receiver<Result<Appended, PublishError>>) {
    let (done, heard) = oneshot::channel();
    let appended = Appended {
        position: Position {
            epoch: Epoch::new("e"),
            seq,
        },
        repeated: false,
    };
    let stored = Stored {
        room: room.clone(),
        event: published(seq),
        receipt: Receipt::new(appended, done),
    };
    (stored, heard)
}

pub(crate) fn signal(origin: &Arc<Member>, signal: Signal) -> Arc<Ephemeral> {
    Arc::new(Ephemeral {
        origin: origin.clone(),
        time: Timestamp(0),
        signal,
    })
}

pub(crate) fn draft(user: &str, text: &str, key: Option<&str>) -> Draft {
    Draft {
        user: User::new(user, user),
        text: text.into(),
        key: key.map(|key| IdempotencyKey::new(key).expect("a key")),
    }
}

/// A clock, and what it shows.
pub(crate) fn clock(now: u64) -> (Clock, Arc<AtomicU64>) {
    let time = Arc::new(AtomicU64::new(now));
    let shown = time.clone();
    let clock = Clock::new(move || Timestamp(shown.load(Ordering::Relaxed)));
    (clock, time)
}

/// What a future gives that does not wait.
pub(crate) fn now<T>(mut future: BoxFuture<'_, T>) -> T {
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
