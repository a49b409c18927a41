//! Taking the figures.

use std::time::Instant;

use sysinfo::{MemoryRefreshKind, System};

use super::messages::Figures;
use crate::connections::Connections;
use crate::rooms::Rooms;
use crate::timestamp;
use crate::traffic::Counts;

/// Takes the figures, each time of what was since the last.
#[derive(Debug)]
pub(super) struct Sampler {
    connections: Connections,
    rooms: Rooms,
    system: System,
    before: (Instant, Counts),
}

impl Sampler {
    /// Begins now.
    pub(super) fn new(connections: Connections, rooms: Rooms) -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let before = (Instant::now(), connections.counts());
        Self {
            connections,
            rooms,
            system,
            before,
        }
    }

    /// The figures since the last time.
    pub(super) fn take(&mut self) -> Figures {
        self.system.refresh_cpu_usage();
        let memory = MemoryRefreshKind::nothing().with_ram();
        self.system.refresh_memory_specifics(memory);
        let now = (Instant::now(), self.connections.counts());
        let before = std::mem::replace(&mut self.before, now);
        let seconds = now.0.duration_since(before.0).as_secs_f64();
        Figures {
            cpu_usage: tenths(f64::from(self.system.global_cpu_usage()).clamp(0.0, 100.0)),
            memory_usage: percent(self.system.used_memory(), self.system.total_memory()),
            disk_usage: disk_usage(),
            timestamp: timestamp::now(),
            connections: self.connections.number(),
            rooms: self.rooms.number(),
            messages_in_per_second: per_second(before.1.received, now.1.received, seconds),
            messages_out_per_second: per_second(before.1.sent, now.1.sent, seconds),
        }
    }
}

/// How full the disk with the working directory is, as `df` counts it: what only the system may
/// use is no part of the whole.
fn disk_usage() -> f64 {
    // A directory that was removed is on no disk.
    fs4::statvfs(".").map_or(0.0, |disk| {
        let used = disk.total_space().saturating_sub(disk.free_space());
        percent(used, used.saturating_add(disk.available_space()))
    })
}

fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => tenths((part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0)),
    }
}

fn per_second(before: u64, now: u64, seconds: f64) -> f64 {
    match seconds > 0.0 {
        true => tenths(now.saturating_sub(before) as f64 / seconds),
        false => 0.0,
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use telsiz_hub::User;

    use super::*;
    use crate::testing;

    /// Rooms, of which somebody is in one.
    async fn one_room() -> Rooms {
        let rooms = testing::site().rooms;
        let member = rooms.hub().new_member(User::new("u", "U"));
        testing::enter(&rooms, "genel", &member).await;
        rooms
    }

    #[tokio::test]
    async fn rates_are_those_since_the_last_time() {
        let connections = Connections::default();
        let mut sampler = Sampler::new(connections.clone(), one_room().await);
        let counted = connections.count();
        for _ in 0..1_000 {
            connections.traffic().received(1);
        }
        connections.traffic().sent(3_000, 3_000);
        thread::sleep(Duration::from_millis(20));
        let figures = sampler.take();
        assert_eq!((figures.connections, figures.rooms), (1, 1));
        let (received, sent) = (
            figures.messages_in_per_second,
            figures.messages_out_per_second,
        );
        assert!(received > 0.0 && received <= 50_000.0, "{received}");
        assert!((sent / received - 3.0).abs() < 0.01, "{sent}");
        drop(counted);
        let figures = sampler.take();
        assert_eq!(figures.connections, 0);
        assert_eq!(figures.messages_in_per_second, 0.0);
    }

    #[test]
    fn the_machine_has_a_memory_and_a_disk_that_are_not_empty() {
        let figures = Sampler::new(Connections::default(), testing::site().rooms).take();
        for usage in [figures.memory_usage, figures.disk_usage] {
            assert!(usage > 0.0 && usage <= 100.0, "{figures:?}");
        }
        assert!((0.0..=100.0).contains(&figures.cpu_usage), "{figures:?}");
    }

    #[test]
    fn parts_of_nothing_are_none() {
        assert_eq!(percent(1, 0), 0.0);
        assert_eq!(percent(1, 3), 33.3);
        assert_eq!(per_second(1, 5, 0.0), 0.0);
    }
}
