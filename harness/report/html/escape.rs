//! Escapes text in the HTML report that comes from clients and servers.
//!
//! Askama escapes markup. Characters that are invisible, or that reorder the text around them, are shown as Rust
//! escapes (`\u{202e}`).

use std::fmt::{self, Write};

use askama::filters::{Escaper, Html};

/// Askama's HTML escaping, which additionally shows invisible characters as escapes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, hidden) in text.char_indices().filter(|(_, character)| is_hidden(*character)) {
            Html.write_escaped_str(&mut to, &text[plain..at])?;
            write!(to, "{}", hidden.escape_unicode())?;
            plain = at + hidden.len_utf8();
        }
        Html.write_escaped_str(&mut to, &text[plain..])
    }
}

/// Whether a character is a control character (except tab and newline), has no width, separates lines or paragraphs, or
/// changes the direction of the text after it.
///
/// *Source*: Unicode Standard Annex #9, section 2; the Trojan Source paper, CVE-2021-42574.
fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut to = String::new();
        Visible.write_escaped_str(&mut to, text).unwrap();
        to
    }

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escaped("<script>alert(\"1\" & '2')</script>"),
            "&#60;script&#62;alert(&#34;1&#34; &#38; &#39;2&#39;)&#60;/script&#62;"
        );
        assert_eq!(escaped("]]> --> </style>"), "]]&#62; --&#62; &#60;/style&#62;");
    }

    #[test]
    fn invisible_characters_are_shown() {
        assert_eq!(escaped("a\0b\u{1b}[31m\u{7f}\u{85}"), "a\\u{0}b\\u{1b}[31m\\u{7f}\\u{85}");
        assert_eq!(escaped("safe\u{202e}txt.exe\u{2066}\u{200f}"), "safe\\u{202e}txt.exe\\u{2066}\\u{200f}");
        assert_eq!(escaped("two\nlines\tπ שלום"), "two\nlines\tπ שלום");
    }
}
