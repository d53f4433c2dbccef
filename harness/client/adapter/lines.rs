//! A child's stdout as numbered lines of bounded length.
//!
//! Knows nothing of what the lines mean, only how to quote one to the person who has to mend it.

use std::mem;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Longer than any honest answer, and little enough to keep for every client of a run.
pub(super) const LINE_LIMIT: usize = 1 << 20;

/// How much of a line an error quotes: enough to recognise it, and it still fits a terminal.
const QUOTE_CHARS: usize = 200;

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1.
    pub number: u64,
    pub text: Vec<u8>,
    /// Whether `text` is all of it; the rest of a line over [`LINE_LIMIT`] is never read.
    pub whole: bool,
}

impl Line {
    /// What is wrong with it and what to do, for the author of the adapter.
    pub fn blame(&self, wrong: &str, remedy: &str) -> String {
        format!("stdout line {} {wrong}: {}; {remedy}", self.number, self.quote())
    }

    fn quote(&self) -> String {
        // A character is at most four bytes: no need to look at a whole mebibyte.
        let start = &self.text[..self.text.len().min(4 * QUOTE_CHARS + 4)];
        let text = String::from_utf8_lossy(start);
        let mut quoted: String = text
            .chars()
            .take(QUOTE_CHARS)
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
        if text.chars().nth(QUOTE_CHARS).is_some() || !self.whole {
            quoted.push('…');
        }
        format!("`{quoted}`")
    }
}

/// Reads lines without ever holding more than one of [`LINE_LIMIT`].
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// The line that has begun.
    begun: Vec<u8>,
    /// Lines handed out so far.
    count: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader: BufReader::new(reader), begun: Vec::new(), count: 0 }
    }

    /// The next line; `None` at the end, or where reading fails.
    ///
    /// A last line without its end is left out: whoever wrote it was killed half way. *Cancel safety*: nothing is lost.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            let available = self.reader.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
            let end = available.iter().position(|&byte| byte == b'\n');
            let taken = end.unwrap_or(available.len());
            self.begun.extend_from_slice(&available[..taken]);
            self.reader.consume(taken + usize::from(end.is_some()));
            let whole = self.begun.len() <= LINE_LIMIT;
            if end.is_some() || !whole {
                self.count += 1;
                return Some(Line { number: self.count, text: mem::take(&mut self.begun), whole });
            }
        }
    }

    /// What has come of a line that has no end yet.
    pub fn unfinished(&self) -> Option<Line> {
        let line = Line { number: self.count + 1, text: self.begun.clone(), whole: false };
        Some(line).filter(|line| !line.text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cuts_lines_and_leaves_out_one_without_an_end() {
        let mut lines = Lines::new(&b"one\n\ntwo\r\nthr"[..]);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await {
            read.push((line.number, String::from_utf8(line.text).unwrap()));
        }
        assert_eq!(read, [(1, "one".to_owned()), (2, String::new()), (3, "two\r".to_owned())]);
        assert_eq!(
            lines.unfinished().unwrap().blame("has no end", "end it"),
            "stdout line 4 has no end: `thr…`; end it"
        );
    }

    #[tokio::test]
    async fn a_line_that_never_ends_is_cut_off() {
        let line = Lines::new(tokio::io::repeat(b'x')).next().await.unwrap();
        assert!(!line.whole && line.text.len() < LINE_LIMIT + (1 << 16));
        assert_eq!(line.blame("is long", "cut it"), format!("stdout line 1 is long: `{}…`; cut it", "x".repeat(200)));
    }

    #[test]
    fn quotes_what_is_no_text() {
        let line = Line { number: 2, text: b"\x1b[31m\xff".to_vec(), whole: true };
        assert_eq!(line.blame("is odd", "mend it"), "stdout line 2 is odd: `\\u{1b}[31m\u{fffd}`; mend it");
    }
}
