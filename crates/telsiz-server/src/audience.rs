//! The connections that hear each other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;
use telsiz::{Prepared, Sender, TrySendError};

use crate::close;
use crate::limits::AUDIENCE_BUFFER;
use crate::traffic::{Slow, Traffic};

/// What a message takes besides its bytes, at most.
const PREPARED: usize = 256;

/// The connections of a mount that hear each other, each with something that
/// decides what it hears (a language, say).
///
/// What is sent goes to each member in the order of sending: one lock is held
/// while a message is queued for all of them. It is never held while something
/// is waited for. Who reads too slowly is closed with 4008; nobody else waits.
#[derive(Debug)]
pub(crate) struct Audience<T> {
    seats: Mutex<Slab<Seat<T>>>,
    traffic: Traffic,
}

#[derive(Debug)]
struct Seat<T> {
    ear: T,
    line: Line,
}

/// The way to a member.
#[derive(Debug)]
enum Line {
    /// Its handshake is being answered. What is sent meanwhile waits, so that
    /// a client that has the answer misses nothing.
    Opening {
        waiting: Vec<Prepared>,
        bytes: usize,
    },
    Open(Sender),
    /// It was too slow.
    Cut,
}

/// A place in an [`Audience`], given up when dropped.
#[derive(Debug)]
pub(crate) struct Member<T> {
    audience: Arc<Audience<T>>,
    key: usize,
}

impl<T> Default for Audience<T> {
    fn default() -> Self {
        Self {
            seats: Mutex::default(),
            traffic: Traffic::default(),
        }
    }
}

impl<T> Audience<T> {
    /// One whose messages `traffic` counts.
    pub(crate) fn counted_by(traffic: &Traffic) -> Self {
        Self {
            traffic: traffic.clone(),
            ..Self::default()
        }
    }

    /// Takes a place for a connection whose handshake is about to be answered.
    pub(crate) fn join(self: &Arc<Self>, ear: T) -> Member<T> {
        let line = Line::Opening {
            waiting: Vec::new(),
            bytes: 0,
        };
        Member {
            key: self.lock().insert(Seat { ear, line }),
            audience: self.clone(),
        }
    }

    /// Sends each member what `choose` chooses for it.
    pub(crate) fn send_to_all(&self, choose: impl Fn(&T) -> Option<Prepared>) {
        self.deliver(&mut self.lock(), |_, ear| choose(ear));
    }

    /// Sends each of these members, known by their keys, a message.
    pub(crate) fn send_to(&self, members: impl Iterator<Item = (usize, Prepared)>) {
        let mut seats = self.lock();
        let (mut number, mut bytes) = (0, 0);
        for (key, message) in members {
            if let Some(seat) = seats.get_mut(key) {
                bytes += message.message().len();
                seat.line.send(message, &self.traffic);
                number += 1;
            }
        }
        self.traffic.sent(number, bytes);
    }

    fn deliver(&self, seats: &mut Slab<Seat<T>>, choose: impl Fn(usize, &T) -> Option<Prepared>) {
        let (mut number, mut bytes) = (0, 0);
        for (key, seat) in seats {
            if let Some(message) = choose(key, &seat.ear) {
                bytes += message.message().len();
                seat.line.send(message, &self.traffic);
                number += 1;
            }
        }
        self.traffic.sent(number, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Slab<Seat<T>>> {
        // A panic leaves at worst a message that not all of them got.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Member<T> {
    /// What it is known by in its audience.
    pub(crate) fn key(&self) -> usize {
        self.key
    }

    /// The handshake was answered: what was sent meanwhile goes out, and from now
    /// on everything at once.
    pub(crate) fn open(&self, sender: Sender) {
        if let Some(seat) = self.audience.lock().get_mut(self.key) {
            seat.line.open(sender, None, &self.audience.traffic);
        }
    }

    /// As [`open`](Self::open), with `greeting` before everything else, and tells
    /// all others, if they are to hear something: a member that joins later does not.
    pub(crate) fn open_with(&self, sender: Sender, greeting: Prepared, others: Option<&Prepared>) {
        let mut seats = self.audience.lock();
        if let Some(seat) = seats.get_mut(self.key) {
            let traffic = &self.audience.traffic;
            traffic.sent(1, greeting.message().len());
            seat.line.open(sender, Some(greeting), traffic);
        }
        if let Some(others) = others {
            let others_of = |key, _: &T| (key != self.key).then(|| others.clone());
            self.audience.deliver(&mut seats, others_of);
        }
    }

    /// Sends each other member what `choose` chooses for it.
    pub(crate) fn send_to_others(&self, choose: impl Fn(&T) -> Option<Prepared>) {
        self.send(None, choose);
    }

    /// Sends `own` to this member and to each other what `choose` chooses for it.
    pub(crate) fn send(&self, own: Option<Prepared>, choose: impl Fn(&T) -> Option<Prepared>) {
        let audience = &self.audience;
        audience.deliver(&mut audience.lock(), |key, ear| match key == self.key {
            true => own.clone(),
            false => choose(ear),
        });
    }
}

impl<T> Drop for Member<T> {
    fn drop(&mut self) {
        let seat = self.audience.lock().try_remove(self.key);
        // Not under the lock: whatever this drops, it cannot come back here.
        drop(seat);
    }
}

impl Line {
    fn open(&mut self, sender: Sender, first: Option<Prepared>, traffic: &Traffic) {
        match std::mem::replace(self, Self::Open(sender)) {
            Self::Opening { waiting, .. } => {
                let all = first.into_iter().chain(waiting);
                all.for_each(|message| self.send(message, traffic));
            }
            _ => self.cut(),
        }
    }

    fn send(&mut self, message: Prepared, traffic: &Traffic) {
        let why = match self {
            Self::Opening { .. } => Slow::Opening,
            Self::Open(_) | Self::Cut => Slow::Buffer,
        };
        let full = match self {
            Self::Opening { waiting, bytes } => {
                *bytes += message.message().len() + PREPARED;
                waiting.push(message);
                *bytes > AUDIENCE_BUFFER
            }
            Self::Open(sender) => matches!(sender.try_send(message), Err(TrySendError::Full(_))),
            Self::Cut => false,
        };
        if full {
            traffic.slow(why);
            self.cut();
        }
    }

    fn cut(&mut self) {
        if let Self::Open(sender) = std::mem::replace(self, Self::Cut) {
            sender.close(close::TOO_SLOW);
        }
    }
}

#[cfg(test)]
mod tests {
    use telsiz::{Message, Options, Upgrade};

    use super::*;
    use crate::testing::{connect, next, serve, text};

    fn prepared(text: &str) -> Option<Prepared> {
        Some(Prepared::new(text))
    }

    #[tokio::test]
    async fn what_is_sent_while_a_handshake_is_answered_comes_after_it_and_in_order() {
        let audience = Arc::new(Audience::default());
        let address = serve(|serve| {
            serve.fallback(move |upgrade: Upgrade| {
                let member = audience.join(());
                let audience = audience.clone();
                async move {
                    audience.send_to_all(|()| prepared("second"));
                    audience.send_to_all(|()| prepared("third"));
                    let ws = upgrade.accept().await.expect("accepted");
                    let (mut receiver, sender) = ws.split();
                    let nobody = Prepared::new("nobody is there");
                    member.open_with(sender, Prepared::new("first"), Some(&nobody));
                    audience.send_to_all(|()| prepared("fourth"));
                    let _ = receiver.recv().await;
                }
            })
        })
        .await;
        let mut ws = connect(address, "/").await;
        for expected in ["first", "second", "third", "fourth"] {
            assert_eq!(text(&mut ws).await, expected);
        }
    }

    /// Sends so many messages of `len` bytes during a handshake; the Close frame that the
    /// client gets, or `None` if it gets all of them.
    async fn wait_for_a_handshake(count: usize, len: usize) -> Option<telsiz::CloseFrame> {
        let audience = Arc::new(Audience::default());
        let address = serve(|serve| {
            serve.fallback(move |upgrade: Upgrade| {
                let member = audience.join(());
                let audience = audience.clone();
                async move {
                    for _ in 0..count {
                        let message = Prepared::new(vec![0; len]);
                        audience.send_to_all(|()| Some(message.clone()));
                    }
                    let ws = upgrade.accept().await.expect("accepted");
                    let (mut receiver, sender) = ws.split();
                    member.open(sender);
                    let _ = receiver.recv().await;
                }
            })
        })
        .await;
        let mut ws = connect(address, "/").await;
        for _ in 0..count {
            match next(&mut ws).await {
                Some(message) => assert_eq!(message.len(), len),
                None => return ws.outcome().and_then(|outcome| outcome.received),
            }
        }
        None
    }

    #[tokio::test]
    async fn what_may_wait_during_a_handshake_is_bounded() {
        let most = AUDIENCE_BUFFER - PREPARED;
        for (len, frame) in [
            (most - 1, None),
            (most, None),
            (most + 1, Some(close::TOO_SLOW)),
        ] {
            assert_eq!(wait_for_a_handshake(1, len).await, frame, "{len}");
        }
    }

    #[tokio::test]
    async fn empty_messages_that_wait_during_a_handshake_count_too() {
        let most = AUDIENCE_BUFFER / PREPARED;
        assert_eq!(wait_for_a_handshake(most, 0).await, None);
        let frame = wait_for_a_handshake(most + 1, 0).await;
        assert_eq!(frame, Some(close::TOO_SLOW));
    }

    /// A server on which each message goes to all others.
    async fn hall() -> std::net::SocketAddr {
        let audience = Arc::new(Audience::default());
        let options = Options::default().write_buffer(AUDIENCE_BUFFER);
        serve(|serve| {
            serve.options(options).fallback(move |upgrade: Upgrade| {
                let member = audience.join(());
                async move {
                    let ws = upgrade.accept().await.expect("accepted");
                    let (mut receiver, sender) = ws.split();
                    member.open(sender);
                    while let Some(message) = receiver.recv().await? {
                        let message = Prepared::new(message);
                        member.send_to_others(|()| Some(message.clone()));
                    }
                    Ok::<_, telsiz::Error>(())
                }
            })
        })
        .await
    }

    #[tokio::test]
    async fn who_reads_too_slowly_is_closed_with_4008_and_nobody_else_waits() {
        const SIZE: usize = 256 * 1024;
        // More than the kernel keeps for a connection, and what may wait besides.
        const COUNT: u32 = 100;
        let hall = hall().await;
        let mut speaker = connect(hall, "/").await;
        let mut slow = connect(hall, "/").await;
        let mut quick = connect(hall, "/").await;
        for number in 0..COUNT {
            let mut message = vec![0; SIZE];
            message[..4].copy_from_slice(&number.to_be_bytes());
            speaker.send(message.clone()).await.expect("sent");
            let heard = next(&mut quick).await.map(Message::into_bytes);
            assert!(heard.is_some_and(|heard| heard == message), "{number}");
        }
        let mut heard = 0;
        while let Some(message) = next(&mut slow).await {
            assert_eq!(message.as_bytes()[..4], u32::to_be_bytes(heard));
            heard += 1;
        }
        assert!(heard < COUNT, "nothing was lost: it was not slow");
        let outcome = slow.outcome().and_then(|outcome| outcome.received);
        assert_eq!(outcome, Some(close::TOO_SLOW));
    }

    #[tokio::test]
    async fn what_goes_to_each_is_counted() {
        let traffic = Traffic::default();
        let audience = Arc::new(Audience::counted_by(&traffic));
        let members = [1, 2, 3].map(|ear| audience.join(ear));
        audience.send_to_all(|_| prepared("to three"));
        members[0].send_to_others(|_| prepared("to two"));
        members[0].send(None, |ear| prepared("to one").filter(|_| *ear == 2));
        audience.send_to(
            members
                .iter()
                .take(2)
                .filter_map(|m| Some((m.key(), prepared("to two")?))),
        );
        assert_eq!(traffic.counts().sent, 8);
    }

    #[tokio::test]
    async fn who_left_is_not_sent_to_and_its_place_is_free() {
        let audience = Arc::new(Audience::default());
        let first = audience.join(1);
        let second = audience.join(2);
        drop(first);
        let mut seen = Vec::new();
        let note = std::cell::RefCell::new(&mut seen);
        audience.send_to_all(|ear| {
            note.borrow_mut().push(*ear);
            None
        });
        second.send_to_others(|_| panic!("there is nobody else"));
        assert_eq!(seen, [2]);
    }
}
