//! All that the corpora hold, played again.

use std::fs;
use std::path::Path;

/// Plays every file of a corpus to its target; each is named before, so that a failure says which it was.
fn plays(name: &str) {
    let (_, target) = telsiz_fuzz::TARGETS
        .iter()
        .find(|(found, _)| *found == name)
        .expect("a target");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let file = entry.expect("an entry").path();
        println!("{}", file.display());
        target(&fs::read(&file).expect("a file"));
        count += 1;
    }
    assert!(count >= 10, "{count} files");
}

#[test]
fn every_target_has_a_corpus_that_is_played() {
    let names = telsiz_fuzz::TARGETS.map(|(name, _)| name);
    assert_eq!(
        names,
        [
            "differential",
            "extensions",
            "frames",
            "handshake",
            "inflate",
            "link",
            "pair"
        ]
    );
}

#[test]
fn differential() {
    plays("differential");
}

#[test]
fn extensions() {
    plays("extensions");
}

#[test]
fn frames() {
    plays("frames");
}

#[test]
fn handshake() {
    plays("handshake");
}

#[test]
fn inflate() {
    plays("inflate");
}

#[test]
fn link() {
    plays("link");
}

#[test]
fn pair() {
    plays("pair");
}
