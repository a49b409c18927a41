//! How the server stops: on a signal, within a bound.

use std::process;
use std::time::Duration;

use http::StatusCode;
use telsiz::{CloseCode, Stopper};
use tokio::time::sleep;

use crate::config::Period;
use crate::http::Refusal;
use crate::lang::Lang;
use crate::service;
use crate::signals::Signals;

/// How the process ends when a stop took too long.
const CUT_OFF: i32 = 3;

/// After so long it may listen again.
const SOON: Duration = Duration::from_secs(1);

/// How a server is to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StopTimes {
    /// Over how long the closing of the connections is spread.
    pub(crate) window: Duration,
    /// How long all else may take.
    pub(crate) timeout: Duration,
}

impl StopTimes {
    /// As they are configured.
    pub(crate) fn new(window: Option<Period>, Period(timeout): Period) -> Self {
        let window = window.map_or(Duration::ZERO, |Period(window)| window);
        Self { window, timeout }
    }

    /// How long the connections may take to close. The rest is left to the disk.
    pub(crate) fn drain(self) -> Duration {
        self.timeout * 3 / 4
    }
}

/// Stops the server on the first signal as it should be. On the second one, or when that takes
/// longer than it may, the process ends.
pub(crate) async fn stop_on(mut signals: Signals, stopper: Stopper, times: StopTimes) {
    signals.next().await;
    tracing::info!("stopping: closing all connections; a second signal stops at once");
    service::tell_stopping();
    stopper.stop_with(CloseCode::RESTART);
    tokio::select! {
        () = signals.next() => process::exit(1),
        () = sleep(times.window + times.timeout) => {
            tracing::warn!("the stop took longer than stop_timeout: the rest is left undone; what was acknowledged is stored");
            process::exit(CUT_OFF)
        }
    }
}

/// Ends the process if connections had to be cut off.
pub(crate) fn tell_cut_off(stopper: &Stopper) {
    let connections = stopper.cut_off();
    if connections > 0 {
        tracing::warn!(
            connections,
            "cut off connections that did not close within stop_timeout"
        );
        process::exit(CUT_OFF);
    }
}

/// Whether the server stops, for who wants in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stopping {
    stopper: Stopper,
    window: Duration,
}

impl Stopping {
    /// Of a server that stops so.
    pub(crate) fn of(stopper: Stopper, times: StopTimes) -> Self {
        let window = times.window;
        Self { stopper, window }
    }

    /// After which time to try again, if it does.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let time = self.window + SOON;
        self.stopper.is_stopping().then_some(time)
    }

    /// What to refuse with, if it does: it listens again after the window at the earliest.
    pub(crate) fn refusal(&self, lang: Lang) -> Option<Refusal> {
        let detail = match lang {
            Lang::Tr => "Sunucu duruyor. Birazdan yeniden deneyin.",
            Lang::En => "The server is stopping. Try again soon.",
        };
        self.retry_after().map(|time| {
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            refusal.in_lang(lang).retry_after(time)
        })
    }
}
