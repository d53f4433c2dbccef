//! Errors of scenario files: place, line, column, the line itself, and a remedy.
//!
//! Everything shown may come from a file of another author, so control characters are replaced and long lines
//! cut: an error never writes to the terminal more than it says.

use std::fmt;
use std::ops::Range;

/// Longest message or hint, in characters: the longest list of keys fits, a pasted file does not.
const LONGEST: usize = 400;

/// Longest part of a line that is shown, in characters: a terminal's width.
const WIDEST: usize = 100;

/// Why a scenario cannot be read.
///
/// *Shape*: displayed as `place:line:column: message`, the line with a caret, and `hint: …`. For an error of the whole
/// file (missing, too long), `line` and `column` are 0 and `snippet` is empty.
///
/// *Units*: lines and columns count from 1, columns in characters.
#[derive(Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file, or the requested name.
    pub place: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
    /// The remedy.
    pub hint: String,
    /// The line and, under it, carets.
    pub snippet: String,
}

impl ScenarioError {
    /// Creates an error of a file as a whole.
    pub(super) fn whole(place: &str, message: impl Into<String>, hint: impl Into<String>) -> ScenarioError {
        ScenarioError {
            place: place.to_owned(),
            line: 0,
            column: 0,
            message: shown(&message.into()),
            hint: shown(&hint.into()),
            snippet: String::new(),
        }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => writeln!(f, "{}: {}", self.place, self.message)?,
            line => writeln!(f, "{}:{line}:{}: {}\n{}", self.place, self.column, self.message, self.snippet)?,
        }
        write!(f, "hint: {}", self.hint)
    }
}

/// The text for users, because `unwrap` in a test prints this form.
impl fmt::Debug for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ScenarioError {}

/// A scenario's text and its source: converts byte ranges to errors with line and column.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub place: &'a str,
    pub text: &'a str,
}

impl Text<'_> {
    /// Creates an error of one part of the text.
    ///
    /// *Units*: `span` in bytes; a range outside the text, or within a character, is moved to the nearest valid one.
    pub fn error(self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> ScenarioError {
        let start = self.boundary(span.start);
        let end = self.boundary(span.end).max(start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |length| start + length);
        // A byte order mark is invisible, so that an editor does not count it as a column.
        let before = self.text[line_start..start].trim_start_matches('\u{feff}').chars().count();
        let width = self.text[start..end.min(line_end)].trim_end().chars().count().max(1);
        let line = self.text[line_start..line_end].trim_start_matches('\u{feff}').trim_end();
        ScenarioError {
            line: self.line(start),
            column: before + 1,
            snippet: snippet(line, before, width),
            ..ScenarioError::whole(self.place, message, hint)
        }
    }

    /// Returns the number of the line that contains a byte.
    pub fn line(self, byte: usize) -> usize {
        self.text[..self.boundary(byte)].matches('\n').count() + 1
    }

    fn boundary(self, byte: usize) -> usize {
        (0..=byte.min(self.text.len())).rev().find(|byte| self.text.is_char_boundary(*byte)).unwrap_or(0)
    }
}

/// Returns the line with carets under `width` characters from `before`; of a long line, only the part around them.
fn snippet(line: &str, before: usize, width: usize) -> String {
    let skipped = if before + width <= WIDEST { 0 } else { before.saturating_sub(WIDEST / 4) };
    let part: String = line.chars().skip(skipped).take(WIDEST).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let indent = before - skipped;
    // At least one caret, also behind the end of the line, if something is missing there.
    let carets = width.min(WIDEST.saturating_sub(indent).max(1));
    format!("  {}\n  {}{}", shown(&part), " ".repeat(indent), "^".repeat(carets))
}

/// Quotes text of a file, cut to the length of a message.
pub(super) fn quoted(text: &str) -> String {
    let mut start: String = text.chars().take(60).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

/// Returns one line without control characters, cut to [`LONGEST`] characters.
fn shown(text: &str) -> String {
    let mut letters = text.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    let mut line: String = letters.by_ref().take(LONGEST).collect();
    if letters.next().is_some() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = Text { place: "a.toml", text: "title = 1\n# é\nkäse = \"ü\"\r\n" };
        let start = text.text.find("\"ü").unwrap();
        let error = text.error(start..start + 4, "message", "hint");
        assert_eq!(error.to_string(), "a.toml:3:8: message\n  käse = \"ü\"\n         ^^^\nhint: hint");
    }

    #[test]
    fn any_range_is_safe() {
        for text in ["", "\n", "é\n", "\u{feff}é", &"é".repeat(1000)] {
            let text = Text { place: "a", text };
            for span in [0..0, 1..2, 1..1, 0..usize::MAX, Range { start: 9, end: 1 }, 700..702, 1999..2000] {
                assert!(text.error(span, "message", "hint").column > 0);
            }
        }
    }

    #[test]
    fn a_hostile_file_cannot_command_the_terminal() {
        let text = Text { place: "a", text: "\u{1b}[2J\t= 1" };
        let error = text.error(0..4, "bad \u{1b}[2J", "x".repeat(9999)).to_string();
        assert!(!error.contains('\u{1b}') && error.chars().count() < 500, "{error:?}");
    }
}
