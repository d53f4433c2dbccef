//! Tests the wording: words that comments, strings and documents must not use, because plainer words name the thing.

use std::fs;

use super::source::{Piece, below, pieces, root};

/// Words to avoid, each list with what to write instead: persons for things, passives without an agent, archaisms.
const AVOIDED: &[(&[&str], &str)] = &[
    (&["whoever", "whatever", "whence", "nobody", "somebody", "anybody", "everybody"], "name the thing"),
    (&["comes to", "come to", "came to"], "is, results in, reaches"),
    (&["is told", "are told", "was told", "were told", "be told", "been told"], "say who reports what, or receives it"),
    (&["is asked", "are asked", "was asked", "were asked", "be asked", "been asked"], "runs, sends, requests"),
    (&["is output", "are output", "was output", "be output"], "say who reports it"),
    (&["of ours", "has it done", "what there is of it"], "name the thing"),
    (&["he", "his", "him"], "they, their, or the user"),
];

/// Texts that are allowed, because a format or Unix defines them: a stored evidence text, a word for a host in
/// scenario files, and a Unix user.
const QUOTED: &[&str] = &["commits that nobody confirmed", "\"nobody\"", "primary, nobody, standby", r#"\"nobody\""#];

/// Finds the avoided words of a text, with their advice.
fn avoided(text: &str) -> Vec<(&'static str, &'static str)> {
    let plain: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '_' || c == '-' { c.to_ascii_lowercase() } else { ' ' })
        .collect();
    let plain = format!(" {} ", plain.split_whitespace().collect::<Vec<_>>().join(" "));
    let words = AVOIDED.iter().flat_map(|(words, advice)| words.iter().map(move |word| (*word, *advice)));
    words.filter(|(word, _)| plain.contains(&format!(" {word} "))).collect()
}

#[test]
fn avoided_words_are_absent() {
    let mut found = Vec::new();
    let mut look = |path: &str, line: usize, text: &str| {
        if !QUOTED.iter().any(|quoted| text.contains(quoted)) {
            found.extend(avoided(text).into_iter().map(|(word, advice)| format!("{path}:{line}: {word:?}: {advice}")));
        }
    };
    for folder in ["harness", "tests", "benches"] {
        for path in below(folder, &["rs"]).iter().filter(|path| !path.ends_with("architecture/words.rs")) {
            let text = fs::read_to_string(root().join(path)).unwrap();
            let mut comment = String::new();
            for (line, piece) in pieces(&text) {
                match piece {
                    // Joins the lines of a comment, because an expression may continue on the next line.
                    Piece::Comment(part) => comment += &format!(" {}", part.trim_start_matches(['/', '!'])),
                    Piece::Text(text) => look(path, line, text),
                    Piece::Code(code) if code.trim().is_empty() => {}
                    Piece::Code(_) => look(path, line, &std::mem::take(&mut comment)),
                }
            }
            // A file may end with a comment.
            look(path, text.lines().count(), &comment);
        }
    }
    let documents = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(str::to_owned);
    let others = ["harness", "scenarios", "ci"].into_iter().flat_map(|folder| below(folder, &["md", "toml", "html"]));
    for path in documents.into_iter().chain(others) {
        for (number, text) in fs::read_to_string(root().join(&path)).unwrap().lines().enumerate() {
            look(&path, number + 1, text);
        }
    }
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn avoided_words_are_found() {
    let words = |text| avoided(text).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
    assert_eq!(words("Whoever asks, nobody answers."), ["whoever", "nobody"]);
    assert_eq!(words("what it\n comes   to"), ["comes to"]);
    assert!(words("The shell, history and whatever-else have none; `this` neither.").is_empty());
}
