//! The formats in which a report can be had, and how they are asked for: `junit=results.xml`.

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
    /// Each, by the word that stands for it.
    pub const ALL: [(&str, Format); 4] =
        [("html", Format::Html), ("junit", Format::Junit), ("json", Format::Json), ("markdown", Format::Markdown)];
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Format::ALL.iter().find(|(_, format)| format == self).map_or("", |(word, _)| word);
        f.write_str(word)
    }
}

/// A format, and the file that it is to go to.
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
            return Err(format!("{text:?} names no file: write FORMAT=FILE, as in junit=results.xml ({})", words()));
        };
        match Format::ALL.iter().find(|(known, _)| *known == word) {
            Some((_, format)) => Ok(Wanted { format: *format, file: file.into() }),
            None => Err(format!("no format {word:?}: write one of {}", words())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_asked_for_with_its_file() {
        let wanted = Wanted { format: Format::Junit, file: "a=b.xml".into() };
        assert_eq!("junit=a=b.xml".parse(), Ok(wanted));
        assert!("junit".parse::<Wanted>().unwrap_err().contains("junit=results.xml"));
        assert!("pdf=x".parse::<Wanted>().unwrap_err().contains("html, junit, json, markdown"));
    }
}
