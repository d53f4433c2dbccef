//! What a run leaves in the folder that it was given.

use std::fs::{self, File};
use std::path::Path;

use crate::environment::Environment;
use crate::error::Error;

/// What a run leaves in its folder beside the history.
const BESIDE: [&str; 5] = ["verdict.json", "server.log", "standby.log", "middlebox.log", "client.stderr"];

/// Makes a file in a folder, which then speaks of this run alone.
pub(crate) fn create(folder: &Path, name: &str) -> Result<File, Error> {
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
pub(crate) fn forget(folder: &Path) {
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
pub(crate) fn store(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| Error::Store { path, source })
}

/// What the servers have logged, and whatever stood before them, each under its name; an external server's log is not ours
/// to read.
pub(crate) async fn logs(environment: &Environment) -> Vec<(&'static str, String)> {
    let mut logs = Vec::new();
    for (name, server) in ["server.log", "standby.log"].into_iter().zip(environment.servers()) {
        let lines = server.log().await.unwrap_or_default();
        let lines = lines.iter();
        let log = lines.map(|line| format!("{} {} {} {}\n", line.pid, line.sqlstate, line.role, line.text)).collect();
        logs.push((name, log));
    }
    if let Some(middlebox) = &environment.middlebox {
        let lines = middlebox.log().unwrap_or_default();
        logs.push(("middlebox.log", lines.iter().map(|line| format!("{line}\n")).collect()));
    }
    logs
}
