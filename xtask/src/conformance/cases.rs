//! Which cases are run and what must come of them.

/// A section of the testsuite.
pub(super) struct Section {
    pub(super) number: u32,
    pub(super) title: &'static str,
    /// The patterns of the cases that a run takes by default, and how many those are.
    usual: (&'static [&'static str], usize),
    /// The patterns of all cases, and how many those are.
    full: (&'static [&'static str], usize),
}

const fn all(
    number: u32,
    title: &'static str,
    cases: &'static [&'static str],
    count: usize,
) -> Section {
    Section {
        number,
        title,
        usual: (cases, count),
        full: (cases, count),
    }
}

/// The sections that we pass. There are no 8 and 11.
pub(super) const SECTIONS: [Section; 9] = [
    all(1, "Framing", &["1.*"], 16),
    all(2, "Pings and pongs", &["2.*"], 11),
    all(3, "Reserved bits", &["3.*"], 7),
    all(4, "Opcodes", &["4.*"], 10),
    all(5, "Fragmentation", &["5.*"], 20),
    all(6, "UTF-8", &["6.*"], 145),
    all(7, "Closing", &["7.*"], 37),
    all(9, "Limits and performance", &["9.*"], 54),
    all(10, "Automatic fragmentation", &["10.*"], 1),
];

/// The cases that ask how a peer behaves where the RFC leaves it free: Autobahn never calls them OK.
const INFORMATIONAL: [&str; 3] = ["7.1.6", "7.13.1", "7.13.2"];

/// The cases of one run.
pub(super) struct Selection {
    pub(super) patterns: Vec<String>,
    /// How many cases that must be; unknown for patterns that someone typed.
    pub(super) count: Option<usize>,
}

/// Takes what was asked for, else the table.
pub(super) fn select(asked: &[String], full: bool) -> Selection {
    if !asked.is_empty() {
        return Selection {
            patterns: asked.to_vec(),
            count: None,
        };
    }
    let rows = SECTIONS
        .iter()
        .map(|section| if full { section.full } else { section.usual });
    Selection {
        patterns: rows
            .clone()
            .flat_map(|(patterns, _)| patterns.iter().map(ToString::to_string))
            .collect(),
        count: Some(rows.map(|(_, count)| count).sum()),
    }
}

/// What the testsuite found in one case.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Ok,
    Informational,
    /// Anything else is a defect of ours: NON-STRICT, FAILED, UNCLEAN, WRONG CODE, UNIMPLEMENTED, …
    Wrong,
}

/// Judges a case by what the peer did and by how it closed.
pub(super) fn judge(case: &str, behavior: &str, close: &str) -> Finding {
    match (behavior, close) {
        ("OK", "OK") => Finding::Ok,
        ("INFORMATIONAL" | "OK", "INFORMATIONAL" | "OK") if INFORMATIONAL.contains(&case) => {
            Finding::Informational
        }
        _ => Finding::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, judge, select};

    #[test]
    fn sections_one_to_ten_hold_301_cases() {
        assert_eq!(select(&[], false).count, Some(301));
    }

    #[test]
    fn a_case_is_ok_only_if_both_the_behaviour_and_the_close_are() {
        assert_eq!(judge("1.1.1", "OK", "OK"), Finding::Ok);
        assert_eq!(judge("1.1.1", "OK", "UNCLEAN"), Finding::Wrong);
        assert_eq!(judge("6.4.1", "NON-STRICT", "OK"), Finding::Wrong);
    }

    #[test]
    fn only_the_three_known_cases_may_be_informational() {
        assert_eq!(
            judge("7.1.6", "INFORMATIONAL", "INFORMATIONAL"),
            Finding::Informational
        );
        assert_eq!(
            judge("7.1.5", "INFORMATIONAL", "INFORMATIONAL"),
            Finding::Wrong
        );
    }
}
