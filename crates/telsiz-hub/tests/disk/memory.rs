//! What was published or read lately is there without waiting; the rest comes from the disk.

use std::sync::{Arc, Mutex};

use telsiz_hub::{Disk, Engine, Event, RoomName, Subscriber};

use crate::common::{Dir, at_once, begin, draft, keeping, options, publish, read, room, texts};

#[tokio::test]
async fn what_was_published_is_there_at_once() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    let room = room("oda");
    for seq in 1..=150 {
        publish(&engine, "oda", &seq.to_string()).await;
        let slice = at_once(engine.read(&room, 0, 1000)).expect("no waiting");
        let slice = slice.expect("it is read");
        assert_eq!(slice.publications.len(), 100.min(seq));
        let page = at_once(engine.page(&room, 2, 50)).expect("no waiting");
        let page = page.expect("it is read");
        assert_eq!(page.total_pages, seq.min(100).div_ceil(50));
    }
}

#[tokio::test]
async fn what_was_read_is_there_at_once() {
    let dir = Dir::new();
    let engine = Disk::open(dir.path(), options("a")).expect("it opens");
    publish(&engine, "oda", "bir").await;
    engine.close().await;
    drop(engine);
    let engine = Disk::open(dir.path(), options("a")).expect("it opens again");
    for name in ["oda", "nobody was here"] {
        let room = room(name);
        let slice = engine.read(&room, 0, 10).await;
        assert_eq!(at_once(engine.read(&room, 0, 10)), Some(slice), "{name}");
    }
}

#[tokio::test]
async fn any_part_of_a_log_can_be_read_whatever_is_in_memory() {
    for cache_bytes in [0, 100 * 400, 64 << 20] {
        let dir = Dir::new();
        let mut options = options("a");
        options.retention = keeping(2000);
        options.cache_bytes = cache_bytes;
        options.unfiled = 100;
        let engine = Disk::open(dir.path(), options).expect("it opens");
        let name = room("oda");
        let publishing: Vec<_> = (1..=2500)
            .map(|seq| begin(engine.publish(&name, draft(&seq.to_string()))))
            .collect();
        for publishing in publishing {
            publishing.await.expect("it is appended");
        }
        for (after, limit, first, last) in [
            (0, 10, 501, 510),
            (500, 3, 501, 503),
            (1700, 100, 1701, 1800),
            (2399, 50, 2400, 2449),
            (2450, 100, 2451, 2500),
            (0, usize::MAX, 501, 2500),
            (600, 1850, 601, 2450),
        ] {
            let slice = engine.read(&name, after, limit).await.expect("it is read");
            let expected: Vec<_> = (first..=last).map(|seq| (seq, seq.to_string())).collect();
            let expected: Vec<_> = expected.iter().map(|(s, t)| (*s, t.as_str())).collect();
            assert_eq!(texts(&slice.publications), expected, "{after} {limit}");
            assert_eq!((slice.oldest, slice.head), (501, 2500));
        }
        for (page, per_page, first, last, total) in [
            (1, 50, 2451, 2500, 40),
            (40, 50, 501, 550, 40),
            (17, 120, 501, 580, 17),
        ] {
            let page = engine
                .page(&name, page, per_page)
                .await
                .expect("it is read");
            let seqs: Vec<_> = page.publications.iter().map(|p| p.seq).collect();
            assert_eq!(seqs, (first..=last).collect::<Vec<_>>());
            assert_eq!(page.total_pages, total);
        }
        let beyond = engine.page(&name, 41, 50).await.expect("it is read");
        assert_eq!((beyond.publications.len(), beyond.total_pages), (0, 40));
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<(RoomName, u64)>>);

impl Subscriber for Told {
    fn event(&self, room: &RoomName, event: Event) {
        if let Event::Published(publication) = event {
            let mut told = self.0.lock().expect("no panic");
            told.push((room.clone(), publication.seq));
        }
    }
}

/// Rooms are read cold, over and over, while they are published in and forgotten: whoever reads
/// after it subscribed sees everything that it was not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reading_misses_nothing_that_was_not_told() {
    let dir = Dir::new();
    let mut options = options("a");
    options.cache_bytes = 0;
    options.unfiled = 3;
    options.retention = keeping(20);
    let engine = Arc::new(Disk::open(dir.path(), options).expect("it opens"));
    let names: Vec<_> = (0..4).map(|number| room(&number.to_string())).collect();
    let publishing: Vec<_> = names
        .iter()
        .map(|name| {
            let (engine, name) = (engine.clone(), name.clone());
            tokio::spawn(async move {
                for seq in 1..=300 {
                    let appended = engine.publish(&name, draft("x")).await;
                    assert_eq!(appended.expect("it is appended").position.seq, seq);
                }
            })
        })
        .collect();
    let reading: Vec<_> = (0..4)
        .map(|_| {
            let (engine, names) = (engine.clone(), names.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while done < names.len() {
                    let told = Arc::new(Told::default());
                    engine.attach(told.clone());
                    done = 0;
                    for name in &names {
                        let slice = engine.read(name, 0, 1000).await.expect("it is read");
                        let seqs: Vec<_> = slice.publications.iter().map(|p| p.seq).collect();
                        let expected = slice.oldest..=slice.head;
                        assert_eq!(seqs, expected.collect::<Vec<_>>());
                        let told = told.0.lock().expect("no panic");
                        let told = told.iter().filter(|(room, _)| room == name);
                        let told: Vec<_> = told.map(|(_, seq)| *seq).collect();
                        if let Some(first) = told.first() {
                            assert!(*first <= slice.head + 1, "{first} after {slice:?}");
                            let all = *first..first + told.len() as u64;
                            assert_eq!(told, all.collect::<Vec<_>>());
                        }
                        done += usize::from(slice.head == 300);
                    }
                }
            })
        })
        .collect();
    for task in publishing.into_iter().chain(reading) {
        task.await.expect("no panic");
    }
    for name in ["0", "1", "2", "3"] {
        assert_eq!(read(&engine, name, 0).await.head, 300);
    }
}
