//! What an image is made of is all that the build needs.

use std::fs;
use std::path::Path;

#[test]
fn no_member_of_the_workspace_is_left_out() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name| fs::read_to_string(root.join(name)).expect(name);
    let (manifest, ignore) = (read("Cargo.toml"), read(".containerignore"));
    let (_, members) = manifest.split_once("members = [").expect("members");
    let (members, _) = members.split_once(']').expect("their end");
    let folders: Vec<_> = members
        .split(',')
        .map(|member| member.trim().trim_matches('"').trim_end_matches("/*"))
        .chain([".cargo", "Cargo.lock", "Cargo.toml"])
        .collect();
    assert!(folders.contains(&"crates"), "{folders:?}");
    for folder in folders {
        let is_let_in = ignore.lines().any(|line| line == format!("!{folder}"));
        assert!(is_let_in, "{folder}");
    }
}
