//! That no future of this crate is left out, read from its source.

use std::fs;
use std::path::{Path, PathBuf};

use super::NAMES;

/// What opens connections is given up in a file of its own, in these tests.
const OPENINGS: &str = "tests/openings_that_are_given_up.rs";
const OPENING: &[(&str, &str)] = &[
    ("Connect::over", "connect_over"),
    ("Connect as IntoFuture::into_future", "connect"),
    ("Serve as IntoFuture::into_future", "serve"),
    ("Upgrade::accept", "accept"),
    ("Upgrade::accept_and_close", "accept_and_close"),
    ("Upgrade::refuse", "refuse"),
];

/// Not futures: what a sink does at once, and how a future is made.
const AT_ONCE: &[&str] = &["WebSocket as Sink::start_send"];

/// A public future as it stands in the source.
struct Found {
    name: String,
    /// Whether its documentation says what becomes of it when it is dropped;
    /// methods of traits are documented there.
    is_documented: bool,
}

/// What of the public types of this crate is or gives a future.
fn futures() -> Vec<Found> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let public = fs::read_to_string(root.join("lib.rs")).expect("the root of the crate");
    let public: String = public
        .lines()
        .filter(|line| line.starts_with("pub use self::"))
        .collect();
    let is_public = |name: &str| {
        let mut words = public.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word == name)
    };
    let mut found = Vec::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).expect("a source");
        let (mut place, mut is_trait, mut docs) = (String::new(), false, String::new());
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if line.starts_with("#[cfg(test)]") {
                break;
            }
            if line.starts_with("impl") || line.starts_with('}') {
                (place, is_trait) = subject(line);
            }
            let code = line.trim_start();
            if code.starts_with("///") {
                docs.push_str(code);
                continue;
            }
            // The rest of a signature stands on the lines up to its body.
            let mut signature = code.to_owned();
            while code.contains("fn ") && !signature.ends_with(['{', ';']) {
                let Some(more) = lines.next() else { break };
                signature += more.trim_start();
            }
            let subject = place.split(' ').next().unwrap_or_default();
            let gives = signature.starts_with("pub async fn ")
                || signature.starts_with("pub fn ")
                    && signature.contains("Future<Output")
                    && signature.contains("-> impl")
                || is_trait && signature.starts_with("fn ");
            if gives && (is_public(subject) || subject.is_empty() && !line.starts_with(' ')) {
                let name = signature.split("fn ").nth(1).unwrap_or_default();
                let name = name.split(['(', '<']).next().unwrap_or_default();
                found.push(Found {
                    name: format!("{place}::{name}"),
                    is_documented: is_trait || docs.contains("# Cancel safety"),
                });
            }
            if !code.starts_with("#[") {
                docs.clear();
            }
        }
    }
    found
}

/// What an `impl` is about, and whether it is of a trait of futures.
fn subject(line: &str) -> (String, bool) {
    const TRAITS: [&str; 4] = ["Future", "IntoFuture", "Sink", "Stream"];
    let head = line.trim_end_matches(['{', ' ']);
    let bare = |name: &str| name.split('<').next().unwrap_or_default().to_owned();
    match head.split_once(" for ") {
        Some((left, right)) => {
            let of = TRAITS.iter().find(|of| {
                let mut words = left.split(|c: char| !c.is_alphanumeric());
                words.any(|word| word == **of)
            });
            match of {
                Some(of) => (format!("{} as {of}", bare(right)), true),
                None => (String::from("-"), false),
            }
        }
        None if head.starts_with("impl") => {
            let name = head.rsplit_once("> ").map_or(head, |(_, name)| name);
            (bare(name.trim_start_matches("impl ")), false)
        }
        None => (String::new(), false),
    }
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(sources(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

#[test]
fn every_public_future_is_given_up_somewhere() {
    let openings = Path::new(env!("CARGO_MANIFEST_DIR")).join(OPENINGS);
    let openings = fs::read_to_string(openings).expect("the tests of openings");
    for (name, test) in OPENING {
        let test = format!("async fn {test}(");
        assert!(openings.contains(&test), "{name}: no {test} in {OPENINGS}");
    }
    let mut known: Vec<_> = OPENING.iter().map(|(name, _)| *name).collect();
    known.extend(NAMES.iter().chain(AT_ONCE));
    known.sort_unstable();
    let found = futures();
    let mut names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn every_public_future_says_what_becomes_of_it_when_it_is_dropped() {
    for found in futures() {
        assert!(found.is_documented, "# Cancel safety of {}", found.name);
    }
}
