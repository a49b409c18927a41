//! Which cells and servers run.

use load::Cell;

use crate::Error;
use crate::peer::{PEERS, Peer};

const KIB: usize = 1024;

/// What a full run measures.
pub(crate) const CELLS: &[Cell] = &[
    Cell::new(128, 1, 1),
    Cell::new(128, 100, 1),
    Cell::new(128, 1000, 1),
    Cell::new(128, 1, 16),
    Cell::new(128, 100, 16),
    Cell::new(128, 1000, 16),
    Cell::new(KIB, 1, 1),
    Cell::new(KIB, 100, 1),
    Cell::new(KIB, 1000, 1),
    Cell::new(KIB, 1, 16),
    Cell::new(KIB, 100, 16),
    Cell::new(KIB, 1000, 16),
    Cell::new(16 * KIB, 100, 1),
    Cell::new(KIB * KIB, 8, 1),
];

/// The cells that match one of the patterns, or all if there is none. A pattern that is itself a cell is taken even
/// if a full run does not have it.
pub(crate) fn cells(patterns: &[String]) -> Result<Vec<Cell>, Error> {
    if patterns.is_empty() {
        return Ok(CELLS.to_vec());
    }
    let mut chosen = Vec::new();
    for pattern in patterns {
        let mut found: Vec<Cell> = match pattern.parse() {
            Ok(cell) => vec![cell],
            Err(_) => CELLS
                .iter()
                .filter(|cell| matches(pattern, &cell.to_string()))
                .copied()
                .collect(),
        };
        if found.is_empty() {
            return Err(format!("no cell matches {pattern:?}").into());
        }
        found.retain(|cell| !chosen.contains(cell));
        chosen.extend(found);
    }
    Ok(chosen)
}

/// The servers that match one of the patterns, or all if there is none; the floor always.
pub(crate) fn peers(patterns: &[String]) -> Result<Vec<&'static Peer>, Error> {
    if let Some(pattern) = patterns
        .iter()
        .find(|pattern| !PEERS.iter().any(|peer| matches(pattern, peer.name)))
    {
        let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        return Err(format!(
            "no server matches {pattern:?}; there are {}",
            names.join(", ")
        )
        .into());
    }
    let chosen = |peer: &&Peer| {
        patterns.is_empty()
            || peer.is_floor()
            || patterns.iter().any(|pattern| matches(pattern, peer.name))
    };
    Ok(PEERS.iter().filter(chosen).collect())
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let cells = cells(&patterns).expect("cells");
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("*b*", "abc"), ("a*", "a")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("", "a"),
            ("a", "ab"),
            ("a*c", "ab"),
            ("telsiz", "telsiz-recv"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn cells_are_chosen_once_and_may_be_new() {
        assert_eq!(chosen(&[]).len(), CELLS.len());
        assert_eq!(
            chosen(&["128/*/16", "128/100/16", "20/3/4"]),
            ["128/1/16", "128/100/16", "128/1000/16", "20/3/4"]
        );
        assert!(cells(&["7/*".into()]).is_err());
    }

    #[test]
    fn the_floor_is_always_there() {
        let peers = peers(&["yawc".into()]).expect("peers");
        let names: Vec<&str> = peers.iter().map(|peer| peer.name).collect();
        assert_eq!(names, ["floor", "yawc"]);
    }
}
