//! Recorded conversations, and some hostile ones: `corpus/*.txt`.
//!
//! A line `>` holds bytes that the client sent at once, in hexadecimal digits, `<` bytes of the server; `=` holds a
//! note or, with an `@`, a point. The notes do not depend on the pieces in which the bytes arrive.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::conversation::{lengths, slice};
use super::*;

/// A file's name, its conversation, and its text.
type Recorded = (PathBuf, Vec<Said>, String);

fn corpus() -> Vec<Recorded> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("harness/gateway/framing/corpus");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let recorded = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let said = text.lines().filter_map(piece).collect();
        (path, said, text)
    };
    files.map(recorded).collect()
}

fn piece(line: &str) -> Option<Said> {
    let (mark, digits) = line.split_once(' ')?;
    let bytes = || -> Vec<u8> {
        let pairs = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]);
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    };
    match mark {
        ">" => Some(up(bytes())),
        "<" => Some(down(bytes())),
        _ => None,
    }
}

/// Returns a file's text with the notes that a session makes now.
fn annotated(text: &str) -> String {
    let (mut annotated, mut said, mut seen) = (String::new(), Vec::new(), 0);
    for line in text.lines().filter(|line| !line.starts_with('=')) {
        annotated += &format!("{line}\n");
        said.extend(piece(line));
        let lines = play(&said, Witness::default()).lines;
        annotated.extend(lines[seen..].iter().map(|line| format!("= {line}\n")));
        seen = lines.len();
    }
    annotated
}

fn expected(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("= ")).collect()
}

#[test]
fn recorded_conversations_yield_their_notes() {
    let corpus = corpus();
    assert!(corpus.len() >= 26, "{} files", corpus.len());
    for (path, said, text) in corpus {
        assert_eq!(annotated(&text), text, "{}", path.display());
        assert_eq!(see(&said).lines, expected(&text), "{}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn recorded_conversations_yield_the_same_in_any_pieces(lengths in lengths()) {
        for (path, said, text) in corpus() {
            let outcome = play(&slice(&said, &lengths), Witness::default());
            prop_assert_eq!(outcome.lines, expected(&text), "{}", path.display());
        }
    }

    #[test]
    fn a_recorded_conversation_survives_every_strike(
        lengths in lengths(),
        point in prop::sample::select(Point::ALL.map(|(_, point)| point).to_vec()),
        nth in 0..3_usize,
        how in prop::sample::select(Strike::ALL.map(|(_, strike)| strike).to_vec()),
    ) {
        for (path, said, text) in corpus() {
            let outcome = strike(&slice(&said, &lengths), point, nth, how);
            let line = format!("@{}", word(point));
            let comes = expected(&text).iter().filter(|known| ***known == line).count() > nth;
            if how != Strike::Drop {
                prop_assert_eq!(outcome.strikes.len(), usize::from(comes), "{}", path.display());
            }
        }
    }
}
