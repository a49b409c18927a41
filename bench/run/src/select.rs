//! Which cells and servers run.

use load::{Cell, Work};

use crate::Error;
use crate::peer::{Mode, PEERS, Peer, reference};

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
    Cell::of(Work::Json, KIB, 100, 1),
    Cell::of(Work::Json, 16 * KIB, 100, 1),
    Cell::of(Work::Tls, KIB, 100, 1),
    Cell::of(Work::Open, 0, 32, 1),
];

/// What a run of fan-out measures.
pub(crate) fn fanout_cells(members: usize) -> [Cell; 2] {
    [1, 16].map(|in_flight| Cell::of(Work::Fanout, 128, members, in_flight))
}

/// The cells that match one of the patterns, or all if there is none. A pattern that is itself a cell is taken even
/// if a full run does not have it.
pub(crate) fn cells(patterns: &[String], all: &[Cell]) -> Result<Vec<Cell>, Error> {
    if patterns.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen = Vec::new();
    for pattern in patterns {
        let mut found: Vec<Cell> = match pattern.parse() {
            Ok(cell) => vec![cell],
            Err(_) => all
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

/// Whether a server is there whatever is chosen, because others are divided by it.
pub(crate) fn is_needed(peer: &Peer, cells: &[Cell]) -> bool {
    cells.iter().any(|cell| reference(*cell) == peer.name)
}

/// Every server in each mode that one of the cells needs.
pub(crate) fn servers(
    peers: &[&'static Peer],
    cells: &[Cell],
) -> impl Iterator<Item = (&'static Peer, Mode)> {
    [Mode::Plain, Mode::Deflate, Mode::Tls, Mode::Rooms]
        .into_iter()
        .flat_map(|mode| peers.iter().map(move |peer| (*peer, mode)))
        .filter(|(peer, mode)| cells.iter().any(|cell| peer.mode(cell.work) == Some(*mode)))
}

/// The servers that do the work of one of the cells and match one of the patterns, or all if there is none; those that
/// are needed always.
pub(crate) fn peers(patterns: &[String], cells: &[Cell]) -> Result<Vec<&'static Peer>, Error> {
    let able = || {
        let is_able = |peer: &&Peer| cells.iter().any(|cell| peer.mode(cell.work).is_some());
        PEERS.iter().filter(is_able)
    };
    if let Some(pattern) = patterns
        .iter()
        .find(|pattern| !able().any(|peer| matches(pattern, peer.name)))
    {
        let names: Vec<&str> = able().map(|peer| peer.name).collect();
        return Err(format!(
            "no server matches {pattern:?}; there are {}",
            names.join(", ")
        )
        .into());
    }
    let chosen = |peer: &&Peer| {
        patterns.is_empty()
            || is_needed(peer, cells)
            || patterns.iter().any(|pattern| matches(pattern, peer.name))
    };
    Ok(able().filter(chosen).collect())
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
        let cells = cells(&patterns, CELLS).expect("cells");
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
        assert_eq!(chosen(&["json-*"]), ["json-1024/100/1", "json-16384/100/1"]);
        assert!(cells(&["7/*".into()], CELLS).is_err());
    }

    #[test]
    fn what_others_are_divided_by_is_always_there() {
        let names = |cells: &[Cell]| -> Vec<&str> {
            let peers = peers(&["yawc".into()], cells).expect("peers");
            peers.iter().map(|peer| peer.name).collect()
        };
        assert_eq!(names(&[Cell::new(128, 1, 1)]), ["floor", "yawc"]);
        let json = Cell::of(Work::Json, 1024, 1, 1);
        assert_eq!(names(&[json]), ["telsiz", "yawc"]);
    }

    #[test]
    fn servers_are_started_for_what_the_cells_need() {
        let chosen: Vec<&Peer> = PEERS
            .iter()
            .filter(|peer| ["floor", "yawc"].contains(&peer.name))
            .collect();
        let started = |work| {
            let cells = [Cell::of(work, 1024, 1, 1)];
            let servers = servers(&chosen, &cells);
            servers
                .map(|(peer, mode)| (peer.name, mode))
                .collect::<Vec<_>>()
        };
        let (plain, deflate) = (Mode::Plain, Mode::Deflate);
        assert_eq!(started(Work::Echo), [("floor", plain), ("yawc", plain)]);
        assert_eq!(started(Work::Json), [("yawc", deflate)]);
        assert_eq!(started(Work::Tls), [("yawc", Mode::Tls)]);
        assert_eq!(started(Work::Open), [("floor", plain), ("yawc", deflate)]);
    }
}
