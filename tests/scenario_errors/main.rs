//! Every mistake in a scenario file, and the one error that it gets: these texts are an interface, read by people at a
//! terminal.

mod faults;
mod form;
mod layout;
mod names;
mod parameters;
mod path;
mod values;

use pgsquall::scenario::Scenario;

/// The error for a whole file.
pub fn file(text: &str) -> String {
    Scenario::parse("mine", "file", "mine.toml", text).expect_err("a mistake went unnoticed").to_string()
}

/// The error for a file whose head is sound.
pub fn body(text: &str) -> String {
    file(&format!("schema = 1\ntitle = \"t\"\n{text}"))
}

/// The error for a sound file with a restart, its lines replaced where `text` says so.
pub fn restart(from: &str, to: &str) -> String {
    let sound = "[[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"2s\"\nfor = \"3s\"\n";
    assert!(sound.contains(from));
    body(&sound.replace(from, to))
}

pub const CLOSE: &str = "[[fault]]\nkind = \"close\"\nat = \"2s\"\n";
