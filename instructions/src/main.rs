//! Operations of the library, each to be run under callgrind: `cargo xtask instructions` does that.

mod counter;
#[path = "../../crates/telsiz/tests/common/frame.rs"]
#[allow(dead_code, reason = "the tests of the library use all of it")]
mod frame;
mod processor;
mod scenarios;
mod wire;

use std::process::ExitCode;

/// Lists the scenarios, or runs one and prints how many operations were counted.
fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        None => {
            for scenario in scenarios::ALL {
                println!("{}", scenario.name);
            }
        }
        Some("--processor") => println!("{}", processor::description()),
        Some(name) => match scenarios::ALL.iter().find(|it| it.name == name) {
            Some(scenario) => println!("{}", (scenario.run)()),
            None => {
                eprintln!("error: there is no scenario `{name}`");
                return ExitCode::FAILURE;
            }
        },
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::scenarios::ALL;

    #[test]
    fn every_scenario_does_what_it_counts() {
        for scenario in ALL {
            println!("{}", scenario.name);
            assert!((scenario.run)() > 0);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|it| it.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
