//! The load of those who talk in rooms, in the protocol of the app `rooms`.

mod crowd;
mod fanout;
mod ledger;
mod publish;
mod speech;

pub use crowd::Crowd;
pub use fanout::{Fanned, fanout};
pub use publish::{Published, publish};
pub(crate) use speech::LEAST;

use std::time::Duration;

/// The duration below which a share of all lie, from 0 to 1. It sorts them.
fn quantile(all: &mut [Duration], share: f64) -> Duration {
    all.sort_unstable();
    let last = all.len().saturating_sub(1);
    all.get((last as f64 * share).round() as usize)
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let of = |share| quantile(&mut [3, 1, 2].map(Duration::from_secs), share).as_secs();
        assert_eq!([of(0.0), of(0.5), of(0.99), of(1.0)], [1, 2, 3, 3]);
        assert_eq!(quantile(&mut [], 0.5), Duration::ZERO);
    }
}
