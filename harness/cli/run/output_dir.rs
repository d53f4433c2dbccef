//! The folder of results. It is created before any run starts, so that an unwritable folder is an error at once. If
//! nothing was stored in it, `tidy` removes what was created.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The folder of results: that of `--out`, or the default.
pub struct Out {
    path: PathBuf,
    /// The folders that `make` created, innermost first.
    created: Vec<PathBuf>,
}

impl Out {
    /// Creates the folder with its parents, and checks that it is writable.
    ///
    /// *Errors*: a message with the fix; folders created so far are removed.
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

    /// Removes folders of runs that are empty, and then the folders that `make` created, if they are; returns whether
    /// anything is left. Folders with content stay, because `remove_dir` fails for them.
    pub fn tidy<'a>(&self, folders: impl IntoIterator<Item = &'a Path>) -> bool {
        for folder in folders {
            let inside = folder.ancestors().take_while(|ancestor| *ancestor != self.path);
            inside.for_each(|folder| drop(fs::remove_dir(folder)));
        }
        self.created.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_some())
    }
}
