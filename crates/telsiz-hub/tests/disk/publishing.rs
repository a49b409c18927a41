//! What is told when, and how much may wait.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use telsiz_hub::{Disk, Engine, Event, PublishError, RoomName, Subscriber};

use crate::common::{Dir, at_once, draft, options, publish, read, room};

/// Keeps what a process leaves behind that ends when this is told.
struct Copies(Dir, Mutex<Vec<(RoomName, u64, Dir)>>);

impl Subscriber for Copies {
    fn event(&self, room: &RoomName, event: Event) {
        if let Event::Published(publication) = event {
            let mut copies = self.1.lock().expect("no panic");
            copies.push((room.clone(), publication.seq, self.0.copy()));
        }
    }
}

#[tokio::test]
async fn what_is_told_is_in_the_log() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    let copies = Arc::new(Copies(dir, Mutex::default()));
    engine.attach(copies.clone());
    for turn in 0..20 {
        publish(&engine, &(turn % 3).to_string(), "x").await;
    }
    engine.close().await;
    let copies = std::mem::take(&mut *copies.1.lock().expect("no panic"));
    assert_eq!(copies.len(), 20);
    for (room, seq, copy) in copies {
        let engine = Disk::open(copy.path(), options("b")).expect("it opens");
        assert_eq!(read(&engine, room.as_str(), 0).await.head, seq, "{room}");
    }
}

/// Says when it is told something, and then waits: so does the writer.
struct Gate(SyncSender<()>, Mutex<Receiver<()>>);

impl Subscriber for Gate {
    fn event(&self, _: &RoomName, _: Event) {
        let _ = self.0.send(());
        let _ = self.1.lock().expect("no panic").recv();
    }
}

#[tokio::test]
async fn too_much_that_waits_is_refused_and_harms_nobody() {
    let dir = Dir::new();
    let mut options = options("a");
    options.queue = 5;
    let engine = Disk::open(dir.path(), options).expect("it opens");
    let (told, telling) = sync_channel(0);
    let (open, opened) = sync_channel(0);
    engine.attach(Arc::new(Gate(told, Mutex::new(opened))));
    let room = room("oda");
    let mut first = engine.publish(&room, draft("x"));
    assert!(at_once(&mut first).is_none());
    telling.recv().expect("it tells");
    // The writer is at work on the first.
    let mut waiting: Vec<_> = (0..5)
        .map(|_| {
            let mut publishing = engine.publish(&room, draft("x"));
            assert!(at_once(&mut publishing).is_none());
            publishing
        })
        .collect();
    let busy = at_once(engine.publish(&room, draft("x")));
    assert_eq!(busy, Some(Err(PublishError::Busy)));
    // Who no longer waits for it does not take it back.
    drop(waiting.remove(2));
    drop((open, telling));
    first.await.expect("it is appended");
    for (publishing, seq) in waiting.into_iter().zip([2, 3, 5, 6]) {
        let appended = publishing.await.expect("it is appended");
        assert_eq!(appended.position.seq, seq);
    }
    assert_eq!(publish(&engine, "oda", "x").await, 7);
}

#[tokio::test]
async fn what_is_stored_is_counted_with_how_long_it_took() {
    let engine = Disk::open(Dir::new().path(), options("a")).expect("it opens");
    for _ in 0..3 {
        publish(&engine, "a", "x").await;
    }
    let figures = engine.figures();
    assert_eq!((figures.stored, figures.failed, figures.queue), (3, 0, 0));
    assert!((1..=3).contains(&figures.commits), "{}", figures.commits);
    assert_eq!(figures.durable.counts.iter().sum::<u64>(), 3);
    assert!(!figures.durable.sum.is_zero());
    assert_eq!(figures.queue_limit, 8192);
}
