//! The known name that an unknown one is nearest to.

use strsim::{damerau_levenshtein, normalized_damerau_levenshtein};

/// Letters that a slip of the hand gets wrong.
const SLIP: usize = 2;

/// The one of `known` that is nearest to `unknown`.
pub(super) fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    let known = known.into_iter();
    let nearness = |known: &&str| normalized_damerau_levenshtein(known, unknown);
    let nearest = known.max_by(|one, other| nearness(one).total_cmp(&nearness(other)));
    nearest.unwrap_or_default()
}

/// Whether who wrote `unknown` most likely meant `known`.
pub(super) fn is_slip(unknown: &str, known: &str) -> bool {
    let shorter = unknown.len().min(known.len());
    damerau_levenshtein(unknown, known) <= SLIP.min(shorter / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_has_the_largest_part_in_common() {
        let known = ["listen", "lang", "log", "max_message_size", "max_fragments"];
        for (unknown, expected) in [
            ("lsten", "listen"),
            ("langauge", "lang"),
            ("max_mesage_size", "max_message_size"),
            ("max_size", "max_message_size"),
            ("logs", "log"),
        ] {
            assert_eq!(nearest(unknown, known), expected, "{unknown}");
        }
    }

    #[test]
    fn a_slip_changes_two_letters_at_most_and_not_most_of_them() {
        for (unknown, known, expected) in [
            ("lsiten", "listen", true),
            ("listenn", "listen", true),
            ("lissenn", "listen", true),
            ("lizzenn", "listen", false),
            ("log", "lang", false),
            ("logs", "log", true),
            ("service_host", "listen", false),
        ] {
            assert_eq!(is_slip(unknown, known), expected, "{unknown}");
        }
    }
}
