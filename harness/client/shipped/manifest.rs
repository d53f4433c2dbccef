//! What a shipped adapter says of itself, in its `adapter.toml`.

use serde::Deserialize;

/// The text of `adapter.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// One line for a list.
    pub about: String,
    /// As its own documentation calls it.
    pub library: String,
    /// What a user types before, in the adapter's folder.
    pub install: String,
    /// Command lines that make it ready to run, in its folder; none where there is nothing to build.
    #[serde(default)]
    pub build: Vec<String>,
    /// The command line that starts it in its folder; the profile is added as the last word.
    pub run: String,
    /// What the tuned profile sets.
    pub tuned: String,
    /// The page of its documentation that says so.
    pub source: String,
}

impl Manifest {
    /// Reads one.
    ///
    /// *Errors*: it is no manifest; a test sees to it that no shipped one is.
    pub(super) fn read(text: &str) -> Result<Manifest, toml::de::Error> {
        toml::from_str(text)
    }
}
