//! Disks that fail or are full.

use telsiz_hub::{Disk, Engine, EngineError, OpenError, PublishError};

use crate::common::{Dir, draft, options, publish, read, room};
use crate::process::{Shadow, Started};

/// Runs the test of that name below in a process of its own, whose files can fail. Comes back with
/// what a power cut leaves then.
fn on_failing_files(test: &str) -> Dir {
    let shadow = Shadow::of(Dir::new());
    let status = shadow.run(&format!("faults::{test}")).status();
    assert!(status.expect("it runs").success(), "{test}");
    shadow.cut(|| false)
}

async fn failure(engine: &Disk) -> String {
    match engine.publish(&room("oda"), draft("x")).await {
        Err(PublishError::Engine(EngineError::Failed(what))) => what.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_written_but_everything_can_be_read() {
    let left = on_failing_files("a_commit_cannot_be_synced");
    let engine = Disk::open(left.path(), options("b")).expect("it opens");
    assert_eq!(read(&engine, "oda", 0).await.head, 2);
    assert_eq!(read(&engine, "cold", 0).await.head, 1);
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn a_commit_cannot_be_synced() {
    let files = Started::new();
    let engine = Disk::open(&files.dir, options("a")).expect("it opens");
    publish(&engine, "cold", "x").await;
    engine.close().await;
    let engine = Disk::open(&files.dir, options("a")).expect("it opens again");
    for seq in 1..=2 {
        assert_eq!(publish(&engine, "oda", "x").await, seq);
    }
    files.fail(Some("telsiz.db-wal"));
    let what = failure(&engine).await;
    assert!(what.contains("look after the disk"), "{what}");
    let synced = files.synced();
    files.fail(None);
    assert_eq!(failure(&engine).await, what, "a later sync proves nothing");
    assert_eq!(engine.ready(), Err(EngineError::Failed(what.into())));
    assert_eq!(read(&engine, "oda", 0).await.head, 2);
    assert_eq!(read(&engine, "cold", 0).await.head, 1);
    engine.tidy();
    engine.close().await;
    drop(engine);
    assert!(files.synced() == synced, "something was synced");
}

#[tokio::test]
async fn a_failed_checkpoint_counts_as_a_failed_sync() {
    let left = on_failing_files("the_database_cannot_be_synced");
    let engine = Disk::open(left.path(), options("b")).expect("it opens");
    let head = read(&engine, "oda", 0).await.head;
    assert!(head >= 5, "{head}");
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn the_database_cannot_be_synced() {
    let files = Started::new();
    let mut options = options("a");
    options.checkpoint_pages = 8;
    let engine = Disk::open(&files.dir, options).expect("it opens");
    files.fail(Some("telsiz.db"));
    let mut acknowledged = 0;
    while engine.publish(&room("oda"), draft("x")).await.is_ok() {
        acknowledged += 1;
        assert!(acknowledged < 100, "nobody noticed");
    }
    let synced = files.synced();
    files.fail(None);
    failure(&engine).await;
    assert!(engine.ready().is_err());
    assert_eq!(read(&engine, "oda", 0).await.head, acknowledged);
    engine.close().await;
    drop(engine);
    assert!(files.synced() == synced, "something was synced");
}

#[tokio::test]
async fn after_some_space_was_freed_a_full_disk_is_written_again() {
    let left = on_failing_files("the_disk_is_full_for_a_while");
    let engine = Disk::open(left.path(), options("b")).expect("it opens");
    assert_eq!(read(&engine, "oda", 0).await.head, 3);
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn the_disk_is_full_for_a_while() {
    let files = Started::new();
    files.full(true);
    match Disk::open(&files.dir, options("a")) {
        Err(OpenError::Full { .. }) => {}
        other => panic!("{other:?}"),
    }
    files.full(false);
    let engine = Disk::open(&files.dir, options("a")).expect("it opens");
    assert_eq!(publish(&engine, "oda", "x").await, 1);
    files.full(true);
    let what = failure(&engine).await;
    assert!(what.contains("free some space"), "{what}");
    assert_eq!(engine.ready(), Err(EngineError::Failed(what.into())));
    assert_eq!(read(&engine, "oda", 0).await.head, 1);
    files.full(false);
    assert_eq!(publish(&engine, "oda", "x").await, 2);
    assert_eq!(engine.ready(), Ok(()));
    files.full(true);
    failure(&engine).await;
    engine.close().await;
    drop(engine);
    files.full(false);
    let engine = Disk::open(&files.dir, options("a")).expect("it opens again");
    assert_eq!(publish(&engine, "oda", "x").await, 3);
    engine.close().await;
}
