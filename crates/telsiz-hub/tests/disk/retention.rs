//! Logs show no more than they keep, and the disk does not fill up.

use std::time::{Duration, Instant};

use telsiz_hub::{Disk, Engine, Keep, Pattern, Retention};

use crate::common::{Dir, Time, keeping, options, publish, read, room, texts};

#[tokio::test]
async fn a_log_shows_the_newest_that_are_young_enough() {
    for (unfiled, cache_bytes) in [(0, 0), (1000, 0), (0, 1 << 20), (1000, 1 << 20)] {
        let dir = Dir::new();
        let time = Time::new();
        let mut options = options("a");
        options.clock = time.clock();
        options.unfiled = unfiled;
        options.cache_bytes = cache_bytes;
        options.retention = Retention::of_all(Keep {
            count: 3,
            age: Duration::from_secs(10),
        })
        .rule(
            Pattern::new("long*"),
            Keep {
                count: 5,
                age: Duration::from_secs(1000),
            },
        );
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
        for turn in 0..6 {
            time.set(1_000_000 + turn * 1000);
            for name in ["short", "long"] {
                publish(&engine, name, &turn.to_string()).await;
            }
        }
        let slice = read(&engine, "short", 0).await;
        assert_eq!(texts(&slice.publications), [(4, "3"), (5, "4"), (6, "5")]);
        assert_eq!((slice.oldest, slice.head), (4, 6));
        let slice = read(&engine, "long", 0).await;
        assert_eq!((slice.oldest, slice.publications.len()), (2, 5));
        // A moment is too old when more than the age has passed since.
        time.set(1_004_000 + 10_000);
        let slice = read(&engine, "short", 0).await;
        assert_eq!(texts(&slice.publications), [(5, "4"), (6, "5")]);
        assert_eq!((slice.oldest, slice.head), (5, 6));
        time.set(1_004_000 + 10_001);
        let page = engine.page(&room("short"), 1, 1).await.expect("it is read");
        assert_eq!(texts(&page.publications), [(6, "5")]);
        assert_eq!(page.total_pages, 1);
        time.set(1_100_000);
        let slice = read(&engine, "short", 0).await;
        assert_eq!((slice.oldest, slice.head), (7, 6));
        assert_eq!(publish(&engine, "short", "6").await, 7);
        let slice = read(&engine, "short", 0).await;
        assert_eq!(texts(&slice.publications), [(7, "6")]);
        let slice = read(&engine, "long", 0).await;
        assert_eq!((slice.oldest, slice.publications.len()), (2, 5));
    }
}

/// How many rows there are in a table.
fn rows(dir: &Dir, table: &str) -> u64 {
    let database = rusqlite::Connection::open(dir.database()).expect("it opens");
    let sql = format!("SELECT count(*) FROM {table}");
    let count = database.query_row(&sql, [], |row| row.get(0));
    count.expect("it has that table")
}

#[tokio::test]
async fn busy_rooms_do_not_fill_the_disk() {
    let dir = Dir::new();
    let mut options = options("a");
    options.retention = keeping(10);
    options.unfiled = 50;
    options.checkpoint_pages = 50;
    let engine = Disk::open(dir.path(), options).expect("it opens");
    let names: Vec<_> = (0..3)
        .map(|number| room(&format!("room {number}")))
        .collect();
    for _ in 0..40 {
        let drafts = (0..100).flat_map(|_| names.iter());
        let publishing = drafts.map(|name| {
            crate::common::begin(engine.publish(name, crate::common::draft(&"x".repeat(500))))
        });
        for publishing in publishing.collect::<Vec<_>>() {
            publishing.await.expect("it is appended");
        }
    }
    let size = |name| std::fs::metadata(dir.file(name)).expect("a file").len();
    let size = size("telsiz.db") + size("telsiz.db-wal");
    // 6 MB were published. How much of it is there for a moment depends on how many came together.
    assert!(size < 2 * 1024 * 1024, "{size}");
    engine.close().await;
    assert_eq!(rows(&dir, "publications"), 30);
    assert_eq!(rows(&dir, "journal"), 0);
}

#[tokio::test]
async fn what_idle_rooms_no_longer_keep_is_deleted() {
    let dir = Dir::new();
    let time = Time::new();
    let mut options = options("a");
    options.clock = time.clock();
    options.retention = keeping(5000);
    let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
    let large = room("large");
    let publishing: Vec<_> = (0..3000)
        .map(|_| crate::common::begin(engine.publish(&large, crate::common::draft("x"))))
        .collect();
    for publishing in publishing {
        publishing.await.expect("it is appended");
    }
    for number in 0..200 {
        publish(&engine, &format!("room {number}"), "x").await;
    }
    engine.close().await;
    drop(engine);
    assert_eq!(rows(&dir, "publications"), 3200);

    time.set(1_000_000_000);
    let engine = Disk::open(dir.path(), options).expect("it opens again");
    publish(&engine, "room 7", "y").await;
    assert_eq!(rows(&dir, "publications"), 3200);
    engine.tidy();
    let end = Instant::now() + Duration::from_secs(20);
    while rows(&dir, "publications") > 0 {
        assert!(Instant::now() < end, "{} left", rows(&dir, "publications"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    engine.close().await;
    assert_eq!(rows(&dir, "publications"), 1, "which was not filed before");
    assert_eq!(rows(&dir, "rooms"), 201, "their numbers go on");
}

#[tokio::test]
async fn keeping_more_again_shows_no_gap() {
    let dir = Dir::new();
    let mut options = options("a");
    options.unfiled = 0;
    for (keep, from, to) in [(100, 1, 50), (5, 51, 60), (100, 61, 70)] {
        options.retention = keeping(keep);
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
        for seq in from..=to {
            assert_eq!(publish(&engine, "oda", "x").await, seq);
        }
        engine.close().await;
    }
    let engine = Disk::open(dir.path(), options).expect("it opens");
    let slice = read(&engine, "oda", 0).await;
    assert_eq!(slice.oldest, 56);
    let seqs: Vec<_> = slice.publications.iter().map(|p| p.seq).collect();
    assert_eq!(seqs, (56..=70).collect::<Vec<_>>());
}
