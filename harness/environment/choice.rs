//! Parses the choice of a server (`--server`), and resolves it to a server of this machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::server::{self, Binaries, ServerError};

/// A value of `--server`.
///
/// Neither `Debug` nor an error shows the password of a URL.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerChoice {
    /// Installed binaries if any are found, else Docker.
    Auto,
    /// Installed binaries in this folder; `None`: the first that [`Binaries::find`] finds.
    Local(Option<PathBuf>),
    /// A container of this image; `None`: a local image built for pgsquall, else the official one.
    Docker(Option<String>),
    /// A server that pgsquall does not start, at this URL.
    External(String),
}

impl FromStr for ServerChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerChoice, String> {
        let argument = |name: &str, rest: &str| match rest {
            "" => Err(format!("{name}: the value after the colon is missing")),
            rest => Ok(rest.to_owned()),
        };
        match text.split_once(':') {
            None if text == "auto" => Ok(ServerChoice::Auto),
            None if text == "local" => Ok(ServerChoice::Local(None)),
            None if text == "docker" => Ok(ServerChoice::Docker(None)),
            Some(("local", folder)) => Ok(ServerChoice::Local(Some(argument("local", folder)?.into()))),
            Some(("docker", image)) => Ok(ServerChoice::Docker(Some(argument("docker", image)?))),
            Some(("postgres" | "postgresql", _)) => Ok(ServerChoice::External(text.to_owned())),
            _ => Err(format!(
                "{:?} is not a server: write auto, local, local:/path/to/bin, docker, docker:IMAGE or \
                 postgres://user:password@host/database",
                without_password(text)
            )),
        }
    }
}

/// The server that a choice resolved to, not yet started or connected.
///
/// Neither `Debug` nor `Display` shows the password of a URL.
#[derive(Clone, PartialEq, Eq)]
pub enum ServerSource {
    Local(Binaries),
    Docker(Option<String>),
    External(String),
}

/// The kinds of server that faults distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    Local,
    Docker,
    External,
}

impl ServerKind {
    /// The word by which histories and verdicts name the kind.
    pub fn word(self) -> &'static str {
        match self {
            ServerKind::Local => "local",
            ServerKind::Docker => "docker",
            ServerKind::External => "external",
        }
    }
}

impl ServerSource {
    pub fn kind(&self) -> ServerKind {
        match self {
            ServerSource::Local(_) => ServerKind::Local,
            ServerSource::Docker(_) => ServerKind::Docker,
            ServerSource::External(_) => ServerKind::External,
        }
    }
}

impl fmt::Display for ServerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerSource::Local(binaries) => {
                write!(f, "Postgres {} in {}, {}", binaries.version, binaries.folder.display(), binaries.found_by)
            }
            ServerSource::Docker(Some(image)) => write!(f, "Docker image {image}"),
            ServerSource::Docker(None) => f.write_str("Docker"),
            ServerSource::External(url) => f.write_str(&server::without_credentials(url)),
        }
    }
}

impl fmt::Debug for ServerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerSource({self})")
    }
}

impl fmt::Debug for ServerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerChoice::Auto => f.write_str("Auto"),
            ServerChoice::Local(folder) => f.debug_tuple("Local").field(folder).finish(),
            ServerChoice::Docker(image) => f.debug_tuple("Docker").field(image).finish(),
            ServerChoice::External(url) => write!(f, "External({})", server::without_credentials(url)),
        }
    }
}

/// Removes everything before the last `@` of a text that may be a mistyped URL.
fn without_password(text: &str) -> String {
    text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, host)| format!("…@{host}"))
}

impl ServerChoice {
    /// Resolves the choice on this machine; for `Auto`, also returns the reason of the choice. Does not check that
    /// Docker or an external server answers.
    ///
    /// *Errors*: the binaries are missing, this build lacks Docker, or the URL cannot be used; with the fix.
    pub fn resolve(&self) -> Result<(ServerSource, Option<String>), ServerError> {
        match self {
            ServerChoice::Local(None) => Ok((ServerSource::Local(Binaries::find()?), None)),
            ServerChoice::Local(Some(folder)) => Ok((ServerSource::Local(Binaries::at(folder, "named by you")?), None)),
            ServerChoice::Docker(image) if cfg!(feature = "docker") => Ok((ServerSource::Docker(image.clone()), None)),
            ServerChoice::Docker(_) => Err(ServerError::Control {
                doing: "provide",
                reason: "this build lacks the feature \"docker\"; build with it".into(),
            }),
            ServerChoice::External(url) => {
                server::check_url(url)?;
                Ok((ServerSource::External(url.clone()), None))
            }
            ServerChoice::Auto => match Binaries::find() {
                Ok(binaries) => Ok((ServerSource::Local(binaries), Some("auto: installed binaries come first".into()))),
                Err(error) if cfg!(feature = "docker") => {
                    let why = match error {
                        ServerError::NoBinaries { .. } => "auto: no installed Postgres binaries were found".into(),
                        error => error.to_string(),
                    };
                    Ok((ServerSource::Docker(None), Some(why)))
                }
                Err(error) => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_choices_parse_or_explain_the_error() {
        let parsed = |text: &str| text.parse::<ServerChoice>();
        assert_eq!(parsed("auto"), Ok(ServerChoice::Auto));
        assert_eq!(parsed("local:/opt/pg/bin"), Ok(ServerChoice::Local(Some("/opt/pg/bin".into()))));
        assert_eq!(parsed("docker:postgres:17"), Ok(ServerChoice::Docker(Some("postgres:17".into()))));
        assert!(matches!(parsed("postgres://u@h/d"), Ok(ServerChoice::External(_))));
        assert!(parsed("docker:").unwrap_err().contains("after the colon"));
        let mistyped = parsed("postgre://u:secret@h/d").unwrap_err();
        assert!(mistyped.contains("…@h/d") && !mistyped.contains("secret"), "{mistyped}");
        let debug = format!("{:?}", parsed("postgres://u:secret@h/d").unwrap());
        assert!(debug.contains("u@h:5432/d") && !debug.contains("secret"), "{debug}");
        assert!(parsed("mysql://x").unwrap_err().contains("local:/path/to/bin"));
    }
}
