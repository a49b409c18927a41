//! What the engine on disk costs: `disk DIR [PUBLISHERS [SECONDS [fsync|os [ROOMS]]]]`. Each publisher has
//! one publication of 128 bytes under way. Run it on one core (`taskset -c 0`) to see what that does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use telsiz_hub::{
    Clock, Disk, DiskOptions, Draft, Durability, Engine, Event, RoomName, Subscriber, Timestamp,
    User,
};

/// Counts what it is told.
#[derive(Default)]
struct Told(AtomicU64);

impl Subscriber for Told {
    fn event(&self, _: &RoomName, _: Event) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp(now.map_or(0, |now| now.as_millis() as u64))
}

/// The processor time of this process, where the system tells it.
fn processor_time() -> Option<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task").ok()?.flatten() {
        let stat = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        total += stat.split(' ').next()?.parse::<u64>().unwrap_or(0);
    }
    Some(Duration::from_nanos(total))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().ok_or("which directory?")?;
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse());
    let publishers: u64 = number(64)?;
    let seconds: u64 = number(5)?;
    let mut options = DiskOptions::new(&now().0.to_string(), Clock::new(now));
    if std::env::args().nth(4).is_some_and(|level| level == "os") {
        options.durability = Durability::Os;
    }
    let rooms: u64 = std::env::args().nth(5).map_or(Ok(1), |text| text.parse())?;

    let engine = Arc::new(Disk::open(dir, options)?);
    let told = Arc::new(Told::default());
    engine.attach(told.clone());
    let (began, spent) = (Instant::now(), processor_time());
    let end = began + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..publishers)
        .map(|publisher| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                for turn in 0.. {
                    let room = publisher * rooms + turn % rooms;
                    let room = RoomName::new(&format!("room-{room}")).map_err(|e| e.to_string())?;
                    let draft = Draft {
                        user: User::new("u-12345", "Ayşe"),
                        text: "x".repeat(128),
                        key: None,
                    };
                    let began = Instant::now();
                    let appended = engine.publish(&room, draft).await;
                    appended.map_err(|error| error.to_string())?;
                    times.push(began.elapsed());
                    if Instant::now() > end {
                        break;
                    }
                }
                Ok::<_, String>(times)
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await??);
    }
    let (took, spent) = (began.elapsed(), processor_time().zip(spent));
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    println!(
        "{} acknowledged, {} told; {:.0}/s; {:.1} µs of processor time each; p50 {:?}, p99 {:?}, most {:?}",
        times.len(),
        told.0.load(Ordering::Relaxed),
        times.len() as f64 / took.as_secs_f64(),
        spent.map_or(f64::NAN, |(after, before)| (after - before).as_secs_f64()
            * 1e6
            / times.len() as f64),
        at(50),
        at(99),
        times[times.len() - 1],
    );
    let began = Instant::now();
    engine.close().await;
    println!("closed in {:?}", began.elapsed());
    Ok(())
}
