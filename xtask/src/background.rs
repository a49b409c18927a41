//! A process that runs beside a chore and does not outlive it.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Result;
use crate::step::last_lines;

const TURN: Duration = Duration::from_millis(20);

/// A running process; it is killed when this is dropped.
pub(crate) struct Background {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Background {
    pub(crate) fn new(name: String, child: Child, log: &Path) -> Self {
        Self {
            name,
            child,
            log: log.to_owned(),
        }
    }

    /// Waits until the process accepts TCP connections at `address`.
    pub(crate) fn listens_at(&mut self, address: SocketAddr, within: Duration) -> Result<()> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended before it listened ({status})")));
            }
            if TcpStream::connect_timeout(&address, TURN).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("does not listen at {address}")));
            }
            thread::sleep(TURN);
        }
    }

    /// Waits until the process ends by itself.
    pub(crate) fn ends(&mut self, within: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(self.failure(&format!("still runs after {} s", within.as_secs())));
            }
            thread::sleep(TURN);
        }
    }

    /// Says what is wrong with this process, with the end of what it printed.
    pub(crate) fn failure(&self, what: &str) -> Box<dyn std::error::Error> {
        format!("`{}` {what}\n{}", self.name, last_lines(&self.log)).into()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail only for a process that has ended, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address on which nothing listens just now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
