//! Every mistake in a scenario file has one error. These tests keep its text, because the text is the interface for
//! people at a terminal.

mod faults;
mod form;
mod layout;
mod names;
mod parameters;
mod path;
mod values;

use pgsquall::scenario::Scenario;

/// Returns the error for a whole file.
pub fn file(text: &str) -> String {
    Scenario::parse("mine", "file", "mine.toml", text).expect_err("a mistake went unnoticed").to_string()
}

/// Returns the error for a file that begins with a valid head, followed by `text`.
pub fn body(text: &str) -> String {
    file(&format!("schema = 1\ntitle = \"t\"\n{text}"))
}

/// Returns the error for a valid file with a restart in which `from` is replaced by `to`.
pub fn restart(from: &str, to: &str) -> String {
    let sound = "[[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"2s\"\nfor = \"3s\"\n";
    assert!(sound.contains(from));
    body(&sound.replace(from, to))
}

pub const CLOSE: &str = "[[fault]]\nkind = \"close\"\nat = \"2s\"\n";
