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
pub(super) const SECTIONS: [Section; 11] = [
    all(1, "Framing", &["1.*"], 16),
    all(2, "Pings and pongs", &["2.*"], 11),
    all(3, "Reserved bits", &["3.*"], 7),
    all(4, "Opcodes", &["4.*"], 10),
    all(5, "Fragmentation", &["5.*"], 20),
    all(6, "UTF-8", &["6.*"], 145),
    all(7, "Closing", &["7.*"], 37),
    all(9, "Limits and performance", &["9.*"], 54),
    all(10, "Automatic fragmentation", &["10.*"], 1),
    Section {
        number: 12,
        title: "Compression",
        usual: (&SAMPLE_OF_12, SAMPLE_OF_12.len()),
        full: (&["12.*"], 90),
    },
    Section {
        number: 13,
        title: "Compression, with parameters",
        usual: (&SAMPLE_OF_13, SAMPLE_OF_13.len()),
        full: (&["13.*"], 126),
    },
];

/// Every kind of content with six sizes, and 128 KiB in pieces: all of it takes ten minutes a role.
#[rustfmt::skip]
const SAMPLE_OF_12: [&str; 32] = [
    "12.1.1", "12.1.2", "12.1.3", "12.1.4", "12.1.5", "12.1.11",
    "12.2.1", "12.2.2", "12.2.3", "12.2.4", "12.2.5", "12.2.11",
    "12.3.1", "12.3.2", "12.3.3", "12.3.4", "12.3.5", "12.3.11",
    "12.4.1", "12.4.2", "12.4.3", "12.4.4", "12.4.5", "12.4.11",
    "12.5.1", "12.5.2", "12.5.3", "12.5.4", "12.5.5", "12.5.11",
    "12.1.10", "12.1.18",
];

/// Every set of parameters, likewise.
#[rustfmt::skip]
const SAMPLE_OF_13: [&str; 44] = [
    "13.1.1", "13.1.2", "13.1.3", "13.1.4", "13.1.5", "13.1.11",
    "13.2.1", "13.2.2", "13.2.3", "13.2.4", "13.2.5", "13.2.11",
    "13.3.1", "13.3.2", "13.3.3", "13.3.4", "13.3.5", "13.3.11",
    "13.4.1", "13.4.2", "13.4.3", "13.4.4", "13.4.5", "13.4.11",
    "13.5.1", "13.5.2", "13.5.3", "13.5.4", "13.5.5", "13.5.11",
    "13.6.1", "13.6.2", "13.6.3", "13.6.4", "13.6.5", "13.6.11",
    "13.7.1", "13.7.2", "13.7.3", "13.7.4", "13.7.5", "13.7.11",
    "13.3.10", "13.5.18",
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
    fn a_usual_run_has_377_cases_and_a_full_one_517() {
        assert_eq!(select(&[], false).count, Some(377));
        assert_eq!(select(&[], true).count, Some(517));
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
