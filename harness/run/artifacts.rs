//! The files that a run stores in its folder.

use std::fs::{self, File};
use std::path::Path;

use crate::environment::Environment;
use crate::error::Error;

/// The files of an earlier run, beside the history, that [`create`] removes. The other output of an application's
/// processes is not among them: a later run appends to it.
const OTHER_FILES: [&str; 5] = ["verdict.json", "server.log", "standby.log", "middlebox.log", "client.stderr"];

/// Creates a file in a folder, which is created if it does not exist. Removes the files of an earlier run.
pub(crate) fn create(folder: &Path, name: &str) -> Result<File, Error> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| {
            // Usually there is no earlier run.
            OTHER_FILES.iter().for_each(|name| drop(fs::remove_file(folder.join(name))));
            File::create(&path)
        })
        .map_err(|source| Error::Store { path: path.clone(), source })
}

/// Removes the files of a run that ended with an error, because an incomplete history proves nothing, and the folder
/// if it is then empty. The client's stderr stays unless it is empty, and so does the other output of an application.
pub(crate) fn discard(folder: &Path) {
    let is_empty = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    for name in ["history.jsonl", "server.log", "standby.log", "middlebox.log", "client.stderr"] {
        let path = folder.join(name);
        if name != "client.stderr" || is_empty(&path) {
            let _ = fs::remove_file(path);
        }
    }
    // Fails, as it should, if the folder is not empty.
    let _ = fs::remove_dir(folder);
}

/// Writes a file in a folder.
pub(crate) fn store(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|source| Error::Store { path, source })
}

/// The logs of the servers and the middlebox, with their file names. A log that cannot be read, like that of an
/// external server, is empty.
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
