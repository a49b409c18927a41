//! Medians, and how far to trust them.

use serde::{Deserialize, Serialize};

/// How often the sample is drawn again for an interval.
const RESAMPLES: usize = 2000;

/// A median with the interval that holds it with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Estimate {
    /// Of one value or more; the interval by bootstrap, the same for the same values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let median = median(values)?;
        let mut random = fastrand::Rng::with_seed(0);
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| {
                let again: Vec<f64> = values
                    .iter()
                    .map(|_| values[random.usize(..values.len())])
                    .collect();
                self::median(&again)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        let quantile = |q: f64| medians[((RESAMPLES - 1) as f64 * q).round() as usize];
        Some(Self {
            median,
            low: quantile(0.025),
            high: quantile(0.975),
        })
    }
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn one_value_has_no_spread() {
        let estimate = Estimate::of(&[1.5]).expect("a value");
        assert_eq!((estimate.low, estimate.high), (1.5, 1.5));
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn the_interval_holds_the_median_and_narrows_with_more_values() {
        let width = |count: u32| {
            let mut random = fastrand::Rng::with_seed(7);
            let values: Vec<f64> = (0..count).map(|_| random.f64()).collect();
            let estimate = Estimate::of(&values).expect("values");
            assert!(estimate.low <= estimate.median && estimate.median <= estimate.high);
            estimate.high - estimate.low
        };
        assert!(width(400) < width(25) / 2.0);
    }

    /// 95 of 100 intervals should hold the true median; of 200 at 95 %, 180 is four deviations away.
    #[test]
    fn the_interval_is_right_as_often_as_it_says() {
        let mut random = fastrand::Rng::with_seed(1);
        let right = (0..200)
            .filter(|_| {
                let values: Vec<f64> = (0..25).map(|_| random.f64()).collect();
                let estimate = Estimate::of(&values).expect("values");
                estimate.low <= 0.5 && 0.5 <= estimate.high
            })
            .count();
        assert!(right >= 180, "{right}");
    }
}
