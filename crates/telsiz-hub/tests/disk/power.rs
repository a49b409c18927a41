//! What was acknowledged is there after the process was killed, or the power was cut, at any moment.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use telsiz_hub::{Disk, DiskOptions, Durability, Engine};

use crate::common::{Dir, draft, keeping, options, read, room};
use crate::process::{Shadow, run};

const ROUNDS: u64 = 20;

/// `TELSIZ_SEED` plays a run again, as far as times do.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("TELSIZ_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.map_or(0, |now| now.as_micros() as u64)
        });
        println!("TELSIZ_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

/// Filing and cutting the journal happen often, and checkpoints with few `pages`.
fn busy(durability: Durability, pages: usize) -> DiskOptions {
    let mut options = options("e");
    options.durability = durability;
    options.retention = keeping(1_000_000);
    options.unfiled = 60;
    options.checkpoint_pages = pages;
    options
}

#[tokio::test]
#[ignore = "runs in a process of its own"]
async fn publish_until_killed() {
    let dir = std::env::var_os("DISK_DIR").expect("started by a test");
    let durability = match std::env::var_os("DISK_OS") {
        Some(_) => Durability::Os,
        None => Durability::Fsync,
    };
    let pages = std::env::var("DISK_PAGES").expect("started by a test");
    let options = busy(durability, pages.parse().expect("a number"));
    let engine = Arc::new(Disk::open(dir, options).expect("it opens"));
    let publishers: Vec<_> = (0..24)
        .map(|publisher| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for turn in 0.. {
                    let name = ((publisher + turn) % 5).to_string();
                    let filler = "x".repeat((turn as usize * 37) % 900);
                    let text = format!("{}-{publisher}-{turn}-{filler}", std::process::id());
                    let appended = engine.publish(&room(&name), draft(&text)).await;
                    let seq = appended.expect("it is appended").position.seq;
                    println!("acknowledged {name} {seq} {text}");
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
}

/// What was acknowledged, by room and number.
type Acknowledged = HashMap<(String, u64), String>;

/// Lets a process publish for a while and kills it: most often some time after it began.
fn kill(mut command: Command, random: &mut Random, acknowledged: &mut Acknowledged) {
    let pages = [20, 5000][random.below(2) as usize];
    command.env("DISK_PAGES", pages.to_string());
    let at_once = random.below(5) == 0;
    let after = Duration::from_millis(random.below(if at_once { 200 } else { 80 }));
    println!(
        "{pages} pages, killed {after:?} after {}",
        if at_once {
            "its start"
        } else {
            "its first words"
        }
    );
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let said = child.stdout.take().expect("a pipe");
    let (begun, beginning) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut said = BufReader::new(said);
        let mut text = String::new();
        while said.read_line(&mut text).expect("text") > 0 {
            if text.contains("acknowledged") {
                let _ = begun.send(());
            }
        }
        text
    });
    if !at_once {
        let begun = beginning.recv_timeout(Duration::from_secs(60));
        begun.expect("it publishes");
    }
    std::thread::sleep(after);
    child.kill().expect("it can be killed");
    let status = child.wait().expect("it ended");
    assert!(status.code().is_none(), "it ended by itself: {status}");
    let text = reading.join().expect("no panic");
    // The last line may not be complete.
    let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
    for line in complete.lines() {
        if let Some(rest) = line.split_once("acknowledged ").map(|(_, rest)| rest) {
            let mut words = rest.splitn(3, ' ');
            let mut word = || words.next().expect("three words").to_owned();
            let (room, seq, text) = (word(), word(), word());
            let seq = seq.parse().expect("a number");
            let before = acknowledged.insert((room, seq), text);
            assert_eq!(before, None, "a number was given twice: {line}");
        }
    }
}

async fn check(dir: &Dir, durability: Durability, acknowledged: &Acknowledged) {
    let engine = Disk::open(dir.path(), busy(durability, 100)).expect("it opens");
    let mut found = HashMap::new();
    for name in ["0", "1", "2", "3", "4"] {
        let slice = read(&engine, name, 0).await;
        let seqs: Vec<_> = slice.publications.iter().map(|p| p.seq).collect();
        assert_eq!(seqs, (1..=slice.head).collect::<Vec<_>>(), "room {name}");
        for publication in slice.publications {
            let place = (name.to_owned(), publication.seq);
            found.insert(place, publication.text.clone());
        }
    }
    for (place, text) in acknowledged {
        assert!(found.get(place) == Some(text), "{place:?} is lost");
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_cut() {
    let mut random = Random::new();
    let mut acknowledged = Acknowledged::new();
    let mut dir = Dir::new();
    for round in 0..ROUNDS {
        let shadow = Shadow::of(dir);
        let command = shadow.run("power::publish_until_killed");
        kill(command, &mut random, &mut acknowledged);
        // In the worst case nothing arrives that was not synced; else any part of it.
        let arrive = [0, 0, 50, 90][random.below(4) as usize];
        dir = shadow.cut(|| random.below(100) < arrive);
        println!(
            "round {round}: {arrive} % arrived unsynced, {} acknowledged",
            acknowledged.len()
        );
        check(&dir.copy_all(), Durability::Fsync, &acknowledged).await;
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}

#[tokio::test]
async fn what_the_system_has_survives_a_kill() {
    let mut random = Random::new();
    let mut acknowledged = Acknowledged::new();
    let dir = Dir::new();
    for round in 0..ROUNDS {
        let mut command = run("power::publish_until_killed");
        command.env("DISK_DIR", dir.path()).env("DISK_OS", "");
        kill(command, &mut random, &mut acknowledged);
        println!("round {round}: {} acknowledged", acknowledged.len());
        check(&dir, Durability::Os, &acknowledged).await;
    }
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
}
