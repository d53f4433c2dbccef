//! The SQL tokenizer: words, numbers, strings and signs.

use std::borrow::Cow;

use super::super::report::Report;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'a> {
    /// A keyword or a name, as written.
    Word(&'a str),
    /// A quoted name.
    Quoted(Cow<'a, str>),
    Number(&'a str),
    Text(Cow<'a, str>),
    /// `$n`, from 1.
    Parameter(usize),
    Cast,
    Sign(u8),
}

/// A token with its position in the text. *Units*: bytes.
#[derive(Clone, Debug)]
pub(super) struct Placed<'a> {
    pub token: Token<'a>,
    pub start: usize,
    pub end: usize,
}

/// Splits a text into tokens, without whitespace and comments.
///
/// *Errors*: 42601 for an unterminated string, quoted name or comment.
pub(super) fn tokens(sql: &str) -> Result<Vec<Placed<'_>>, Report> {
    let bytes = sql.as_bytes();
    let mut found = Vec::with_capacity(24);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let next = bytes.get(at + 1).copied();
        let token = match byte {
            _ if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            b'-' if next == Some(b'-') => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            b'/' if next == Some(b'*') => {
                at = comment_end(bytes, at).ok_or_else(|| unterminated("/* comment", &sql[start..]))?;
                continue;
            }
            b'\'' => {
                let (text, end) = quoted(sql, at, b'\'').ok_or_else(|| unterminated("quoted string", &sql[start..]))?;
                at = end;
                Token::Text(text)
            }
            b'"' => {
                let (text, end) =
                    quoted(sql, at, b'"').ok_or_else(|| unterminated("quoted identifier", &sql[start..]))?;
                at = end;
                Token::Quoted(text)
            }
            b'$' if next.is_some_and(|next| next.is_ascii_digit()) => {
                at = end_of(bytes, at + 1, |byte| byte.is_ascii_digit());
                // A number that overflows becomes one that is never a valid parameter.
                Token::Parameter(sql[start + 1..at].parse().unwrap_or(usize::MAX))
            }
            b'0'..=b'9' => {
                at = end_of(bytes, at, |byte| byte.is_ascii_digit() || byte == b'.');
                Token::Number(&sql[start..at])
            }
            b':' if next == Some(b':') => {
                at += 2;
                Token::Cast
            }
            _ if byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80 => {
                let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80;
                at = end_of(bytes, at, is_part);
                Token::Word(&sql[start..at])
            }
            _ => {
                at += 1;
                Token::Sign(byte)
            }
        };
        found.push(Placed { token, start, end: at });
    }
    Ok(found)
}

fn end_of(bytes: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |length| from + length)
}

/// The end of a comment; comments nest.
fn comment_end(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut depth, mut at) = (0, from);
    loop {
        match bytes.get(at..at + 2)? {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return Some(at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
}

/// The text between two quotes, and the position after them; a doubled quote stands for one.
fn quoted(sql: &str, from: usize, quote: u8) -> Option<(Cow<'_, str>, usize)> {
    let bytes = sql.as_bytes();
    let (mut at, mut doubled) = (from + 1, false);
    loop {
        at += bytes[at..].iter().position(|byte| *byte == quote)?;
        if bytes.get(at + 1) != Some(&quote) {
            break;
        }
        (at, doubled) = (at + 2, true);
    }
    let inside = &sql[from + 1..at];
    let quote = char::from(quote);
    let text = match doubled {
        true => Cow::Owned(inside.replace(&format!("{quote}{quote}"), &quote.to_string())),
        false => Cow::Borrowed(inside),
    };
    Some((text, at + 1))
}

fn unterminated(what: &str, near: &str) -> Report {
    Report::error("42601", format!("unterminated {what} at or near \"{near}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sql: &str) -> Vec<Token<'_>> {
        tokens(sql).unwrap().into_iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn comments_and_quotes_are_seen_for_what_they_are() {
        let found = all("a -- b ' c\n/* d /* e */ */ 'it''s' \"x\"\"y\" $12::int8;-3.5");
        let expected = vec![
            Token::Word("a"),
            Token::Text("it's".into()),
            Token::Quoted("x\"y".into()),
            Token::Parameter(12),
            Token::Cast,
            Token::Word("int8"),
            Token::Sign(b';'),
            Token::Sign(b'-'),
            Token::Number("3.5"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_has_no_end_is_an_error() {
        for sql in ["'abc", "\"abc", "/* abc", "/* /* */", "'", "'a''"] {
            assert_eq!(tokens(sql).unwrap_err().code, "42601", "{sql}");
        }
    }
}
