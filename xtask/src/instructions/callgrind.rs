//! The program with the scenarios, and counting one of them.

use std::fs;
use std::path::PathBuf;

use crate::failure::{About, Result};
use crate::install;
use crate::places;
use crate::step::Step;

/// The function in `instructions/src/counter.rs` in which callgrind counts.
const COUNTED: &str = "only_this_is_counted";

/// Valgrind counts every byte that `rep stosb` and `rep movsb` store as an instruction, though processors store
/// many at once: memory is to be filled and copied with others.
const TUNABLES: &str = "glibc.cpu.x86_rep_stosb_threshold=0x7fffffff:\
    glibc.cpu.x86_rep_movsb_threshold=0x7fffffff";

/// What is counted.
pub(super) struct Subject {
    valgrind: PathBuf,
}

impl Subject {
    /// Builds the program as the server is released, whatever flags the environment has.
    pub(super) fn build() -> Result<Self> {
        let valgrind = install::valgrind()?;
        Step::cargo(&["build", "--release", "--package", "instructions"])
            .env("RUSTFLAGS", "")
            .run()?;
        Ok(Self { valgrind })
    }

    /// The names of all scenarios.
    pub(super) fn scenarios(&self) -> Result<Vec<String>> {
        let names = self.program(Step::new("./instructions")).output()?;
        Ok(names.lines().map(ToOwned::to_owned).collect())
    }

    /// The processor that the program sees under valgrind.
    pub(super) fn processor(&self) -> Result<String> {
        let step = self.valgrind("none").arg("./instructions");
        let processor = self.program(step).arg("--processor").output()?;
        Ok(processor.trim().to_owned())
    }

    pub(super) fn valgrind_version(&self) -> Result<String> {
        let version = Step::new(&self.valgrind).arg("--version").output()?;
        Ok(version.trim().to_owned())
    }

    /// Runs a scenario; the instructions for each of its operations.
    pub(super) fn count(&self, name: &str) -> Result<f64> {
        let profile = places::reports().join(format!("callgrind.{name}"));
        if let Some(folder) = profile.parent() {
            fs::create_dir_all(folder).about("create", folder)?;
        }
        let step = self
            .valgrind("callgrind")
            // The names as the linker has them: how they are shown to people changes.
            .arg("--demangle=no")
            .arg(format!("--toggle-collect=*{COUNTED}*"))
            .arg(format!("--callgrind-out-file={}", profile.display()))
            .args(["./instructions", name]);
        let operations = self.program(step).output()?;
        let text = fs::read_to_string(&profile).about("read", &profile)?;
        per_operation(&text, &operations)
            .ok_or_else(|| format!("nothing was counted in {}", places::shown(&profile)).into())
    }

    fn valgrind(&self, tool: &str) -> Step {
        Step::new(&self.valgrind).args(["--quiet", &format!("--tool={tool}")])
    }

    /// Arguments and environment lie on the stack, and what lies behind them is aligned accordingly; copying takes
    /// more instructions or fewer for that. So neither tells where the program lies or who runs it.
    fn program(&self, step: Step) -> Step {
        step.without_environment()
            .env("GLIBC_TUNABLES", TUNABLES)
            .dir(&folder())
    }
}

fn folder() -> PathBuf {
    places::target().join("release")
}

/// What callgrind wrote at the end of `profile`, by the `operations` that the scenario printed.
fn per_operation(profile: &str, operations: &str) -> Option<f64> {
    let mut lines = profile.lines();
    let total: u64 = lines
        .find_map(|line| line.strip_prefix("totals: "))?
        .trim()
        .parse()
        .ok()?;
    let operations: u64 = operations.trim().parse().ok()?;
    if total == 0 || operations == 0 {
        return None;
    }
    // With one decimal: a message may take less than a hundred.
    Some((total as f64 / operations as f64 * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "version: 1\nevents: Ir\nsummary: 9999\n\nfn=(0)\n3 4\ntotals: 501300\n";

    #[test]
    fn totals_are_divided_among_the_operations() {
        assert_eq!(per_operation(PROFILE, "3200\n"), Some(156.7));
    }

    #[test]
    fn nothing_counted_is_no_figure() {
        assert_eq!(per_operation(PROFILE, "0\n"), None);
        assert_eq!(per_operation(PROFILE, "\n"), None);
        assert_eq!(per_operation("events: Ir\ntotals: 0\n", "3200\n"), None);
        assert_eq!(per_operation("events: Ir\n", "3200\n"), None);
    }

    #[test]
    fn the_function_that_is_counted_has_the_name_that_callgrind_is_told() -> Result<()> {
        let file = places::root().join("instructions/src/counter.rs");
        let source = fs::read_to_string(&file).about("read", &file)?;
        assert!(source.contains(&format!("fn {COUNTED}(")));
        Ok(())
    }
}
