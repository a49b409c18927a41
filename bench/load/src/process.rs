//! What the kernel knows about a server: its processor time and its memory.

use std::fs;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// Processor time of all threads of a process, user and kernel, as the scheduler counts it in nanoseconds.
///
/// A thread that ends takes its time with it, so this is for servers whose threads live as long as they do.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("schedstat");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if has_ended(&error) => continue,
            Err(error) => return Err(error),
        };
        sum += on_cpu(&text).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(sum)
}

/// Whether a thread ended after it was listed: before its file was opened, or before that was read.
fn has_ended(error: &io::Error) -> bool {
    const ESRCH: i32 = 3;
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}

/// What `run` returns, the time it takes, and the processor time that it costs a process. Both are read while that is at
/// rest.
pub(crate) fn timed<T>(
    pid: u32,
    run: impl FnOnce() -> Result<T, Error>,
) -> Result<(T, Duration, Duration), Error> {
    let before = at_rest(pid)?;
    let start = Instant::now();
    let done = run()?;
    let elapsed = start.elapsed();
    Ok((done, elapsed, at_rest(pid)?.saturating_sub(before)))
}

/// The processor time of a process once it no longer grows.
pub(crate) fn at_rest(pid: u32) -> Result<Duration, Error> {
    let read = || cpu_time(pid).map_err(Error::io("reading the server's processor time"));
    let mut last = read()?;
    // A server with timers may never be quite at rest; a few of its ticks do no harm.
    for _ in 0..50 {
        thread::sleep(Duration::from_millis(1));
        let now = read()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}

/// Resident memory of a process in bytes.
pub fn resident(pid: u32) -> io::Result<u64> {
    // Counts pages; the figure in `status` may be some hundred kilobytes behind.
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    rss(&text).ok_or(io::ErrorKind::InvalidData.into())
}

/// The first field: time on the processor.
fn on_cpu(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn rss(smaps: &str) -> Option<u64> {
    let line = smaps.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(
            on_cpu("123456 789 42\n"),
            Some(Duration::from_nanos(123_456))
        );
        let smaps = "55d0-7ffd ---p 00000000 00:00 0   [rollup]\nRss:        2048 kB\nPss: 1 kB\n";
        assert_eq!(rss(smaps), Some(2048 * 1024));
    }

    #[test]
    fn threads_that_end_meanwhile_are_left_out() {
        let path = std::thread::spawn(|| {
            let path = fs::read_link("/proc/thread-self").expect("a link");
            let open = fs::File::open(format!("/proc/{}/schedstat", path.display()));
            (path, open.expect("a file"))
        });
        let (path, open) = path.join().expect("a thread");
        while fs::exists(format!("/proc/{}", path.display())).expect("an answer") {
            thread::yield_now();
        }
        let late = io::read_to_string(open).expect_err("ended before it was read");
        assert!(has_ended(&late), "{late}");
        let late = fs::read_to_string(format!("/proc/{}/schedstat", path.display()));
        assert!(has_ended(&late.expect_err("ended before it was opened")));
    }

    #[test]
    fn sees_itself() {
        let pid = std::process::id();
        assert!(resident(pid).expect("resident") > 100_000);
        cpu_time(pid).expect("processor time");
    }
}
