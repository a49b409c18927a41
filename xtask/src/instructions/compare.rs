//! Counts against the baseline.

use super::baseline::Counts;

/// By how many percent something may rise.
const LIMIT: f64 = 3.0;

/// A scenario in the baseline and now.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    before: Option<f64>,
    now: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Held,
    Fell,
    Rose,
    /// The baseline does not have it.
    Unknown,
    /// Only the baseline has it.
    Missing,
}

/// Every scenario of either side.
pub(super) fn rows(before: &Counts, now: &Counts) -> Vec<Row> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    let row = |name: &String| Row {
        name: name.clone(),
        before: before.get(name).copied(),
        now: now.get(name).copied(),
    };
    names.into_iter().map(row).collect()
}

impl Row {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.percent(), self.before) {
            // What was counted has one decimal, and fractions of it are none of ours.
            (Some(change), _) if change > LIMIT + 1e-9 => Verdict::Rose,
            (Some(change), _) if change < -LIMIT - 1e-9 => Verdict::Fell,
            (Some(_), _) => Verdict::Held,
            (None, None) => Verdict::Unknown,
            (None, Some(_)) => Verdict::Missing,
        }
    }

    /// By how much it rose.
    fn percent(&self) -> Option<f64> {
        let (before, now) = (self.before?, self.now?);
        Some((now - before) / before * 100.0)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn passes(&self) -> bool {
        matches!(self.verdict(), Verdict::Held | Verdict::Fell)
    }

    /// What is wrong with it, if anything is.
    pub(super) fn complaint(&self) -> Option<String> {
        let name = &self.name;
        match self.verdict() {
            Verdict::Held | Verdict::Fell => None,
            Verdict::Rose => {
                let percent = self.percent()?;
                Some(format!(
                    "{name} rose by {percent:.1} %, from {:.1} to {:.1} instructions; {LIMIT} % are allowed",
                    self.before?, self.now?
                ))
            }
            Verdict::Unknown => Some(format!(
                "{name} is not in the baseline: `cargo xtask instructions --save` puts it there"
            )),
            Verdict::Missing => Some(format!(
                "{name} is in the baseline, and no scenario has that name any more"
            )),
        }
    }
}

/// Prints a line for each scenario.
pub(super) fn print(rows: &[Row]) {
    println!(
        "\n{:<28} {:>12} {:>12} {:>9}",
        "instructions for one", "baseline", "now", "change"
    );
    for row in rows {
        let figure = |count: Option<f64>| count.map_or("-".to_owned(), |it| format!("{it:.1}"));
        let change = row
            .percent()
            .map_or(String::new(), |it| format!("{it:+.1} %"));
        let note = match row.verdict() {
            Verdict::Held => "",
            Verdict::Fell => "  fell",
            Verdict::Rose => "  ROSE",
            Verdict::Unknown => "  UNKNOWN",
            Verdict::Missing => "  MISSING",
        };
        println!(
            "{:<28} {:>12} {:>12} {change:>9}{note}",
            row.name,
            figure(row.before),
            figure(row.now),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(before: impl Into<Option<f64>>, now: impl Into<Option<f64>>) -> Row {
        Row {
            name: "unmask-16k".to_owned(),
            before: before.into(),
            now: now.into(),
        }
    }

    #[test]
    fn three_percent_may_be_added_and_no_more() {
        for (before, at_most, too_many) in [
            (1000.0, 1030.0, 1031.0),
            (156.0, 160.6, 160.7),
            (70.0, 72.1, 72.2),
        ] {
            assert_eq!(row(before, at_most).verdict(), Verdict::Held, "{at_most}");
            assert_eq!(row(before, too_many).verdict(), Verdict::Rose, "{too_many}");
        }
        assert_eq!(row(1000.0, 1030.1).verdict(), Verdict::Rose);
        assert_eq!(row(1000.0, 1000.0).verdict(), Verdict::Held);
    }

    #[test]
    fn what_rose_fails_by_its_name() {
        let row = row(1000.0, 1031.0);
        assert!(!row.passes());
        assert_eq!(
            row.complaint().as_deref(),
            Some("unmask-16k rose by 3.1 %, from 1000.0 to 1031.0 instructions; 3 % are allowed")
        );
    }

    #[test]
    fn what_fell_passes_and_is_told() {
        assert_eq!(row(1000.0, 970.0).verdict(), Verdict::Held);
        let row = row(1000.0, 969.0);
        assert_eq!((row.verdict(), row.passes()), (Verdict::Fell, true));
        assert_eq!(row.complaint(), None);
    }

    #[test]
    fn scenarios_that_one_side_lacks_fail() {
        for (row, verdict) in [
            (row(None, 1000.0), Verdict::Unknown),
            (row(1000.0, None), Verdict::Missing),
        ] {
            assert_eq!((row.verdict(), row.passes()), (verdict, false));
            let complaint = row.complaint().unwrap_or_default();
            assert!(complaint.starts_with("unmask-16k "), "{complaint}");
        }
    }

    #[test]
    fn scenarios_of_both_sides_are_compared() {
        let counts = |names: &[&str]| -> Counts {
            names.iter().map(|name| ((*name).to_owned(), 1.0)).collect()
        };
        let rows = rows(&counts(&["b", "c"]), &counts(&["a", "b"]));
        let found: Vec<_> = rows
            .iter()
            .map(|row| (&row.name[..], row.verdict()))
            .collect();
        let expected = [
            ("a", Verdict::Unknown),
            ("b", Verdict::Held),
            ("c", Verdict::Missing),
        ];
        assert_eq!(found, expected);
    }
}
