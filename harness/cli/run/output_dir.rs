//! Where results go: made before anything runs, so that a folder that cannot be written to costs nobody a run, and
//! taken away again where nothing came of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// The folder of `--out`.
pub struct Out {
    path: PathBuf,
    /// The folders that were not there before, innermost first.
    made: Vec<PathBuf>,
}

impl Out {
    /// Makes the folder, with its parents, and sees whether it can be written to.
    ///
    /// *Errors*: a sentence with the remedy.
    pub fn make(path: PathBuf) -> Result<Out, String> {
        let made = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
            .map(Path::to_owned);
        let made: Vec<_> = made.collect();
        let writable = || -> io::Result<()> {
            fs::create_dir_all(&path)?;
            Ok(access(&path, AccessFlags::W_OK)?)
        };
        match writable() {
            Ok(()) => Ok(Out { path, made }),
            Err(error) => {
                made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
                Err(format!(
                    "results cannot be written to {}: {error}; name another folder with --out DIR",
                    path.display()
                ))
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folders of runs in which nothing was stored, and says whether anything is left.
    ///
    /// Only empty folders can go: whatever is in one stays.
    pub fn tidy<'a>(&self, folders: impl IntoIterator<Item = &'a Path>) -> bool {
        for folder in folders {
            let inside = folder.ancestors().take_while(|ancestor| *ancestor != self.path);
            inside.for_each(|folder| drop(fs::remove_dir(folder)));
        }
        self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
        fs::read_dir(&self.path).is_ok_and(|mut entries| entries.next().is_some())
    }
}
