//! The machine that is measured on.

use std::fs;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;

use crate::Error;

/// What a reader of the figures should know about the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    kernel: String,
    processor: String,
    processors: usize,
    congestion_control: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let read = |file: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.trim().to_owned()
        };
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
        Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            processor: processor.unwrap_or_default(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            congestion_control: read("/proc/sys/net/ipv4/tcp_congestion_control"),
        }
    }
}

/// Processor time that programs and the kernel took on some processors since the machine started.
pub(crate) fn busy(cpus: [usize; 2]) -> Result<Duration, Error> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks: u64 = cpus.iter().filter_map(|cpu| ticks(&stat, *cpu)).sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
}

/// All but idle, waiting for disks, and what other machines took: user, nice, system, then interrupts.
fn ticks(stat: &str, cpu: usize) -> Option<u64> {
    let name = format!("cpu{cpu} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name))?;
    let fields: Vec<u64> = line
        .split(' ')
        .map_while(|field| field.parse().ok())
        .collect();
    Some(fields.get(..3)?.iter().sum::<u64>() + fields.get(5..7)?.iter().sum::<u64>())
}

/// Lets this program, and the servers it starts, open as many files as the system allows without asking.
pub(crate) fn raise_file_limit() -> Result<(), Error> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 4 100 100 8 16 100 0 0\ncpu1 1 1 1 0 0 1 1 0 0 0\n";
        assert_eq!(ticks(stat, 0), Some(31));
        assert_eq!(ticks(stat, 1), Some(5));
        assert_eq!(ticks(stat, 2), None);
    }
}
