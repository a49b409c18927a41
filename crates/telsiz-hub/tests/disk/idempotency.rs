//! Publishing again with the same key is harmless.

use telsiz_hub::{Disk, Engine, PublishError};

use crate::common::{
    Dir, Time, begin, keeping, keyed, options, publish, publish_keyed, read, room,
};

#[tokio::test]
async fn a_key_is_of_a_user_in_a_room() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    for (name, user, key, expected) in [
        ("oda", "ali", "k", (1, false)),
        ("oda", "ali", "k", (1, true)),
        ("oda", "veli", "k", (2, false)),
        ("oda", "ali", "l", (3, false)),
        ("başka", "ali", "k", (1, false)),
        ("oda", "ali", "k", (1, true)),
    ] {
        let appended = publish_keyed(&engine, name, keyed(user, key, "x")).await;
        assert_eq!(appended, Ok(expected), "{name} {user} {key}");
    }
    assert_eq!(read(&engine, "oda", 0).await.head, 3);
}

#[tokio::test]
async fn a_key_is_known_within_a_commit() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    let room = room("oda");
    let publishing: Vec<_> = (0..200)
        .map(|turn| {
            let draft = keyed("ali", &format!("k{}", turn % 3), "x");
            begin(engine.publish(&room, draft))
        })
        .collect();
    let mut repeated = 0;
    for (turn, publishing) in publishing.into_iter().enumerate() {
        let appended = publishing.await.expect("it is appended");
        assert_eq!(appended.position.seq, turn as u64 % 3 + 1);
        repeated += u32::from(appended.repeated);
    }
    assert_eq!(repeated, 197);
}

#[tokio::test]
async fn a_key_is_known_after_a_restart() -> Result<(), PublishError> {
    // Filed and not filed, in memory and not.
    for (unfiled, cache_bytes) in [(0, 0), (1000, 0), (0, 1 << 20), (1000, 1 << 20)] {
        let dir = Dir::new();
        let mut options = options("a");
        options.unfiled = unfiled;
        options.cache_bytes = cache_bytes;
        let engine = Disk::open(dir.path(), options.clone()).expect("it opens");
        publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        publish(&engine, "oda", "y").await;
        publish(&engine, "başka", "y").await;
        let copy = dir.copy();
        let engine = Disk::open(copy.path(), options).expect("it opens again");
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (1, true), "{unfiled} {cache_bytes}");
        publish(&engine, "oda", "z").await;
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (1, true), "{unfiled} {cache_bytes}");
        let new = publish_keyed(&engine, "oda", keyed("ali", "l", "x")).await?;
        assert_eq!(new, (4, false), "{unfiled} {cache_bytes}");
    }
    Ok(())
}

#[tokio::test]
async fn a_key_lives_as_long_as_what_was_published_with_it() -> Result<(), PublishError> {
    for (unfiled, cache_bytes) in [(0, 0), (1000, 0), (0, 1 << 20), (1000, 1 << 20)] {
        let dir = Dir::new();
        let time = Time::new();
        let mut options = options("a");
        options.retention = keeping(3);
        options.unfiled = unfiled;
        options.cache_bytes = cache_bytes;
        options.clock = time.clock();
        let engine = Disk::open(dir.path(), options).expect("it opens");
        publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        publish(&engine, "oda", "2").await;
        publish(&engine, "oda", "3").await;
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (1, true), "{unfiled} {cache_bytes}");
        publish(&engine, "oda", "4").await;
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (5, false), "one too many: {unfiled} {cache_bytes}");
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (5, true), "{unfiled} {cache_bytes}");
        time.set(1_000_000_000);
        let again = publish_keyed(&engine, "oda", keyed("ali", "k", "x")).await?;
        assert_eq!(again, (6, false), "too old: {unfiled} {cache_bytes}");
        engine.close().await;
    }
    Ok(())
}
