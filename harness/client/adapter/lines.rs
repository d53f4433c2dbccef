//! A child's stdout as numbered lines of bounded length.
//!
//! Does not know what the lines mean; quotes them in errors for the adapter's author.

use std::mem;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The maximum length of a line, in bytes: longer than any correct answer, and small enough to keep for every client of
/// a run.
pub(super) const LINE_LIMIT: usize = 1 << 20;

/// Characters of a line that an error quotes: enough to recognise it, and it fits a terminal.
const QUOTE_CHARS: usize = 200;

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1.
    pub number: u64,
    pub text: Vec<u8>,
    /// Whether `text` is the complete line. The rest of a line over [`LINE_LIMIT`] would be read as the next line.
    pub whole: bool,
}

impl Line {
    /// An error for the adapter's author: what is wrong with this line, and how to fix it.
    pub fn protocol_error(&self, wrong: &str, remedy: &str) -> String {
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

/// Reads lines, and holds at most [`LINE_LIMIT`] bytes and one buffer.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// The line read so far.
    partial: Vec<u8>,
    /// Lines returned so far.
    count: u64,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader: BufReader::new(reader), partial: Vec::new(), count: 0 }
    }

    /// The next line; `None` at the end, or if reading fails.
    ///
    /// A last line without a newline is dropped, because the process may have been killed while writing it.
    ///
    /// *Cancel safety*: no byte is lost.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            let available = self.reader.fill_buf().await.ok().filter(|bytes| !bytes.is_empty())?;
            let end = available.iter().position(|&byte| byte == b'\n');
            let taken = end.unwrap_or(available.len());
            self.partial.extend_from_slice(&available[..taken]);
            self.reader.consume(taken + usize::from(end.is_some()));
            let whole = self.partial.len() <= LINE_LIMIT;
            if end.is_some() || !whole {
                self.count += 1;
                return Some(Line { number: self.count, text: mem::take(&mut self.partial), whole });
            }
        }
    }

    /// The part of a line that has no newline yet.
    pub fn unfinished(&self) -> Option<Line> {
        let line = Line { number: self.count + 1, text: self.partial.clone(), whole: false };
        Some(line).filter(|line| !line.text.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn splits_lines_and_drops_an_unfinished_one() {
        let mut lines = Lines::new(&b"one\n\ntwo\r\nthr"[..]);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await {
            read.push((line.number, String::from_utf8(line.text).unwrap()));
        }
        assert_eq!(read, [(1, "one".to_owned()), (2, String::new()), (3, "two\r".to_owned())]);
        assert_eq!(
            lines.unfinished().unwrap().protocol_error("has no end", "end it"),
            "stdout line 4 has no end: `thr…`; end it"
        );
    }

    #[tokio::test]
    async fn endless_line_is_cut_off() {
        let line = Lines::new(tokio::io::repeat(b'x')).next().await.unwrap();
        assert!(!line.whole && line.text.len() < LINE_LIMIT + (1 << 16));
        assert_eq!(
            line.protocol_error("is long", "cut it"),
            format!("stdout line 1 is long: `{}…`; cut it", "x".repeat(200))
        );
    }

    #[test]
    fn quotes_bytes_that_are_not_text() {
        let line = Line { number: 2, text: b"\x1b[31m\xff".to_vec(), whole: true };
        assert_eq!(line.protocol_error("is odd", "mend it"), "stdout line 2 is odd: `\\u{1b}[31m\u{fffd}`; mend it");
    }
}
