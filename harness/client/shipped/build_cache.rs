//! The build cache of shipped adapters: each is written out and built once, in the user's cache directory, for all
//! runs of this version.
//!
//! A folder in the cache is complete or absent: it is built beside its place, and then renamed.

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

/// Time limit of one build command: enough for a library with many dependencies on a busy machine.
const BUILD_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Lines of a build's output that an error quotes: the cause is at the end.
const QUOTED_LINES: usize = 20;

/// Name prefix of folders in which a build is in progress.
const BUILD_PREFIX: &str = ".building-";

/// The file that a build keeps locked.
const LOCK_FILE: &str = ".lock";

/// The folder of an adapter that is ready to run; builds it if it is absent.
///
/// *Errors*: there is no cache directory, a file cannot be written there, or a build command fails; the error of a
/// failed command quotes the end of its output.
pub(super) async fn build_adapter(shipped: &Shipped) -> Result<PathBuf, ClientError> {
    build_in(cache_dir()?, shipped).await
}

/// Builds in a cache directory of the caller's choice.
async fn build_in(cache_dir: PathBuf, shipped: &Shipped) -> Result<PathBuf, ClientError> {
    let target = cache_dir.join(format!("{}-{:016x}", shipped.name, fingerprint(shipped)));
    if target.is_dir() {
        return Ok(target);
    }
    let failed = |source| ClientError::Folder { path: cache_dir.clone(), source };
    fs::create_dir_all(&cache_dir).map_err(failed)?;
    let build_dir = BuildDir::create(&cache_dir, shipped.name).map_err(failed)?;
    for (name, text) in &shipped.files {
        fs::write(build_dir.path.join(name), text).map_err(failed)?;
    }
    for command in &shipped.manifest.build {
        run_build_command(command, &build_dir.path).await?;
    }
    match fs::rename(&build_dir.path, &target) {
        // Another process may have built the same adapter in the meantime.
        Err(error) if !target.is_dir() => Err(failed(error)),
        _ => Ok(target),
    }
}

/// A folder in which an adapter is being built; removed when dropped, unless it was renamed to its place.
struct BuildDir {
    path: PathBuf,
    /// Held during the build: a folder whose lock is free was left by a killed process.
    _lock: File,
}

impl BuildDir {
    fn create(cache_dir: &Path, name: &str) -> io::Result<BuildDir> {
        for entry in fs::read_dir(cache_dir)?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILD_PREFIX))
        {
            let lock = File::open(entry.path().join(LOCK_FILE));
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let unique = format!("{name}-{:08x}", rand::random::<u32>());
        let (unnamed, path) = (cache_dir.join(format!(".{unique}")), cache_dir.join(format!("{BUILD_PREFIX}{unique}")));
        // Locked before it gets its name, so that no other build takes it for a leftover.
        fs::create_dir(&unnamed)?;
        let lock = File::create(unnamed.join(LOCK_FILE))?;
        lock.try_lock()?;
        fs::rename(&unnamed, &path)?;
        Ok(BuildDir { path, _lock: lock })
    }
}

impl Drop for BuildDir {
    fn drop(&mut self) {
        // After the rename there is nothing to remove; a folder that cannot be removed now is removed by the next
        // build.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The cache directory of all shipped adapters.
///
/// *Source*: XDG Base Directory Specification, `XDG_CACHE_HOME`.
fn cache_dir() -> Result<PathBuf, ClientError> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    let none = || {
        let reason = "no cache directory for adapters: set XDG_CACHE_HOME or HOME to an absolute path".to_owned();
        ClientError::SetUp(reason)
    };
    Ok(cache.ok_or_else(none)?.join("pgsquall").join("adapters"))
}

/// A hash of the adapter's files and of pgsquall's version.
fn fingerprint(shipped: &Shipped) -> u64 {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    shipped.files.hash(&mut hasher);
    hasher.finish()
}

async fn run_build_command(command: &str, folder: &Path) -> Result<(), ClientError> {
    let failed = |reason: String| ClientError::Build { command: command.to_owned(), reason };
    let words = shlex::split(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("cannot parse the command line".into()));
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
    let output_text = [output.stdout, output.stderr].concat();
    let output_text = String::from_utf8_lossy(&output_text);
    let lines: Vec<_> = output_text.lines().collect();
    let quoted = lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n    ");
    Err(failed(format!("{}\n    {quoted}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::shipped::Manifest;

    /// An adapter of two files, with these build commands.
    fn adapter(build: &[&str]) -> Shipped {
        let text = "about = ''\nlibrary = ''\ninstall = ''\nrun = ''\ntuned = ''\nsource = ''\n";
        let mut manifest = Manifest::read(text).unwrap();
        manifest.build = build.iter().map(|command| (*command).to_owned()).collect();
        Shipped { name: "fake", language: "none", files: vec![("one", "1"), ("two", "2")], manifest }
    }

    fn names(cache_dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(cache_dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn built_once_and_complete() {
        let cache_dir = tempfile::tempdir().unwrap();
        let fake = adapter(&["cp one three", "sh -c 'date +%N > when'"]);
        let target = build_in(cache_dir.path().to_owned(), &fake).await.unwrap();
        let read = |name: &str| fs::read_to_string(target.join(name)).unwrap();
        assert_eq!((read("one"), read("two"), read("three")), ("1".into(), "2".into(), "1".into()));
        let when = read("when");
        assert_eq!(build_in(cache_dir.path().to_owned(), &fake).await.unwrap(), target);
        assert_eq!(read("when"), when, "not built again");
        assert_eq!(names(cache_dir.path()).len(), 1);

        let changed = Shipped { files: vec![("one", "other")], ..adapter(&[]) };
        assert_ne!(
            build_in(cache_dir.path().to_owned(), &changed).await.unwrap(),
            target,
            "other files, another place"
        );
    }

    #[tokio::test]
    async fn concurrent_builds_give_the_same_folder() {
        let cache_dir = tempfile::tempdir().unwrap();
        let fake = adapter(&["sleep 0.3"]);
        let build = || build_in(cache_dir.path().to_owned(), &fake);
        let (one, two) = tokio::join!(build(), build());
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(names(cache_dir.path()).len(), 1);
    }

    #[tokio::test]
    async fn failed_build_is_quoted_and_leaves_no_folder() {
        let cache_dir = tempfile::tempdir().unwrap();
        for (command, output_text) in [
            ("sh -c 'echo line 1; echo no such header >&2; exit 3'", "no such header"),
            ("no-such-compiler -o x", "cannot run no-such-compiler"),
            ("'", "cannot parse the command line"),
        ] {
            let error = build_in(cache_dir.path().to_owned(), &adapter(&[command])).await.unwrap_err().to_string();
            assert!(error.contains(output_text), "{error}");
        }
        assert_eq!(names(cache_dir.path()), [""; 0]);
    }

    #[tokio::test]
    async fn leftovers_are_removed_but_not_builds_in_progress() {
        let cache_dir = tempfile::tempdir().unwrap();
        let at_work = BuildDir::create(cache_dir.path(), "other").unwrap();
        let left = cache_dir.path().join(format!("{BUILD_PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK_FILE), "").unwrap();
        build_in(cache_dir.path().to_owned(), &adapter(&[])).await.unwrap();
        assert!(!left.exists() && at_work.path.exists());
    }
}
