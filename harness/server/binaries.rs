//! Finds installed Postgres binaries and reads their version.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ServerError;

/// Folders with a subfolder for each version, and the folder of programs in it; the newest version is used.
const VERSIONED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr", "bin"), // /usr/pgsql-17/bin, as PGDG's RPMs install
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];

/// A folder with `postgres` and `initdb`, and their version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    /// The version that `postgres --version` prints: `15.18`.
    pub version: String,
    /// How the folder was found, for messages.
    pub found_by: String,
}

impl Binaries {
    /// Returns the first binaries found on PATH, in the folder that `pg_config` names, or in the usual folders of
    /// packages, in that order.
    ///
    /// *Errors*: [`ServerError::NoBinaries`] with every folder searched.
    pub fn find() -> Result<Binaries, ServerError> {
        let mut searched = Vec::new();
        for (folder, found_by) in candidates() {
            if let Ok(binaries) = Binaries::at(&folder, &found_by) {
                return Ok(binaries);
            }
            searched.push(folder);
        }
        searched.extend(VERSIONED.map(|(root, _)| PathBuf::from(root)));
        searched.dedup();
        Err(ServerError::NoBinaries { searched })
    }

    /// Returns the binaries of one folder.
    ///
    /// *Errors*: [`ServerError::BadBinaries`] if `postgres` or `initdb` is missing, or `postgres --version` fails.
    pub fn at(folder: &Path, found_by: &str) -> Result<Binaries, ServerError> {
        let bad = |reason: String| ServerError::BadBinaries { path: folder.to_owned(), reason };
        for program in ["postgres", "initdb"] {
            if !folder.join(program).is_file() {
                return Err(bad(format!("it has no program {program}; name a folder with postgres and initdb")));
            }
        }
        let output = Command::new(folder.join("postgres"))
            .arg("--version")
            .output()
            .map_err(|error| bad(format!("cannot run postgres: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        match text.split_whitespace().nth(2) {
            Some(version) if output.status.success() => {
                Ok(Binaries { folder: folder.to_owned(), version: version.to_owned(), found_by: found_by.to_owned() })
            }
            _ => Err(bad(format!("postgres --version printed {text:?}"))),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn candidates() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(
        std::env::split_paths(&path)
            .filter(|folder| folder.join("postgres").is_file())
            .map(|folder| (folder, "on PATH".to_owned())),
    );
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !folder.is_empty() {
            found.push((folder.into(), "named by pg_config".to_owned()));
        }
    }
    for (root, bin) in VERSIONED {
        found.extend(
            versions(Path::new(root), bin).into_iter().map(|folder| (folder, format!("the newest under {root}"))),
        );
    }
    found
}

/// Returns the `root/*/bin` folders that contain a `postgres`, highest version number first.
fn versions(root: &Path, bin: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .map(|entry| (number_in(&entry.file_name()), entry.path().join(bin)))
        .filter(|(_, folder)| folder.join("postgres").is_file())
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Returns the first number in a folder's name: 17 for `postgresql@17`, `pgsql-17` and `17`; 0 without a number.
fn number_in(name: &OsStr) -> u32 {
    let name = name.to_string_lossy();
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_version_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9", "15", "postgresql@17", "empty"] {
            let bin = root.path().join(name).join("bin");
            fs::create_dir_all(&bin).unwrap();
            if name != "empty" {
                fs::write(bin.join("postgres"), "").unwrap();
            }
        }
        let found = versions(root.path(), "bin");
        assert_eq!(found.len(), 3);
        assert!(found[0].ends_with("postgresql@17/bin") && found[2].ends_with("9/bin"), "{found:?}");
    }

    #[test]
    fn folder_without_programs_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Binaries::at(folder.path(), "named by you").unwrap_err().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()) && error.contains("no program postgres"), "{error}");
    }
}
