//! Tests detect an overloaded machine by texts that the harness prints. If one of these were reworded, tests would no
//! longer repeat such runs, and no other test would fail.

use std::fs;
use std::path::Path;

use super::common::busy_machine::REASONS;

/// Reads all sources below a folder as one text.
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
fn busy_machine_reasons_are_texts_of_the_harness() {
    let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("harness"));
    let printed: Vec<_> = sources.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    for reason in REASONS {
        assert!(printed.iter().any(|line| line.contains(reason)), "{reason:?}: see tests/common/busy_machine.rs");
    }
}
