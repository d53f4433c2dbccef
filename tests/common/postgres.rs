//! A Postgres server that the test starts, not the harness, for runs against a URL.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use tempfile::TempDir;

use super::{is_root, until};

/// The first port to try: above known services, below every ephemeral range.
const FIRST_PORT: u16 = 20_000;

/// A running server with one user, `squall`, whose password is `Secret-1`. Dropping it stops and removes it.
pub struct Postgres {
    pub port: u16,
    bin: PathBuf,
    child: Child,
    folder: TempDir,
}

impl Postgres {
    /// Starts a server; `None`, with a message, if Postgres is not installed.
    pub fn start() -> Option<Postgres> {
        let Some(bin) = binaries() else {
            println!("skipped: no Postgres binaries here");
            return None;
        };
        let folder = TempDir::with_prefix("pgsquall-test-postgres-").unwrap();
        let postgres = is_root().then(|| User::from_name("postgres").unwrap().expect("a user to run Postgres as"));
        if let Some(user) = &postgres {
            chown(folder.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let command = |program: &str| {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new(bin.join(program));
            if let Some(user) = &postgres {
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            }
            command.current_dir(folder.path()).env("LC_ALL", "C").stdin(Stdio::null());
            command
        };
        let data = folder.path().join("data");
        let password = folder.path().join("password");
        fs::write(&password, "Secret-1").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let made = command("initdb")
            .args(["--no-sync", "--username=squall", "--auth=scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Postgres { port, bin, child, folder };
        until("a scratch server that answers", || server.try_sql("SELECT 1").is_ok());
        Some(server)
    }

    pub fn url(&self, password: &str) -> String {
        format!("postgres://squall:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// Runs a statement with psql; returns its output.
    pub fn sql(&self, statement: &str) -> String {
        self.try_sql(statement).unwrap_or_else(|error| panic!("{statement}: {error}\n{}", self.log()))
    }

    fn try_sql(&self, statement: &str) -> Result<String, String> {
        let output = Command::new(self.bin.join("psql"))
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, &self.url("Secret-1")])
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGQUIT is an immediate shutdown: the data is not needed.
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGQUIT);
        let began = std::time::Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if began.elapsed() > Duration::from_secs(10) {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Finds a folder with `postgres`, `initdb` and `psql`: one of Debian's packages, or of PATH.
fn binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let all = |folder: &Path| ["postgres", "initdb", "psql"].iter().all(|program| folder.join(program).is_file());
    versions.map(|version| version.path().join("bin")).chain(std::env::split_paths(&path)).find(|folder| all(folder))
}

/// Returns a free port. Tests of one process get different ports, and processes mostly search from different ones.
fn free_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = FIRST_PORT + (std::process::id() % 10_000) as u16;
    loop {
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
