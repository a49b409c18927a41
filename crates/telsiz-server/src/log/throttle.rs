//! Lines that peers can cause: some of each kind in a second, and then how many more there were.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, ptr};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// The time in which so many lines of a kind are logged.
const WINDOW: Duration = Duration::from_secs(1);

/// Where it tells what was held back: never held back itself.
const SUMMARY: &str = "telsiz_server::log::more";

/// Lets so many lines of a kind through in a second, and tells how many more there were. A kind is a
/// place in the source.
#[derive(Debug)]
pub(super) struct Throttle {
    most: u32,
    /// By where what describes them lies.
    kinds: Mutex<HashMap<usize, Kind>>,
}

/// The lines of a kind, lately.
#[derive(Debug)]
struct Kind {
    /// Of the second.
    start: Instant,
    let_through: u32,
    held_back: u64,
    /// What the first one said that was held back.
    like: String,
}

impl Throttle {
    /// One that lets `most` lines of a kind through in a second.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            kinds: Mutex::default(),
        }
    }

    /// Logs how many lines were held back, where a second is over.
    pub(super) fn tell(&self) {
        for (held_back, like) in self.take(Instant::now()) {
            let number = grouped(held_back);
            tracing::warn!(target: SUMMARY, held_back, like, "and {number} more like it");
        }
    }

    /// What was held back until now, where a second is over.
    fn take(&self, now: Instant) -> Vec<(u64, String)> {
        let mut kinds = self.lock();
        let is_over = |kind: &Kind| now.saturating_duration_since(kind.start) >= WINDOW;
        let over = kinds
            .values_mut()
            .filter(|kind| is_over(kind) && kind.held_back > 0);
        let taken = over.map(|kind| {
            kind.start = now;
            kind.let_through = 0;
            let like = std::mem::take(&mut kind.like);
            (std::mem::take(&mut kind.held_back), like)
        });
        taken.collect()
    }

    /// Whether another line of a kind is let through; `say` says what it says.
    fn admit(&self, kind: usize, now: Instant, say: impl FnOnce() -> String) -> bool {
        let mut kinds = self.lock();
        let kind = kinds.entry(kind).or_insert_with(|| Kind {
            start: now,
            let_through: 0,
            held_back: 0,
            like: String::new(),
        });
        // What was held back is told first.
        if kind.held_back == 0 && now.saturating_duration_since(kind.start) >= WINDOW {
            kind.start = now;
            kind.let_through = 0;
        }
        if kind.let_through < self.most {
            kind.let_through += 1;
            return true;
        }
        if kind.held_back == 0 {
            kind.like = say();
        }
        kind.held_back += 1;
        false
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<usize, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for &'static Throttle {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let say = || {
            let mut said = Said::default();
            event.record(&mut said);
            said.0
        };
        metadata.target() == SUMMARY
            || self.admit(ptr::from_ref(metadata).addr(), Instant::now(), say)
    }
}

/// The message of a line.
#[derive(Default)]
struct Said(String);

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

/// A number as people read it: `1,234`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Arc;

    use tracing_subscriber::prelude::*;

    use super::*;

    /// What is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut lines = self.0.lock().expect("no panic");
            lines.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn take(&self) -> Vec<String> {
            let bytes = std::mem::take(&mut *self.0.lock().expect("no panic"));
            let text = String::from_utf8(bytes).expect("text");
            text.lines().map(str::to_owned).collect()
        }
    }

    fn flood(times: u32) {
        for number in 0..times {
            tracing::warn!(number, "too many of {}", "them");
        }
    }

    /// Runs `act` with a log of which `most` lines of a kind pass; what is logged can be taken.
    fn logging(most: u32, act: impl FnOnce(&'static Throttle, &Lines)) {
        let throttle: &'static Throttle = Box::leak(Box::new(Throttle::new(most)));
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(log).with(throttle);
        tracing::subscriber::with_default(subscriber, || act(throttle, &lines));
    }

    #[test]
    fn so_many_lines_of_a_kind_are_logged_and_then_how_many_more_there_were() {
        logging(3, |throttle, lines| {
            flood(1_237);
            tracing::info!("of another kind");
            assert_eq!(lines.take().len(), 4);
            // The second is not over.
            throttle.tell();
            flood(1);
            assert_eq!(lines.take(), <[String; 0]>::default());
            let later = Instant::now() + WINDOW;
            let taken = throttle.take(later);
            assert_eq!(taken, [(1_235, "too many of them".to_owned())]);
            assert_eq!(throttle.take(later + WINDOW), []);
        });
    }

    #[test]
    fn what_was_held_back_is_told_in_a_line_that_is_never_held_back() {
        logging(0, |throttle, lines| {
            flood(1_234);
            for kind in throttle.lock().values_mut() {
                kind.start = kind.start.checked_sub(WINDOW).expect("a time");
            }
            throttle.tell();
            let told = lines.take();
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains("and 1,234 more like it"), "{told:?}");
            assert!(told[0].contains("like=\"too many of them\""), "{told:?}");
        });
    }

    #[test]
    fn after_a_second_lines_are_let_through_again_without_a_word() {
        let throttle = Throttle::new(2);
        let start = Instant::now();
        for (after, admitted) in [
            (0, true),
            (1, true),
            (2_000, true),
            (2_001, true),
            (2_002, false),
        ] {
            let now = start + Duration::from_millis(after);
            assert_eq!(throttle.admit(1, now, String::new), admitted, "{after}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }
}
