//! What happened how often.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What happened how often, by name.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    pub(crate) fn count(&self, what: &str) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: &str, times: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(what) {
            Some(count) => *count += times,
            None => {
                counts.insert(what.into(), times);
            }
        }
    }

    /// The most that was said of it.
    pub(crate) fn most(&self, what: &str, value: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let most = counts.entry(what.into()).or_default();
        *most = value.max(*most);
    }

    pub(crate) fn get(&self, what: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or(0)
    }

    /// All whose name begins so, without that beginning.
    pub(crate) fn under(&self, beginning: &str) -> Vec<(String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = counts.iter().filter_map(|(name, count)| {
            let name = name.strip_prefix(beginning)?;
            Some((name.to_owned(), *count))
        });
        found.collect()
    }
}
