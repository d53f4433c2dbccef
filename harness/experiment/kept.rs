//! What a run leaves in the folder that it was given.

use std::fs::{self, File};
use std::path::Path;

use crate::error::Error;

/// What a run leaves in its folder beside the history.
const BESIDE: [&str; 5] = ["verdict.json", "server.log", "standby.log", "middlebox.log", "client.stderr"];

/// Makes a file in a folder, which then speaks of this run alone.
pub(super) fn create(folder: &Path, name: &str) -> Result<File, Error> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| {
            // From an earlier run; most often there is none.
            BESIDE.iter().for_each(|name| drop(fs::remove_file(folder.join(name))));
            File::create(&path)
        })
        .map_err(|source| Error::Store { path: path.clone(), source })
}

/// Removes what a run stored that was not carried out: half a history proves nothing. What the client said stays.
pub(super) fn forget(folder: &Path) {
    let is_empty = |path: &Path| fs::metadata(path).is_ok_and(|found| found.len() == 0);
    for name in ["history.jsonl", "server.log", "standby.log", "middlebox.log", "client.stderr"] {
        let path = folder.join(name);
        if name != "client.stderr" || is_empty(&path) {
            let _ = fs::remove_file(path);
        }
    }
    // Only if nothing is left in it.
    let _ = fs::remove_dir(folder);
}

/// Writes a whole file.
pub(super) fn store(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| Error::Store { path, source })
}
