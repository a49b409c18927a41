//! The counts in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::machine::Machine;
use crate::failure::{About, Result};
use crate::places;

/// The instructions for one operation of each scenario.
pub(super) type Counts = BTreeMap<String, f64>;

/// Counts, and what they were counted with.
#[derive(Debug, PartialEq)]
pub(super) struct Baseline {
    pub(super) machine: Machine,
    pub(super) counts: Counts,
}

const MACHINE: &str = "counted with";
const COUNTS: &str = "instructions";

/// Where it lies.
pub(super) fn file() -> PathBuf {
    places::root().join("instructions/baseline.json")
}

impl Baseline {
    pub(super) fn read() -> Result<Self> {
        let file = file();
        let text = fs::read_to_string(&file).about("read", &file)?;
        Self::parse(&text).ok_or_else(|| {
            format!(
                "{} is no baseline: count anew with `cargo xtask instructions --save`",
                places::shown(&file)
            )
            .into()
        })
    }

    pub(super) fn write(&self) -> Result<()> {
        let file = file();
        fs::write(&file, self.to_text()).about("write", &file)
    }

    fn parse(text: &str) -> Option<Self> {
        let all: Value = serde_json::from_str(text).ok()?;
        let machine = all.get(MACHINE)?.as_object()?.iter();
        let counts = all.get(COUNTS)?.as_object()?.iter();
        Some(Self {
            machine: machine
                .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect::<Option<_>>()?,
            counts: counts
                .map(|(name, value)| Some((name.clone(), value.as_f64()?)))
                .collect::<Option<_>>()?,
        })
    }

    /// One line for each scenario, in order.
    fn to_text(&self) -> String {
        let all = json!({ MACHINE: self.machine, COUNTS: self.counts });
        format!("{all:#}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let baseline = Baseline {
            machine: [("rustc".to_owned(), "rustc 1.95.0".to_owned())].into(),
            counts: [("a".to_owned(), 156.7), ("b".to_owned(), 224_013.0)].into(),
        };
        let text = baseline.to_text();
        assert_eq!(text.lines().count(), 9, "{text}");
        assert_eq!(Baseline::parse(&text), Some(baseline));
    }

    #[test]
    fn what_is_no_figure_is_no_baseline() {
        for text in [
            "",
            "{}",
            r#"{"counted with": {}}"#,
            r#"{"counted with": {}, "instructions": {"a": "1"}}"#,
        ] {
            assert_eq!(Baseline::parse(text), None, "{text}");
        }
    }

    #[test]
    fn there_is_one_in_the_repository() -> Result<()> {
        assert!(!Baseline::read()?.counts.is_empty());
        Ok(())
    }
}
