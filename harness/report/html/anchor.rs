//! Anchors of the page: readable, and equal for equal reports, so links to a page stay valid.

use std::collections::BTreeSet;

/// Longest part of a name, in characters, because command lines have any length.
const LONGEST: usize = 60;

/// The anchors made from foreign names; each is unique.
///
/// The page's own anchors do not begin with `scenario-` and have no two dashes in sequence; neither has a word, so
/// the anchor of a run, which has two dashes, differs from all of them.
#[derive(Debug, Default)]
pub(super) struct Anchors {
    taken: BTreeSet<String>,
}

impl Anchors {
    /// The anchor of a scenario: `scenario-connection-reset`.
    pub fn scenario(&mut self, scenario: &str) -> String {
        self.take(format!("scenario-{}", word(scenario)))
    }

    /// The anchor of a client in a scenario: `connection-reset--reference`.
    pub fn run(&mut self, scenario: &str, client: &str) -> String {
        self.take(format!("{}--{}", word(scenario), word(client)))
    }

    /// Returns the name, with a number if it was taken before.
    fn take(&mut self, name: String) -> String {
        let mut anchor = name.clone();
        let mut number = 1;
        // The numbered name may be taken too: by a run of a scenario with that name.
        while !self.taken.insert(anchor.clone()) {
            number += 1;
            anchor = format!("{name}--{number}");
        }
        anchor
    }
}

/// A text as one word: letters and digits of ASCII, single dashes between them.
pub(super) fn word(text: &str) -> String {
    let mut word = String::new();
    for character in text.chars().map(|character| character.to_ascii_lowercase()) {
        if word.len() >= LONGEST {
            break;
        }
        match character.is_ascii_alphanumeric() {
            true => word.push(character),
            false if word.is_empty() || word.ends_with('-') => {}
            false => word.push('-'),
        }
    }
    match word.trim_end_matches('-') {
        "" => "unnamed".to_owned(),
        word => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_readable_and_unique() {
        let mut anchors = Anchors::default();
        assert_eq!(anchors.run("connection-reset", "reference"), "connection-reset--reference");
        assert_eq!(anchors.run("stall", "python3 'my client.py'"), "stall--python3-my-client-py");
        assert_eq!(anchors.run("stall", "python3 my/client.py"), "stall--python3-my-client-py--2");
        assert_eq!(anchors.run("\"><script>", "שלום"), "script--unnamed");
        assert_eq!(anchors.scenario("matrix"), "scenario-matrix");
        assert_eq!(anchors.scenario("Matrix!"), "scenario-matrix--2");
        assert_eq!(anchors.run("scenario-matrix", "2"), "scenario-matrix--2--2");
        assert!(anchors.run("x", &"long ".repeat(1000)).len() < 80);
    }
}
