//! The words by which tests know a machine that had too much to do are words of the harness: where one of them is worded
//! anew, such a run would no longer be asked again, and nothing else would tell.

use std::fs;
use std::path::Path;

use super::common::breath::REASONS;

/// All sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: &Path| match path.is_dir() {
        true => sources(path),
        false if path.extension().is_some_and(|ending| ending == "rs") => fs::read_to_string(path).unwrap(),
        false => String::new(),
    };
    entries.map(|path| text(&path)).collect()
}

#[test]
fn reasons_of_a_busy_machine_are_the_harness_own() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("harness"));
    let printed: Vec<_> = sources.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    for reason in REASONS {
        assert!(printed.iter().any(|line| line.contains(reason)), "{reason:?}: see tests/common/breath.rs");
    }
}
