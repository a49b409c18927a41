//! What is counted, and what is not.

use std::hint::black_box;

/// How often the work of a scenario is counted.
const ROUNDS: usize = 50;

/// Callgrind is told to count while this runs (`--toggle-collect`), and only then: its name is known to `xtask`.
#[inline(never)]
fn only_this_is_counted(work: &mut dyn FnMut()) {
    work();
    // Without this the call would be a jump, and callgrind would not see the end.
    black_box(());
}

/// Does `work` on what `prepare` makes, once to warm up and then in every round, and returns how many operations
/// were counted. Only `work` is: it does `operations` each time, and says how many it did.
pub(crate) fn count<T>(
    operations: usize,
    mut prepare: impl FnMut() -> T,
    mut work: impl FnMut(&mut T) -> usize,
) -> usize {
    for round in 0..=ROUNDS {
        let mut prepared = prepare();
        let mut done = 0;
        let mut step = || done = work(&mut prepared);
        // The compiler is not to see what is called: it would have it twice.
        let step: &mut dyn FnMut() = black_box(&mut step);
        match round {
            0 => step(),
            _ => only_this_is_counted(step),
        }
        assert_eq!(done, operations, "round {round}");
    }
    ROUNDS * operations
}
