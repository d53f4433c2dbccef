//! Report formats, and the option that selects one: `junit=results.xml`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// One format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Html,
    Junit,
    Json,
    Markdown,
}

impl Format {
    /// All formats with their words.
    pub const ALL: [(&str, Format); 4] =
        [("html", Format::Html), ("junit", Format::Junit), ("json", Format::Json), ("markdown", Format::Markdown)];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Format::ALL.iter().find(|(_, format)| format == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// A format, and the file to write it to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub format: Format,
    pub file: PathBuf,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Wanted, String> {
        let words = || Format::ALL.map(|(word, _)| word).join(", ");
        let Some((word, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
            return Err(format!("no file in {text:?}: write FORMAT=FILE, as in junit=results.xml ({})", words()));
        };
        match Format::ALL.iter().find(|(known, _)| *known == word) {
            Some((_, format)) => Ok(Wanted { format: *format, file: file.into() }),
            None => Err(format!("unknown format {word:?}: write one of {}", words())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_option_needs_a_format_and_a_file() {
        let wanted = Wanted { format: Format::Junit, file: "a=b.xml".into() };
        assert_eq!("junit=a=b.xml".parse(), Ok(wanted));
        assert!("junit".parse::<Wanted>().unwrap_err().contains("junit=results.xml"));
        assert!("pdf=x".parse::<Wanted>().unwrap_err().contains("html, junit, json, markdown"));
    }
}
