//! `docs/limits.md` names every limit, and only tests that exist.

use std::fs;
use std::path::{Path, PathBuf};

/// Options that limit nothing.
const NO_LIMITS: [&str; 3] = ["nodelay", "last_words", "on_end"];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the workspace").to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    read("docs/limits.md")
}

/// What stands between backticks.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// The names that follow `before` and stand before `after`, in `text`.
fn names<'a>(text: &'a str, before: &str, after: char) -> Vec<&'a str> {
    let found = text.lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix(before)?.split_once(after)?;
        Some(name)
    });
    found.collect()
}

/// What stands in the braces of an item.
fn body<'a>(text: &'a str, item: &str) -> &'a str {
    let (_, rest) = text
        .split_once(&format!("{item} {{"))
        .unwrap_or_else(|| panic!("no {item}"));
    rest.split_once("\n}").expect("an end").0
}

#[track_caller]
fn are_there(names: &[&str], as_it_stands: impl Fn(&str) -> String) {
    assert!(!names.is_empty());
    let page = page();
    for name in names {
        let name = as_it_stands(name);
        assert!(quoted(&page).any(|quoted| quoted == name), "{name}");
    }
}

#[test]
fn every_test_that_it_names_exists() {
    let page = page();
    let mut count = 0;
    for (file, function) in quoted(&page).filter_map(|name| name.split_once(".rs::")) {
        let text = read(&format!("crates/{file}.rs"));
        let is_test = text.lines().any(|line| {
            let line = line.trim().trim_start_matches("async ");
            line.strip_prefix("fn ")
                .is_some_and(|rest| rest.starts_with(&format!("{function}()")))
        });
        assert!(is_test, "{file}.rs::{function}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn every_setting_of_a_connection_is_there() {
    let config = read("crates/telsiz-proto/src/config.rs");
    for part in ["Limits", "Keepalive"] {
        let fields = names(body(&config, &format!("struct {part}")), "pub ", ':');
        are_there(&fields, |field| format!("{part}::{field}"));
    }
    let whole = ["limits", "keepalive"];
    let mut fields = names(body(&config, "pub struct Config"), "pub ", ':');
    fields.retain(|field| !whole.contains(field));
    are_there(&fields, |field| format!("Config::{field}"));
}

#[test]
fn every_option_is_there() {
    let options = read("crates/telsiz/src/options.rs");
    let mut setters = names(body(&options, "impl Options"), "pub fn ", '(');
    setters.retain(|setter| !NO_LIMITS.contains(setter));
    are_there(&setters, |setter| format!("Options::{setter}"));
}

#[test]
fn every_limit_of_the_server_is_there_with_its_flag() {
    let flag = |name: &str| format!("--{}", name.replace('_', "-"));
    let limits = read("crates/telsiz-server/src/limits.rs");
    let mut fields = names(body(&limits, "struct Limits"), "pub(crate) ", ':');
    fields.retain(|field| *field != "heartbeat");
    are_there(&fields, flag);
    let heartbeat = read("crates/telsiz-server/src/heartbeat.rs");
    let mut fields = names(body(&heartbeat, "struct Heartbeat"), "pub(crate) ", ':');
    fields.retain(|field| *field != "json_ping");
    are_there(&fields, flag);
    let settings = read("crates/telsiz-server/src/config/settings.rs");
    let (_, section) = settings
        .split_once("section \"Limits\" {")
        .expect("a section");
    let (section, _) = section.split_once("\n    }\n").expect("an end");
    let lines = section
        .lines()
        .filter_map(|line| line.strip_prefix("        "));
    let mut keys: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    // The others are what is said of them.
    keys.retain(|(key, _)| {
        key.chars()
            .all(|letter| letter.is_ascii_lowercase() || letter == '_')
    });
    let keys: Vec<_> = keys.into_iter().map(|(key, _)| key).collect();
    are_there(&keys, flag);
}

#[test]
fn every_bound_of_the_handshake_is_there() {
    let handshake = read("crates/telsiz-proto/src/handshake/mod.rs");
    are_there(&names(&handshake, "pub const ", ':'), str::to_owned);
}
