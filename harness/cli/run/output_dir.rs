//! The folder of results: created before any run starts, so that an unwritable folder is an error at once, and
//! removed again if nothing was stored in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The folder of `--out`.
pub struct Out {
    path: PathBuf,
    /// The folders that `make` created, innermost first.
    created: Vec<PathBuf>,
}

impl Out {
    /// Creates the folder with its parents, and checks that it is writable.
    ///
    /// *Errors*: a message with the fix.
    pub fn make(path: PathBuf) -> Result<Out, String> {
        let created = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .map(Path::to_owned);
        let created: Vec<_> = created.collect();
        let writable = || -> io::Result<()> {
            fs::create_dir_all(&path)?;
            Ok(access(&path, AccessFlags::W_OK)?)
        };
        match writable() {
            Ok(()) => Ok(Out { path, created }),
            Err(error) => {
                created.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                Err(format!("cannot write results to {}: {error}; name another folder with --out DIR", path.display()))
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes empty folders of runs; returns whether anything is left.
    ///
    /// Folders with content stay: `remove_dir` fails for them.
    pub fn tidy<'a>(&self, folders: impl IntoIterator<Item = &'a Path>) -> bool {
        for folder in folders {
            let inside = folder.ancestors().take_while(|ancestor| *ancestor != self.path);
            inside.for_each(|folder| drop(fs::remove_dir(folder)));
        }
        self.created.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_some())
    }
}
