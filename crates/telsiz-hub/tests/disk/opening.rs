//! What cannot be used is said, with what to do, and nothing is begun anew.

use std::fs;
use std::path::Path;

use telsiz_hub::{Disk, Engine, OpenError};

use crate::common::{Dir, options, publish, read};

fn refused(dir: &Path) -> OpenError {
    match Disk::open(dir, options("b")) {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

/// A directory with some logs.
async fn filled() -> Dir {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    for seq in 1..=200 {
        publish(&engine, &format!("room {}", seq % 10), &"x".repeat(300)).await;
    }
    engine.close().await;
    dir
}

/// Changes a closed database with other means.
fn change(dir: &Dir, sql: &str) {
    let database = rusqlite::Connection::open(dir.database()).expect("it opens");
    database.execute_batch(sql).expect("it is done");
}

#[tokio::test]
async fn a_missing_directory_is_made() {
    let dir = Dir::new();
    let deep = dir.file("a/b");
    let engine = Disk::open(&deep, options("a")).expect("it opens");
    assert_eq!(publish(&engine, "oda", "x").await, 1);
    engine.close().await;
    assert!(deep.join("telsiz.db").exists());
}

#[tokio::test]
async fn a_directory_belongs_to_one_at_a_time() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    let error = refused(dir.path());
    match &error {
        OpenError::InUse { pid: Some(pid), .. } => assert_eq!(*pid, std::process::id()),
        other => panic!("{other:?}"),
    }
    let text = error.to_string();
    assert!(
        text.contains(&format!("pid {}", std::process::id())),
        "{text}"
    );
    assert_eq!(publish(&engine, "oda", "x").await, 1);
    drop(engine);
    let engine = Disk::open(dir.path(), options("a")).expect("it is free");
    engine.close().await;
    Disk::open(dir.path(), options("a")).expect("it is free when it is closed");
}

#[test]
fn a_file_is_no_directory() {
    let dir = Dir::new();
    fs::write(dir.file("file"), "x").expect("it is written");
    for path in ["file", "file/below"] {
        let error = refused(&dir.file(path));
        assert!(
            matches!(error, OpenError::NotADirectory { .. }),
            "{path}: {error:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    // Not even the superuser makes one there.
    let error = refused(Path::new("/sys/telsiz"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_newer_database_is_left_alone() {
    let dir = filled().await;
    change(&dir, "PRAGMA user_version = 2;");
    let before = fs::read(dir.database()).expect("a file");
    match refused(dir.path()) {
        OpenError::Newer {
            version: 2,
            known: 1,
            ..
        } => {}
        other => panic!("{other:?}"),
    }
    assert!(fs::read(dir.database()).expect("a file") == before);
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_left_alone() {
    let dir = filled().await;
    change(&dir, "PRAGMA application_id = 1;");
    let other = fs::read(dir.database()).expect("a file");
    let mut damaged = other.clone();
    damaged[..16].fill(0);
    for bytes in [other, damaged, b"not even a database".to_vec()] {
        fs::write(dir.database(), &bytes).expect("it is written");
        let error = refused(dir.path());
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
        assert!(fs::read(dir.database()).expect("a file") == bytes);
    }
}

#[tokio::test]
async fn an_empty_database_or_one_without_its_file_is_not_begun_anew() {
    let dir = filled().await;
    fs::write(dir.database(), "").expect("it is written");
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    fs::remove_file(dir.database()).expect("it was there");
    fs::write(dir.file("telsiz.db-wal"), "something").expect("it is written");
    let error = refused(dir.path());
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_that_was_cut_short_is_damaged() {
    let dir = filled().await;
    let bytes = fs::read(dir.database()).expect("a file");
    for len in [100, 4096, bytes.len() / 2, bytes.len() - 4096] {
        fs::write(dir.database(), &bytes[..len]).expect("it is written");
        let error = refused(dir.path());
        assert!(
            matches!(error, OpenError::Damaged { .. } | OpenError::NotOurs { .. }),
            "{len}: {error:?}"
        );
        assert!(error.to_string().contains("restore"), "{error}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_found_or_does_no_harm() {
    let dir = filled().await;
    let bytes = fs::read(dir.database()).expect("a file");
    let mut found = 0;
    for page in 0..bytes.len() / 4096 {
        let mut damaged = bytes.clone();
        // The head of a page, from which all of it is found.
        let at = page * 4096 + if page == 0 { 100 } else { 0 };
        for byte in &mut damaged[at..at + 8] {
            *byte ^= 0x5a;
        }
        fs::write(dir.database(), &damaged).expect("it is written");
        match Disk::open(dir.path(), options("b")) {
            Err(OpenError::Damaged { .. } | OpenError::NotOurs { .. }) => found += 1,
            Err(other) => panic!("page {page}: {other:?}"),
            // A page that nothing is in.
            Ok(engine) => {
                for number in 0..10 {
                    let log = read(&engine, &format!("room {number}"), 0).await;
                    assert_eq!((log.head, log.publications.len()), (20, 20), "page {page}");
                }
            }
        }
        let _ = fs::remove_file(dir.file("telsiz.db-wal"));
    }
    assert!(found > bytes.len() / 4096 / 2, "{found}");
}

#[tokio::test]
async fn a_damaged_journal_is_found() {
    let dir = filled().await;
    // The room `r` has got number 9, and has none before it.
    let nine = ["09", "00", "01"].map(|byte| format!("{byte}00000000000000"));
    let [nine, zero, one] = &nine;
    let gap = format!("{nine}{zero}{one}72{zero}{zero}{zero}{zero}");
    for entries in ["0102", &gap] {
        change(&dir, "DELETE FROM journal");
        change(
            &dir,
            &format!("INSERT INTO journal VALUES (1, x'{entries}')"),
        );
        let error = refused(dir.path());
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("its journal"), "{error}");
    }
}
