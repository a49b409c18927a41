//! What is logged: to standard error, a line for each fact, and not more than somebody can read.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::interval;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, registry};

use self::throttle::Throttle;
use crate::config::LogFilter;

mod throttle;

/// How many lines of a kind are logged in a second.
const MOST: u32 = 10;

/// What holds lines back.
static THROTTLE: OnceLock<Throttle> = OnceLock::new();

/// How it is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// From now on logs to standard error, panics too.
pub(crate) fn to_stderr(filter: &LogFilter, format: LogFormat) {
    let throttle = THROTTLE.get_or_init(|| Throttle::new(MOST));
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Human => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    registry()
        .with(lines)
        .with(throttle)
        .with(filter.filter())
        .init();
    panic::set_hook(Box::new(report));
}

/// Tells every second how many lines were held back.
pub(crate) async fn tell_what_was_held_back() {
    let mut ticks = interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        if let Some(throttle) = THROTTLE.get() {
            throttle.tell();
        }
    }
}

/// A panic is a bug; whoever knows how to cause it must not fill the disk.
fn report(panic: &PanicHookInfo<'_>) {
    let said = panic.payload();
    let text = said.downcast_ref::<&str>().copied();
    let text = text.or_else(|| said.downcast_ref::<String>().map(String::as_str));
    let said = text.unwrap_or("something that is no text");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let trace = Backtrace::capture();
    match trace.status() {
        BacktraceStatus::Captured => {
            tracing::error!(place, %trace, "a bug: panicked with {said:?}")
        }
        _ => tracing::error!(place, "a bug: panicked with {said:?}"),
    }
}
