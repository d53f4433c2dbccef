//! A template cluster, created once and copied for every run: `initdb` takes over a second, a copy in memory 35 ms.
//!
//! Templates are in the user's cache folder: one for each folder of binaries, Postgres version and [`REVISION`]. They
//! contain no passwords, because each run sets its own.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::{AccessFlags, access, geteuid};
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::bootstrap;
use super::process::without_libpq_variables;
use super::{Binaries, LocalServer, Server, ServerError};
use crate::model::fault::StopMode;
use crate::run_folder::RunFolder;

/// Part of a template's name. Increment it whenever the contents of templates change.
const REVISION: u32 = 4;

/// Longest wait for `initdb`: 1.4 s on a quiet disk, far longer on a busy one.
const INITDB_PATIENCE: Duration = Duration::from_secs(120);

/// The superuser signs in without a password through the Unix socket, whose folder other users cannot open. All other
/// roles need a password. No rule lets the superuser sign in over TCP without one.
const PG_HBA: &str = "\
local all postgres trust
local replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
";

/// Returns the template for these binaries, and creates it if it does not exist. A file lock ensures that only one
/// process creates it.
///
/// *Errors*: the cache folder cannot be used, or creating the template fails.
pub(super) async fn template(binaries: &Binaries) -> Result<PathBuf, ServerError> {
    let cache = cache_folder()?;
    let mut hasher = DefaultHasher::new();
    (&binaries.folder, &binaries.version).hash(&mut hasher);
    let path = cache.join(format!("template-{}-r{REVISION}-{:08x}", binaries.version, hasher.finish() as u32));
    if path.exists() {
        return Ok(path);
    }
    let lock_path = path.with_extension("lock");
    let _lock = spawn_blocking(move || -> io::Result<File> {
        let lock = File::options().create(true).truncate(false).write(true).open(lock_path)?;
        lock.lock()?;
        Ok(lock)
    })
    .await
    .map_err(io::Error::other)
    .flatten()
    .map_err(|source| ServerError::Folder { doing: "lock", path: path.clone(), source })?;
    if !path.exists() {
        make(binaries, &path).await?;
    }
    Ok(path)
}

/// Returns the folder of templates: in the user's cache folder, else a private folder in the temporary folder.
fn cache_folder() -> Result<PathBuf, ServerError> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().filter(|home| home.is_dir()).map(|home| home.join(".cache")))
        .map(|base| base.join("pgsquall"));
    let create = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    // The home folder may be missing, or may belong to another user (sudo keeps HOME).
    if let Some(path) = cache.filter(|path| create(path).is_ok() && access(path, AccessFlags::W_OK).is_ok()) {
        return Ok(path);
    }
    let path = std::env::temp_dir().join(format!("pgsquall-cache-{}", geteuid()));
    let failed = |source| ServerError::Folder { doing: "make", path: path.clone(), source };
    let made = create(&path).and_then(|()| fs::symlink_metadata(&path)).map_err(failed)?;
    // All users can write to the temporary folder, so another user may have created this one.
    if !made.is_dir() || made.uid() != geteuid().as_raw() {
        return Err(failed(io::Error::other("it belongs to another user; set XDG_CACHE_HOME to your own folder")));
    }
    Ok(path)
}

/// Creates the template: runs `initdb`, bootstraps the cluster, and renames the copy into place, which is atomic.
async fn make(binaries: &Binaries, path: &Path) -> Result<(), ServerError> {
    let folder = RunFolder::create().map_err(|source| ServerError::Folder {
        doing: "make a run folder for",
        path: path.to_owned(),
        source,
    })?;
    let server = LocalServer::on_new_cluster(binaries, &folder).await?;
    server.start().await?;
    server.wait(super::Readiness::AcceptingQueries, Duration::from_secs(60)).await?;
    bootstrap::prepare(&server.superuser()).await?;
    server.stop(StopMode::Fast).await?;
    let unfinished = path.with_extension("new");
    let data = server.data().to_owned();
    let path = path.to_owned();
    spawn_blocking(move || {
        let _ = fs::remove_dir_all(&unfinished); // may be left by a killed process
        copy_tree(&data, &unfinished, None)?;
        fs::rename(&unfinished, &path).map_err(|source| ServerError::Folder { doing: "put in place", path, source })
    })
    .await
    .map_err(|error| ServerError::Control { doing: "make a template for", reason: error.to_string() })?
}

/// Runs `initdb` in an empty folder, and writes `pg_hba.conf`.
///
/// *Errors*: `initdb` cannot be run, fails (with its output), or takes too long.
pub(super) async fn initdb(binaries: &Binaries, data: &Path, user: Option<(u32, u32)>) -> Result<(), ServerError> {
    let program = binaries.program("initdb");
    let mut command = Command::new(&program);
    // With WAL segments of 1 MB, a cluster has 24 MB instead of 40, and copying takes half the time.
    command
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=trust", "--username=postgres", "--wal-segsize=1"])
        .arg("--pgdata")
        .arg(data)
        .current_dir(data)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    without_libpq_variables(&mut command);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    let failed = |status: String, output: &[u8]| ServerError::Program {
        program: program.display().to_string(),
        status,
        output: String::from_utf8_lossy(output).trim().to_owned(),
    };
    let output = timeout(INITDB_PATIENCE, command.output())
        .await
        .map_err(|_| failed(format!("it is still running after {}", crate::model::time::show(INITDB_PATIENCE)), b""))?
        .map_err(|source| ServerError::Launch { program: program.clone(), source })?;
    if !output.status.success() {
        return Err(failed(output.status.to_string(), &output.stderr));
    }
    let hba = data.join("pg_hba.conf");
    fs::write(&hba, PG_HBA).map_err(|source| ServerError::Folder { doing: "write", path: hba, source })
}

/// Copies a folder with all its contents; the copy belongs to `owner`; `None`: to the current user.
pub(super) fn copy_tree(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> Result<(), ServerError> {
    let failed = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| ServerError::Folder { doing, path, source }
    };
    if !to.exists() {
        fs::create_dir(to).map_err(failed("make", to))?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).map_err(failed("close", to))?;
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let entry = entry.map_err(failed("read", from))?;
        let target = to.join(entry.file_name());
        if entry.file_type().map_err(failed("read", from))?.is_dir() {
            copy_tree(&entry.path(), &target, owner)?;
        } else {
            fs::copy(entry.path(), &target).map_err(failed("copy", &target))?;
            if let Some((uid, gid)) = owner {
                chown(&target, Some(uid), Some(gid)).map_err(failed("give away", &target))?;
            }
        }
    }
    if let Some((uid, gid)) = owner {
        chown(to, Some(uid), Some(gid)).map_err(failed("give away", to))?;
    }
    Ok(())
}

/// Copies a folder to `to`, and replaces it by a symbolic link to `link`: the path of `to` as the server sees it.
pub(super) fn move_behind_link(
    from: &Path,
    to: &Path,
    link: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), ServerError> {
    copy_tree(from, to, owner)?;
    fs::remove_dir_all(from)
        .and_then(|()| std::os::unix::fs::symlink(link, from))
        .map_err(|source| ServerError::Folder { doing: "replace", path: from.to_owned(), source })
}
