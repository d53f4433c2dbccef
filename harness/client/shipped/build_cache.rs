//! Where shipped adapters are written out and built: once, in the user's cache, for all runs of this version.
//!
//! A folder there is complete or not there: it is filled beside its place, and then moved.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs, io};

use tokio::process::Command;
use tokio::time::timeout;

use super::Shipped;
use crate::client::ClientError;
use crate::model::time::show;

/// A library with many dependencies, built by a machine that is busy with other things.
const BUILD_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How much of what a build said an error quotes, in lines: the end says what is wrong.
const QUOTED_LINES: usize = 20;

/// With what the name of a folder begins in which something is being built.
const BENCH: &str = ".building-";

/// The file that whoever builds keeps locked.
const LOCK: &str = ".lock";

/// The folder in which an adapter stands ready to run.
///
/// *Errors*: no folder for it, or a build that fails, with what it said.
pub(super) async fn built(shipped: &Shipped) -> Result<PathBuf, ClientError> {
    built_on(shelf()?, shipped).await
}

/// The same, in a folder of the caller's choice.
async fn built_on(shelf: PathBuf, shipped: &Shipped) -> Result<PathBuf, ClientError> {
    let place = shelf.join(format!("{}-{:016x}", shipped.name, fingerprint(shipped)));
    if place.is_dir() {
        return Ok(place);
    }
    let failed = |source| ClientError::Folder { path: shelf.clone(), source };
    fs::create_dir_all(&shelf).map_err(failed)?;
    let bench = Bench::begin(&shelf, shipped.name).map_err(failed)?;
    for (name, text) in &shipped.files {
        fs::write(bench.path.join(name), text).map_err(failed)?;
    }
    for command in &shipped.manifest.build {
        build(command, &bench.path).await?;
    }
    match fs::rename(&bench.path, &place) {
        // Another process may have built the same meanwhile.
        Err(error) if !place.is_dir() => Err(failed(error)),
        _ => Ok(place),
    }
}

/// A folder in which an adapter is being built; removed when dropped, unless it has been moved to its place.
struct Bench {
    path: PathBuf,
    /// Held for as long as somebody is at work there: a folder whose lock is free was left by a process that was killed.
    _lock: File,
}

impl Bench {
    fn begin(shelf: &Path, name: &str) -> io::Result<Bench> {
        for entry in
            fs::read_dir(shelf)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(BENCH))
        {
            let lock = File::open(entry.path().join(LOCK));
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let unique = format!("{name}-{:08x}", rand::random::<u32>());
        let (unborn, path) = (shelf.join(format!(".{unique}")), shelf.join(format!("{BENCH}{unique}")));
        // Locked before it gets its name: nobody takes it for one that was left.
        fs::create_dir(&unborn)?;
        let lock = File::create(unborn.join(LOCK))?;
        lock.try_lock()?;
        fs::rename(&unborn, &path)?;
        Ok(Bench { path, _lock: lock })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Where it has been moved there is nothing to remove; what cannot be removed now goes with the next build.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Where they all are.
///
/// *Source*: XDG Base Directory Specification, `XDG_CACHE_HOME`.
fn shelf() -> Result<PathBuf, ClientError> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let none = || {
        let reason = "there is no folder to keep adapters in: neither XDG_CACHE_HOME nor HOME names one".to_owned();
        ClientError::SetUp(reason)
    };
    Ok(cache.ok_or_else(none)?.join("pgsquall").join("adapters"))
}

/// The same for the same files and the same version of pgsquall.
fn fingerprint(shipped: &Shipped) -> u64 {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    shipped.files.hash(&mut hasher);
    hasher.finish()
}

async fn build(command: &str, folder: &Path) -> Result<(), ClientError> {
    let failed = |reason: String| ClientError::Build { command: command.to_owned(), reason };
    let words = shlex::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("it is no command line".into()));
    };
    let mut building = Command::new(program);
    building.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(BUILD_WITHIN, building.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(format!("cannot run {program}: {error}"))),
        Err(_) => return Err(failed(format!("it took longer than {}", show(BUILD_WITHIN)))),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<_> = said.lines().collect();
    let quoted = lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n    ");
    Err(failed(format!("{}\n    {quoted}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::shipped::Manifest;

    /// An adapter of two files, with these commands to build it.
    fn adapter(build: &[&str]) -> Shipped {
        let text = "about = ''\nlibrary = ''\ninstall = ''\nrun = ''\ntuned = ''\nsource = ''\n";
        let mut manifest = Manifest::read(text).unwrap();
        manifest.build = build.iter().map(|command| (*command).to_owned()).collect();
        Shipped { name: "fake", language: "none", files: vec![("one", "1"), ("two", "2")], manifest }
    }

    fn names(shelf: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(shelf).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn it_is_built_once_and_stands_there_whole() {
        let shelf = tempfile::tempdir().unwrap();
        let fake = adapter(&["cp one three", "sh -c 'date +%N > when'"]);
        let place = built_on(shelf.path().to_owned(), &fake).await.unwrap();
        let read = |name: &str| fs::read_to_string(place.join(name)).unwrap();
        assert_eq!((read("one"), read("two"), read("three")), ("1".into(), "2".into(), "1".into()));
        let when = read("when");
        assert_eq!(built_on(shelf.path().to_owned(), &fake).await.unwrap(), place);
        assert_eq!(read("when"), when, "not built again");
        assert_eq!(names(shelf.path()).len(), 1);

        let changed = Shipped { files: vec![("one", "other")], ..adapter(&[]) };
        assert_ne!(built_on(shelf.path().to_owned(), &changed).await.unwrap(), place, "other files, another place");
    }

    #[tokio::test]
    async fn two_that_build_at_once_have_the_same() {
        let shelf = tempfile::tempdir().unwrap();
        let fake = adapter(&["sleep 0.3"]);
        let build = || built_on(shelf.path().to_owned(), &fake);
        let (one, two) = tokio::join!(build(), build());
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(names(shelf.path()).len(), 1);
    }

    #[tokio::test]
    async fn a_build_that_fails_is_quoted_and_leaves_nothing() {
        let shelf = tempfile::tempdir().unwrap();
        for (command, said) in [
            ("sh -c 'echo line 1; echo no such header >&2; exit 3'", "no such header"),
            ("no-such-compiler -o x", "cannot run no-such-compiler"),
            ("'", "it is no command line"),
        ] {
            let error = built_on(shelf.path().to_owned(), &adapter(&[command])).await.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(names(shelf.path()), [""; 0]);
    }

    #[tokio::test]
    async fn what_a_killed_build_has_left_is_removed_and_what_is_being_built_is_not() {
        let shelf = tempfile::tempdir().unwrap();
        let at_work = Bench::begin(shelf.path(), "other").unwrap();
        let left = shelf.path().join(format!("{BENCH}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        built_on(shelf.path().to_owned(), &adapter(&[])).await.unwrap();
        assert!(!left.exists() && at_work.path.exists());
    }
}
