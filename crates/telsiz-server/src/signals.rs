//! The signals that ask to stop or to read the configuration anew: what operating systems differ in.

use std::io;

/// The signals that ask the process to stop.
#[derive(Debug)]
pub(crate) struct Signals(#[cfg(unix)] unix::Signals, #[cfg(not(unix))] other::Signals);

impl Signals {
    /// From now on they do not end the process.
    pub(crate) fn catch() -> io::Result<Self> {
        #[cfg(unix)]
        return unix::Signals::catch().map(Self);
        #[cfg(not(unix))]
        return Ok(Self(other::Signals));
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        self.0.next().await;
    }
}

/// The signal that asks to read the configuration anew. Where there is none it never comes.
#[derive(Debug)]
pub(crate) struct Hangups(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangups {
    /// From now on it does not end the process.
    pub(crate) fn catch() -> io::Result<Self> {
        #[cfg(unix)]
        return tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self);
        #[cfg(not(unix))]
        return Ok(Self());
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.0.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

#[cfg(unix)]
mod unix {
    use std::io;

    use tokio::signal::unix::{Signal, SignalKind, signal};

    #[derive(Debug)]
    pub(super) struct Signals {
        interrupt: Signal,
        terminate: Signal,
    }

    impl Signals {
        pub(super) fn catch() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn next(&mut self) {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        }
    }
}

#[cfg(not(unix))]
mod other {
    #[derive(Debug)]
    pub(super) struct Signals;

    impl Signals {
        pub(super) async fn next(&mut self) {
            if tokio::signal::ctrl_c().await.is_err() {
                // None can be caught: none will come.
                std::future::pending::<()>().await;
            }
        }
    }
}
