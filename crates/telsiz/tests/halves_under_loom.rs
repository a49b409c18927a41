//! What the halves share, under every interleaving of two threads: loom runs the
//! very source, with its own locks.
#![allow(clippy::unwrap_used)]

#[path = "../src/shared.rs"]
mod shared;
mod sync {
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread;
use shared::Shared;

/// A link on a transport that remembers one task, as all of them do.
struct Link {
    transport: Arc<loom::sync::Mutex<Transport>>,
    ended: bool,
}

#[derive(Default)]
struct Transport {
    is_ready: bool,
    waker: Option<Waker>,
}

impl Link {
    fn new() -> (Box<Self>, Arc<loom::sync::Mutex<Transport>>) {
        let transport = Arc::new(loom::sync::Mutex::new(Transport::default()));
        let link = Self {
            transport: transport.clone(),
            ended: false,
        };
        (Box::new(link), transport)
    }

    /// Waits for the transport, or for the end.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut transport = self.transport.lock().unwrap();
        if transport.is_ready || self.ended {
            return Poll::Ready(());
        }
        transport.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The transport becomes ready, in a thread of its own.
fn become_ready(transport: &loom::sync::Mutex<Transport>) {
    let woken = {
        let mut transport = transport.lock().unwrap();
        transport.is_ready = true;
        transport.waker.take()
    };
    woken.into_iter().for_each(Waker::wake);
}

fn wait_as_sender(shared: &Shared<Link>) {
    let mut place = shared.place();
    block_on(poll_fn(|cx| {
        shared
            .poll_sender(cx, &mut place, Link::poll)
            .unwrap_or(Poll::Ready(()))
    }));
}

fn wait_as_receiver(shared: &Shared<Link>) {
    block_on(poll_fn(|cx| {
        shared
            .poll_receiver(cx, Link::poll)
            .unwrap_or(Poll::Ready(()))
    }));
}

#[test]
fn a_sender_that_waits_for_the_transport_is_woken() {
    loom::model(|| {
        let (link, transport) = Link::new();
        let shared = Shared::new(Some(link));
        let ready = thread::spawn(move || become_ready(&transport));
        wait_as_sender(&shared);
        ready.join().unwrap();
    });
}

#[test]
fn the_receiver_that_waits_for_the_transport_is_woken() {
    loom::model(|| {
        let (link, transport) = Link::new();
        let shared = Shared::new(Some(link));
        let ready = thread::spawn(move || become_ready(&transport));
        wait_as_receiver(&shared);
        ready.join().unwrap();
    });
}

/// Under every interleaving with at most so many switches from a thread that could
/// go on.
fn with_three_threads(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn both_halves_that_wait_for_the_transport_are_woken() {
    with_three_threads(|| {
        let (link, transport) = Link::new();
        let shared = Arc::new(Shared::new(Some(link)));
        let receiver = thread::spawn({
            let shared = shared.clone();
            move || wait_as_receiver(&shared)
        });
        let sender = thread::spawn({
            let shared = shared.clone();
            move || wait_as_sender(&shared)
        });
        become_ready(&transport);
        receiver.join().unwrap();
        sender.join().unwrap();
    });
}

#[test]
fn two_senders_that_wait_for_the_transport_are_woken() {
    with_three_threads(|| {
        let (link, transport) = Link::new();
        let shared = Arc::new(Shared::new(Some(link)));
        let senders = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || wait_as_sender(&shared))
        });
        become_ready(&transport);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// A sender waits for a transport that does nothing, and `end` is what it waits for.
fn a_sender_learns_of(end: impl Fn(&Shared<Link>) + Send + Sync + 'static) {
    loom::model(move || {
        let (link, _transport) = Link::new();
        let shared = Arc::new(Shared::new(Some(link)));
        let sender = thread::spawn({
            let shared = shared.clone();
            move || wait_as_sender(&shared)
        });
        end(&shared);
        shared.wake();
        sender.join().unwrap();
    });
}

#[test]
fn a_sender_learns_that_the_other_half_ended_what_it_waits_for() {
    a_sender_learns_of(|shared| {
        shared.with(|link, _| link.ended = true);
    });
}

#[test]
fn a_sender_learns_that_the_receiver_is_gone() {
    a_sender_learns_of(|shared| drop(shared.take()));
}
