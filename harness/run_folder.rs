//! The folder of one run: all files of the run while it lasts, locked by its owner, removed at its end.
//!
//! A folder whose lock is free belongs to a run that was killed; `leftovers` removes it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use crate::credentials;

/// The in-memory file system of Linux that every user may write to.
const SHARED_MEMORY: &str = "/dev/shm";

/// Free space required to use the memory file system: a dozen clusters of 40 MB and their WAL.
const ENOUGH_MEMORY: u64 = 512 << 20;

/// The environment variable of the processes of a client, and of the holder of a small disk; its value is the run's
/// folder. Servers are found by their working directory instead.
pub(crate) const MARK: &str = "PGSQUALL_RUN";

/// The file in a run folder that its owner keeps locked.
pub(super) const LOCK: &str = "lock";

/// Prefix of the name of a run folder until its lock is held.
const UNLOCKED_PREFIX: &str = ".";

/// A run's own folder; removed with all it holds when dropped.
pub(crate) struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Creates a folder on the fastest file system available.
    pub fn create() -> io::Result<RunFolder> {
        RunFolder::create_in(&root())
    }

    pub(super) fn create_in(root: &Path) -> io::Result<RunFolder> {
        let name = format!("{}{:012x}", prefix(), credentials::unique() >> 16);
        let unlocked = root.join(format!("{UNLOCKED_PREFIX}{name}"));
        let path = root.join(name);
        // Locked before it gets its final name: it is never visible without a held lock.
        DirBuilder::new().mode(0o700).create(&unlocked)?;
        let lock = File::create(unlocked.join(LOCK))?;
        lock.try_lock()?;
        fs::rename(&unlocked, &path)?;
        Ok(RunFolder { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A new folder inside, readable by `owner` alone; the run folder itself can then be passed through by that
    /// owner's group, though not listed.
    pub fn inner(&self, name: &str, owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        if let Some((user, group)) = owner {
            chown(&self.path, None, Some(group))?;
            fs::set_permissions(&self.path, fs::Permissions::from_mode(0o710))?;
            chown(&path, Some(user), Some(group))?;
        }
        Ok(path)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // A folder that cannot be removed now is found and reported by the next run.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The location of run folders, and whether it is in memory: for `pgsquall list`.
pub fn storage() -> (PathBuf, bool) {
    let root = root();
    let in_memory = root == Path::new(SHARED_MEMORY);
    (root, in_memory)
}

/// The fastest file system on which a run can put its folder.
fn root() -> PathBuf {
    if has_shared_memory() { SHARED_MEMORY.into() } else { std::env::temp_dir() }
}

/// Whether a memory file system with enough room is open to all users.
fn has_shared_memory() -> bool {
    let shared_memory = Path::new(SHARED_MEMORY);
    let has_space = nix::sys::statvfs::statvfs(shared_memory)
        .is_ok_and(|found| found.blocks_available() * found.fragment_size() >= ENOUGH_MEMORY);
    has_space && fs::metadata(shared_memory).is_ok_and(|found| found.is_dir() && found.mode() & 0o1777 == 0o1777)
}

/// Prefix of the names of this user's run folders.
fn prefix() -> String {
    format!("pgsquall-{}-", geteuid())
}

/// This user's run folders whose owner is gone, each with its lock now held here.
pub(super) fn abandoned() -> Vec<RunFolder> {
    let mut roots = vec![root(), std::env::temp_dir()];
    roots.dedup();
    let found = roots.iter().filter_map(|root| fs::read_dir(root).ok()).flatten().flatten();
    found.filter_map(|entry| adopt(&entry.path())).collect()
}

/// Takes over a run folder, if it is one, belongs to this user, and has no owner any more.
fn adopt(path: &Path) -> Option<RunFolder> {
    let name = path.file_name()?.to_str()?;
    let unlocked = name.starts_with(UNLOCKED_PREFIX);
    if !name.trim_start_matches(UNLOCKED_PREFIX).starts_with(&prefix()) {
        return None;
    }
    // A link is not followed: the parent folder may be writable by all users.
    let found = fs::symlink_metadata(path).ok()?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return None;
    }
    // A folder being created has no lock yet; a minute is far longer than its creation takes.
    if unlocked && found.modified().ok()?.elapsed().ok()?.as_secs() < 60 {
        return None;
    }
    let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).ok()?;
    lock.try_lock().ok()?;
    Some(RunFolder { path: path.to_owned(), _lock: lock })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_without_owner_is_adopted() {
        let root = tempfile::tempdir().unwrap();
        let alive = RunFolder::create_in(root.path()).unwrap();
        assert_eq!(fs::metadata(alive.path()).unwrap().mode() & 0o777, 0o700);
        assert!(adopt(alive.path()).is_none(), "its lock is held");

        let dead = root.path().join(format!("{}dead", prefix()));
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let link = root.path().join(format!("{}link", prefix()));
        std::os::unix::fs::symlink(&dead, &link).unwrap();
        assert!(adopt(&link).is_none(), "a link is never followed");
        assert!(adopt(&root.path().join("other")).is_none());

        drop(adopt(&dead).expect("its lock is free"));
        assert!(!dead.exists());
    }
}
