//! Logs go on where they were, however the process ended.

use telsiz_hub::{Disk, Durability, Engine, EngineError, PublishError};

use crate::common::{Dir, Time, draft, options, publish, read, room, texts};

#[tokio::test]
async fn a_log_goes_on_after_it_was_closed() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    assert_eq!(publish(&engine, "oda", "bir").await, 1);
    assert_eq!(publish(&engine, "oda", "iki").await, 2);
    assert_eq!(publish(&engine, "başka", "one").await, 1);
    let before = read(&engine, "oda", 0).await;
    engine.close().await;
    drop(engine);

    let engine = Disk::open(dir.path(), options("b")).expect("it opens again");
    assert_eq!(read(&engine, "oda", 0).await, before);
    assert_eq!(before.epoch.as_str(), "a");
    assert_eq!(publish(&engine, "oda", "üç").await, 3);
    let after = read(&engine, "oda", 1).await;
    assert_eq!(texts(&after.publications), [(2, "iki"), (3, "üç")]);
    assert_eq!((after.oldest, after.head), (1, 3));
}

#[tokio::test]
async fn a_log_goes_on_after_the_process_was_killed() {
    for durability in [Durability::Fsync, Durability::Os] {
        let dir = Dir::new();
        let mut options = options("a");
        options.durability = durability;
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
        for seq in 1..=250 {
            assert_eq!(publish(&engine, "oda", &format!("text {seq}")).await, seq);
        }
        let before = read(&engine, "oda", 0).await;
        let copy = dir.copy();
        let engine = Disk::open(copy.path(), options).expect("it opens again");
        let after = read(&engine, "oda", 0).await;
        assert_eq!(after, before);
        assert_eq!(after.publications.len(), 100);
        assert_eq!(publish(&engine, "oda", "next").await, 251);
    }
}

#[tokio::test]
async fn what_was_filed_and_what_was_not_are_one_log() {
    let dir = Dir::new();
    let mut options = options("a");
    options.unfiled = 7;
    options.checkpoint_pages = 10;
    let mut logs: Vec<Vec<String>> = vec![Vec::new(); 5];
    let mut engine = Disk::open(dir.path(), options.clone()).expect("it opens");
    let mut copy = Dir::new();
    for turn in 0..400 {
        let number = turn * turn % 5;
        let text = format!("text {turn}");
        publish(&engine, &format!("room {number}"), &text).await;
        logs[number].push(text);
        if turn % 97 == 96 {
            copy = match turn {
                96 => dir.copy(),
                _ => copy.copy(),
            };
            engine = Disk::open(copy.path(), options.clone()).expect("it opens again");
        }
    }
    for (number, expected) in logs.iter().enumerate() {
        let found = read(&engine, &format!("room {number}"), 0).await;
        assert_eq!(found.head, expected.len() as u64);
        let kept = expected.len().min(100);
        let texts: Vec<_> = found.publications.iter().map(|p| p.text.clone()).collect();
        assert_eq!(texts, expected[expected.len() - kept..], "room {number}");
    }
}

#[tokio::test]
async fn an_empty_log_keeps_its_number() {
    let dir = Dir::new();
    let time = Time::new();
    let mut options = options("a");
    options.clock = time.clock();
    let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
    assert_eq!(publish(&engine, "oda", "old").await, 1);
    engine.close().await;
    drop(engine);
    time.set(1_000_000_000);
    for _ in 0..2 {
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens again");
        let slice = read(&engine, "oda", 0).await;
        assert_eq!((slice.oldest, slice.head), (2, 1));
        assert_eq!(texts(&slice.publications), []);
        engine.tidy();
        engine.close().await;
    }
    let engine = Disk::open(dir.path(), options).expect("it opens again");
    assert_eq!(publish(&engine, "oda", "new").await, 2);
}

#[tokio::test]
async fn times_rise_even_if_the_clock_goes_back() {
    let dir = Dir::new();
    let time = Time::new();
    let mut options = options("a");
    options.clock = time.clock();
    let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
    publish(&engine, "oda", "bir").await;
    time.set(999_000);
    publish(&engine, "oda", "iki").await;
    engine.close().await;
    drop(engine);
    time.set(998_000);
    let engine = Disk::open(dir.path(), options).expect("it opens again");
    publish(&engine, "oda", "üç").await;
    let times = read(&engine, "oda", 0).await.publications;
    let times: Vec<_> = times.iter().map(|p| p.time.0).collect();
    assert_eq!(times, [1_000_000, 1_000_000, 1_000_000]);
}

#[tokio::test]
async fn closing_writes_what_waits_and_then_nothing() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    let room = room("oda");
    let waiting: Vec<_> = (0..500)
        .map(|_| crate::common::begin(engine.publish(&room, draft("x"))))
        .collect();
    engine.close().await;
    for publishing in waiting {
        publishing.await.expect("it was written");
    }
    let refused = engine.publish(&room, draft("x")).await;
    assert_eq!(refused, Err(PublishError::Engine(EngineError::Closed)));
    let refused = engine.read(&room, 0, 1).await;
    assert_eq!(refused, Err(EngineError::Closed));
    assert_eq!(engine.ready(), Err(EngineError::Closed));
    engine.close().await;
    drop(engine);
    let engine = Disk::open(dir.path(), options("b")).expect("it opens again");
    assert_eq!(read(&engine, "oda", 0).await.head, 500);
}

/// As if the machine had been started anew since the database was open.
fn boot(dir: &Dir) {
    let database = rusqlite::Connection::open(dir.database()).expect("it opens");
    let sql = "UPDATE meta SET value = 'another' WHERE name = 'unsynced'";
    database.execute_batch(sql).expect("it is done");
}

#[tokio::test]
async fn after_a_power_cut_logs_that_were_not_synced_have_another_epoch() {
    for (durability, booted, closed, epoch) in [
        (Durability::Os, true, false, "b"),
        (Durability::Os, false, false, "a"),
        (Durability::Os, true, true, "a"),
        (Durability::Fsync, true, false, "a"),
    ] {
        let dir = Dir::new();
        let mut options = options("a");
        options.durability = durability;
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
        publish(&engine, "oda", "x").await;
        if closed {
            engine.close().await;
        }
        drop(engine);
        if booted {
            boot(&dir);
        }
        options.name = "b".to_owned();
        let engine = Disk::open(dir.path(), options).expect("it opens again");
        let slice = read(&engine, "oda", 0).await;
        assert_eq!(
            slice.epoch.as_str(),
            epoch,
            "{durability:?} {booted} {closed}"
        );
        assert_eq!(slice.publications[0].epoch, slice.epoch);
        assert_eq!(publish(&engine, "oda", "x").await, 2);
    }
}
