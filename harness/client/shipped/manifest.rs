//! The description of a shipped adapter: its `adapter.toml`.

use serde::Deserialize;

/// The text of `adapter.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// One line, for lists.
    pub about: String,
    /// The library's name in its documentation.
    pub library: String,
    /// The command that installs the dependencies, run by the user in the adapter's folder.
    pub install: String,
    /// Build commands, run in the adapter's folder; none if there is nothing to build.
    #[serde(default)]
    pub build: Vec<String>,
    /// The command line that starts the adapter in its folder; the profile is appended as the last word.
    pub run: String,
    /// The settings of the tuned profile.
    pub tuned: String,
    /// The page of the library's documentation on these settings.
    pub source: String,
}

impl Manifest {
    /// Parses a manifest.
    ///
    /// *Errors*: the text is not a manifest; a test checks every shipped one.
    pub(super) fn read(text: &str) -> Result<Manifest, toml::de::Error> {
        toml::from_str(text)
    }
}
