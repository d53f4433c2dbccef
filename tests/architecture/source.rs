//! Reads the source tree as text, and divides files into code, comments and strings.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the library, without its tests.
pub struct File {
    /// The path below `harness`.
    pub path: String,
    /// The text without comments and strings, up to the first `#[cfg(test)] mod`.
    pub code: String,
}

impl File {
    /// Returns the first part of the path: the module below the crate's root.
    pub fn room(&self) -> &str {
        self.path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// The module, part by part.
    fn module(&self) -> Vec<&str> {
        self.path.trim_end_matches(".rs").trim_end_matches("/mod").split('/').collect()
    }

    /// Every path that the code names with `crate::` or `super::`, from the crate's root: `model::fault::Class`. A group in
    /// braces gives a path for each of its members.
    pub fn imports(&self) -> Vec<String> {
        let module = self.module();
        let from_root = self.code.split("crate::").skip(1).map(|rest| (String::new(), rest));
        // `super::super::a` is found once: the split yields an empty piece for all but the last `super::`.
        let mut depth = 0;
        let from_parents = self.code.split("super::").skip(1).filter_map(|rest| {
            depth += 1;
            if rest.is_empty() {
                return None;
            }
            let parents = &module[..module.len().saturating_sub(std::mem::take(&mut depth))];
            Some((parents.join("::"), rest))
        });
        let mut found = Vec::new();
        for (base, rest) in from_root.chain(from_parents) {
            members(&base, rest, &mut found);
        }
        found.retain(|path| path.starts_with(|c: char| c.is_ascii_lowercase()));
        found
    }
}

/// Collects the paths that begin here below `base`, and returns the text behind them.
fn members<'a>(base: &str, text: &'a str, found: &mut Vec<String>) -> &'a str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (part, mut rest) = text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()));
    let path = [base, part.trim_end_matches(':')].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
    let path = path.join("::");
    if !part.is_empty() && !part.ends_with("::") || !rest.starts_with('{') {
        found.push(path);
        return rest;
    }
    loop {
        rest = members(&path, rest[1..].trim_start(), found);
        // `a as b`: the name within this file is of no interest.
        rest = &rest[rest.find([',', '}']).unwrap_or(rest.len())..];
        if !rest.starts_with(',') || rest[1..].trim_start().starts_with('}') {
            return rest.trim_start_matches(',').trim_start().strip_prefix('}').unwrap_or_default();
        }
    }
}

#[test]
fn imports_are_read_from_groups_and_parents() {
    let code = "use crate::a::{b::{C, D}, e as f,\n}; use super::super::g::H; super::i(); use crate::{j::K, l};";
    let file = File { path: "room/html/changes.rs".to_owned(), code: code.to_owned() };
    let found = ["a::b::C", "a::b::D", "a::e", "j::K", "l", "room::g::H", "room::html::i"];
    assert_eq!(file.imports(), found);
}

/// A piece of a Rust file.
pub enum Piece<'a> {
    Code(&'a str),
    Comment(&'a str),
    Text(&'a str),
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Lists the files below a folder, sorted, by their path from the project's root; all of them if `endings` is empty.
pub fn below(folder: &str, endings: &[&str]) -> Vec<String> {
    fn collect(folder: PathBuf, endings: &[&str], found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().unwrap_or_default().to_str().unwrap();
            if path.is_dir() {
                collect(path, endings, found);
            } else if endings.is_empty() || endings.contains(&ending) {
                found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = Vec::new();
    collect(root().join(folder), endings, &mut found);
    found.sort();
    found
}

/// Reads the library's files, without `lib.rs`, the program (`cli`), tests and samples.
pub fn library() -> Vec<File> {
    let mut files = Vec::new();
    for path in below("harness", &["rs"]) {
        let inside = path.strip_prefix("harness/").unwrap();
        let is_test = inside.split('/').any(|part| matches!(part.trim_end_matches(".rs"), "tests" | "samples"));
        if is_test || inside.starts_with("cli/") || inside == "lib.rs" {
            continue;
        }
        let text = fs::read_to_string(root().join(&path)).unwrap();
        let end = text.find("#[cfg(test)]\nmod").or_else(|| text.find("#[cfg(all(test")).unwrap_or(text.len());
        let code = pieces(&text[..end]).into_iter().filter_map(|(_, piece)| match piece {
            Piece::Code(code) => Some(code),
            Piece::Comment(_) | Piece::Text(_) => None,
        });
        files.push(File { path: inside.to_owned(), code: code.collect() });
    }
    files
}

/// Divides a Rust file into pieces, each with the number of the line on which it begins.
pub fn pieces(text: &str) -> Vec<(usize, Piece<'_>)> {
    let mut found = Vec::new();
    let (mut at, mut begun) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (length, is_comment) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), true)
        } else if let Some(length) = raw_string(text, at) {
            (length, false)
        } else if rest.starts_with('"') {
            (string(rest), false)
        } else if let Some(length) = character(rest) {
            at += length;
            continue;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let piece = &rest[..length];
        found.push((line(text, begun), Piece::Code(&text[begun..at])));
        found.push((line(text, at), if is_comment { Piece::Comment(piece) } else { Piece::Text(piece) }));
        at += length;
        begun = at;
    }
    found.push((line(text, begun), Piece::Code(&text[begun..])));
    found
}

fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Returns the length of the string that begins here, quotes included.
fn string(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest[1..].find(|c| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    });
    end.map_or(rest.len(), |end| end + 2)
}

/// Returns the length of the raw string that begins at `at`, if one does.
fn raw_string(text: &str, at: usize) -> Option<usize> {
    let is_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let rest = text[at..].strip_prefix('r').filter(|_| !is_name || text[..at].ends_with('b'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inside.find(&end).map_or(text.len() - at, |length| 2 + hashes + length + end.len()))
}

/// Returns the length of the character literal that begins here, so that `'"'` begins no string; `None` for lifetimes.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escaped) = inside.strip_prefix('\\') {
        let first = escaped.chars().next()?.len_utf8();
        return Some(2 + first + escaped[first..].find('\'')? + 1);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}
