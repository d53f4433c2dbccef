//! Report formats, and the option that selects one: `junit=results.xml`.

use std::path::PathBuf;
use std::str::FromStr;

use super::model::{self, Entry};
use super::timeline::Timeline;
use super::{Report, html, junit, markdown};

/// Returns the timeline of a run; `None` if its history was not kept.
pub type Timelines<'a> = &'a dyn Fn(&Entry) -> Option<Timeline>;

/// One format: the file that writes it exports this row.
#[derive(Debug)]
pub struct Format {
    /// The name in `--report NAME=FILE`.
    pub name: &'static str,
    /// Name of the file that every folder of results gets in this format; `None` if it gets none.
    pub file: Option<&'static str>,
    /// Whether [`write`](Format::write) reads the history of every run. Such a report is written only once, after all
    /// runs.
    pub reads_histories: bool,
    pub write: fn(&Report, Timelines) -> String,
}

/// Every format, in the order of `--help`.
pub const FORMATS: &[Format] = &[html::FORMAT, junit::FORMAT, JSON, markdown::FORMAT];

const JSON: Format =
    Format { name: "json", file: Some(model::FILE), reads_histories: false, write: |report, _| report.to_json() };

/// A format, and the file to write it to.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<F = PathBuf> {
    pub format: &'static Format,
    pub file: F,
}

/// The formats that every folder of results has, each with the name of its file.
pub fn always() -> impl Iterator<Item = Wanted<&'static str>> {
    FORMATS.iter().filter_map(|format| Some(Wanted { format, file: format.file? }))
}

/// The names of all formats, for texts.
pub fn names() -> String {
    FORMATS.iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Wanted, String> {
        let Some((name, file)) = text.split_once('=').filter(|(_, file)| !file.is_empty()) else {
            return Err(format!("no file in {text:?}: write FORMAT=FILE, as in junit=results.xml ({})", names()));
        };
        match FORMATS.iter().find(|format| format.name == name) {
            Some(format) => Ok(Wanted { format, file: file.into() }),
            None => Err(format!("unknown format {name:?}: write one of {}", names())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_option_needs_a_format_and_a_file() {
        let wanted: Wanted = "junit=a=b.xml".parse().unwrap();
        assert_eq!((wanted.format.name, wanted.file), ("junit", "a=b.xml".into()));
        assert!("junit".parse::<Wanted>().unwrap_err().contains("junit=results.xml"));
        assert!("pdf=x".parse::<Wanted>().unwrap_err().contains("html, junit, json, markdown"));
    }
}
