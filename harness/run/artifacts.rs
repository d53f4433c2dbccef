//! The files that a run stores in its folder.

use std::fs::{self, File};
use std::path::Path;

use crate::environment::Environment;
use crate::error::Error;

/// The files that the harness writes beside the history.
const OWN_FILES: [&str; 4] = ["verdict.json", "server.log", "standby.log", "middlebox.log"];

/// The output of the client's processes. Those of an application append to theirs.
const CLIENT_OUTPUT: [&str; 6] =
    ["client.stderr", "client.stdout", "ready.stderr", "ready.stdout", "load.stderr", "load.stdout"];

/// Creates a file in a folder, which is created if it does not exist. Removes the files of an earlier run.
pub(crate) fn create(folder: &Path, name: &str) -> Result<File, Error> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| {
            // Usually there is no earlier run.
            OWN_FILES.iter().chain(&CLIENT_OUTPUT).for_each(|name| drop(fs::remove_file(folder.join(name))));
            File::create(&path)
        })
        .map_err(|source| Error::Store { path: path.clone(), source })
}

/// Removes the files of a run that ended with an error, because an incomplete history proves nothing, and the folder
/// if it is then empty. Output of the client's processes stays unless it is empty.
pub(crate) fn discard(folder: &Path) {
    let is_empty = |path: &Path| fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    for name in OWN_FILES.iter().chain(&["history.jsonl"]) {
        let _ = fs::remove_file(folder.join(name));
    }
    for path in CLIENT_OUTPUT.map(|name| folder.join(name)).iter().filter(|path| is_empty(path)) {
        let _ = fs::remove_file(path);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_earlier_run_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        create(&run, "history.jsonl").unwrap();
        for name in ["verdict.json", "load.stdout", "client.stderr", "notes.txt"] {
            store(&run, name, "earlier").unwrap();
        }
        create(&run, "history.jsonl").unwrap();
        let mut left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["history.jsonl", "notes.txt"], "the user's own file stays");
    }

    #[test]
    fn only_output_of_the_client_survives_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        create(&run, "history.jsonl").unwrap();
        store(&run, "ready.stdout", "").unwrap();
        store(&run, "client.stderr", "Traceback").unwrap();
        discard(&run);
        let left: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["client.stderr"]);
        store(&run, "client.stderr", "").unwrap();
        discard(&run);
        assert!(!run.exists());
    }
}
