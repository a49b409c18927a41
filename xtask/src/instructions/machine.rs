//! What counts depend on beside our source.

use std::collections::BTreeMap;
use std::fmt;

use super::callgrind::Subject;
use crate::failure::Result;
use crate::step::Step;

/// The name of what cannot be told apart from a change of ours.
const PROCESSOR: &str = "processor";

/// Tools and their versions, and the processor.
pub(super) type Machine = BTreeMap<String, String>;

/// This machine.
pub(super) fn this(subject: &Subject) -> Result<Machine> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let rustc = Step::new(rustc).arg("--version").output()?;
    // It brings the allocator, and what copies and compares memory.
    let libc = Step::new("getconf").arg("GNU_LIBC_VERSION").output()?;
    let all = [
        ("libc", libc.trim().to_owned()),
        (PROCESSOR, subject.processor()?),
        ("rustc", rustc.trim().to_owned()),
        ("valgrind", subject.valgrind_version()?),
    ];
    Ok(all
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect())
}

/// What is not as it was when the baseline was counted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    name: String,
    then: String,
    now: String,
}

impl Difference {
    /// Dependencies choose their instructions by the processor. Of another one nobody can say what a change of ours
    /// costs; of another compiler one can, by looking at the commit before.
    pub(super) fn prevents_comparison(&self) -> bool {
        self.name == PROCESSOR
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, then, now } = self;
        write!(f, "{name}: the baseline has `{then}`, this machine `{now}`")
    }
}

pub(super) fn differences(then: &Machine, now: &Machine) -> Vec<Difference> {
    let value = |machine: &Machine, name: &String| machine.get(name).cloned().unwrap_or_default();
    now.keys()
        .map(|name| Difference {
            name: name.clone(),
            then: value(then, name),
            now: value(now, name),
        })
        .filter(|it| it.then != it.now)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(processor: &str, rustc: &str) -> Machine {
        let all = [(PROCESSOR, processor), ("rustc", rustc)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn the_same_machine_differs_in_nothing() {
        let this = machine("x86_64 avx2", "rustc 1.95.0");
        assert_eq!(differences(&this, &this), []);
    }

    #[test]
    fn another_compiler_is_named_and_compared() {
        let then = machine("x86_64 avx2", "rustc 1.95.0");
        let found = differences(&then, &machine("x86_64 avx2", "rustc 1.96.0"));
        let [difference] = &found[..] else {
            panic!("{found:?}");
        };
        assert!(!difference.prevents_comparison());
        assert_eq!(
            difference.to_string(),
            "rustc: the baseline has `rustc 1.95.0`, this machine `rustc 1.96.0`"
        );
    }

    #[test]
    fn another_processor_is_not_compared() {
        let then = machine("x86_64 avx2", "rustc 1.95.0");
        let found = differences(&then, &machine("x86_64", "rustc 1.95.0"));
        assert!(
            found.len() == 1 && found[0].prevents_comparison(),
            "{found:?}"
        );
    }
}
