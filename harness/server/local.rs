//! A server that runs installed binaries in its own folder, on its own port.
//!
//! The harness sends signals and waits for the process itself, because `pg_ctl` polls only every 100 ms, which is too
//! coarse for the measurements.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use nix::sys::signal::Signal;
use parking_lot::{Mutex, MutexGuard};
use tokio::process::Command;
use tokio::task::spawn_blocking;
use tokio_postgres::Config;

use super::process::{self, Daemon};
use super::small_disk::SmallDisk;
use super::throttle::Throttle;
use super::{
    Binaries, LINE_PREFIX, LogLine, Readiness, Server, ServerError, Shortage, Superuser, memory_limit, orphans,
    parse_log, process_tree, readiness, template,
};
use crate::gateway::port::Reservation;
use crate::model::fault::{Share, StopMode};
use crate::model::history::ServerFacts;
use crate::model::topology;
use crate::run_folder::RunFolder;

/// Longest wait for a fast or immediate shutdown, a kill, or the begin of a recovery. Shutdowns take 5 to 11 ms
/// (measured); the rest is for a shutdown checkpoint on a busy disk.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// How long the child processes of a killed server may take to end by themselves before they are killed. A waiting
/// process notices the postmaster's death at once; a computing one would continue to the end of its statement, which a
/// power cut would not allow.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(2);

/// Default settings. A scenario's settings follow on the command line, and so override these.
const SETTINGS: [(&str, &str); 7] = [
    ("listen_addresses", "127.0.0.1"),
    ("log_line_prefix", LINE_PREFIX),
    ("logging_collector", "off"),
    ("lc_messages", "C"),
    // Files in the data folder, so that a killed server leaves no segments in /dev/shm.
    ("dynamic_shared_memory_type", "mmap"),
    // initdb scales these with the size of a WAL segment; these are Postgres's own defaults.
    ("max_wal_size", "1GB"),
    ("min_wal_size", "80MB"),
];

/// Prefix of a standby's file names, in the folder of its primary.
const STANDBY: &str = "standby-";

/// Interval at which a standby reconnects to a lost primary. With the default of 5 s, commits would wait up to 5 s
/// after a restart, which would count as the client's recovery time.
const RETRY_INTERVAL: &str = "200ms";

/// A local server; stopped by [`remove`](Server::remove) or when dropped. Its files are removed with the run folder.
pub(crate) struct LocalServer {
    binaries: Binaries,
    user: Option<(u32, u32)>,
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    port: Reservation,
    settings: Vec<(String, String)>,
    state: Mutex<State>,
    small_disk: Option<SmallDisk>,
}

#[derive(Default)]
struct State {
    postmaster: Option<Arc<Daemon>>,
    /// The pid of the frozen startup process, while a recovery is held.
    recovering: Option<i32>,
    throttle: Option<Throttle>,
}

impl LocalServer {
    /// Copies the template cluster to `folder`, without starting the server.
    ///
    /// *Errors*: the template cannot be created or copied, or no port is free.
    pub async fn create(
        binaries: &Binaries,
        folder: &RunFolder,
        settings: &[(String, String)],
    ) -> Result<LocalServer, ServerError> {
        LocalServer::copied(binaries, folder, "", settings).await
    }

    /// Creates a standby of this server in the same folder, without starting it.
    ///
    /// No base backup is needed, because both servers are copies of one template. The standby must start before this
    /// server's first checkpoint, which may remove WAL that the standby needs.
    pub async fn create_standby(
        &self,
        folder: &RunFolder,
        settings: &[(String, String)],
    ) -> Result<LocalServer, ServerError> {
        let mut standby = LocalServer::copied(&self.binaries, folder, STANDBY, settings).await?;
        let (socket, port) = (self.socket.display(), self.port.address().port());
        for (name, value) in [
            ("primary_conninfo", format!("host={socket} port={port} user=postgres")),
            ("wal_retrieve_retry_interval", RETRY_INTERVAL.into()),
        ] {
            standby.settings.push((name.into(), value));
        }
        let signal = standby.data.join("standby.signal");
        let written = File::create(&signal).and_then(|_| match standby.user {
            // The server's user must own the file, because the server removes it when promoted.
            Some((uid, gid)) => chown(&signal, Some(uid), Some(gid)),
            None => Ok(()),
        });
        written.map_err(|source| ServerError::Folder { doing: "write", path: signal, source })?;
        Ok(standby)
    }

    /// Copies the template; `prefix` distinguishes the files of several servers in the same folder.
    async fn copied(
        binaries: &Binaries,
        folder: &RunFolder,
        prefix: &str,
        settings: &[(String, String)],
    ) -> Result<LocalServer, ServerError> {
        let template = template::template(binaries).await?;
        let mut server = LocalServer::in_folder(binaries, folder, prefix)?;
        server.settings.extend_from_slice(settings);
        let (data, user) = (server.data.clone(), server.user);
        spawn_blocking(move || template::copy_tree(&template, &data, user))
            .await
            .map_err(|error| ServerError::Control { doing: "copy", reason: error.to_string() })??;
        Ok(server)
    }

    /// Creates a cluster with `initdb`, from which the template is made.
    pub(super) async fn on_new_cluster(binaries: &Binaries, folder: &RunFolder) -> Result<LocalServer, ServerError> {
        let server = LocalServer::in_folder(binaries, folder, "")?;
        template::initdb(binaries, &server.data, server.user).await?;
        Ok(server)
    }

    fn in_folder(binaries: &Binaries, folder: &RunFolder, prefix: &str) -> Result<LocalServer, ServerError> {
        let user = process::unprivileged()?;
        let inner = |name| {
            let name = format!("{prefix}{name}");
            folder.inner(&name, user).map_err(|source| ServerError::Folder {
                doing: "make",
                path: folder.path().join(&name),
                source,
            })
        };
        let port = Reservation::new()
            .map_err(|error| ServerError::Control { doing: "find a port for", reason: error.to_string() })?;
        Ok(LocalServer {
            binaries: binaries.clone(),
            user,
            data: inner("data")?,
            socket: inner("socket")?,
            log: folder.path().join(format!("{prefix}server.log")),
            port,
            settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            state: Mutex::default(),
            small_disk: None,
        })
    }

    /// Mounts a small disk, and moves the WAL there if `keeps` is `Wal`; call it before the first start. The heap is
    /// moved later, by `bootstrap::move_ledger`.
    ///
    /// *Errors*: the disk cannot be mounted, or the WAL cannot be moved.
    pub async fn add_small_disk(&mut self, folder: &RunFolder, keeps: topology::SmallDisk) -> Result<(), ServerError> {
        let path = folder.inner("small", self.user).map_err(|source| ServerError::Folder {
            doing: "make",
            path: folder.path().join("small"),
            source,
        })?;
        let disk = SmallDisk::mount(path, folder.path(), self.user)?;
        if keeps == topology::SmallDisk::Wal {
            let (from, to) = (self.data.join("pg_wal"), disk.seen_from_here("pg_wal"));
            let (link, user) = (disk.path().join("pg_wal"), self.user);
            spawn_blocking(move || template::move_behind_link(&from, &to, &link, user))
                .await
                .map_err(|error| ServerError::Control { doing: "prepare", reason: error.to_string() })??;
            // Recycled WAL segments would take up room without being used.
            let settings = [("wal_recycle", "off"), ("min_wal_size", "2MB"), ("max_wal_size", "8MB")];
            self.settings.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        self.small_disk = Some(disk);
        Ok(())
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn postmaster(&self) -> Result<Arc<Daemon>, ServerError> {
        self.state().postmaster.clone().filter(|postmaster| postmaster.exited().is_none()).ok_or_else(|| {
            ServerError::Control { doing: "reach", reason: format!("it is not running{}", self.log_tail()) }
        })
    }

    fn launch(&self) -> Result<Arc<Daemon>, ServerError> {
        let program = self.binaries.program("postgres");
        let mut command = Command::new(&program);
        command.arg("-D").arg(&self.data).arg("-k").arg(&self.socket).current_dir(&self.data);
        command.args(["-p", &self.port.address().port().to_string()]);
        for (name, value) in &self.settings {
            command.args(["-c", &format!("{name}={value}")]);
        }
        let user = match &self.small_disk {
            // The child must enter the mount namespace before it switches to that user.
            Some(disk) => disk.join(&mut command, &self.data).map(|()| None)?,
            None => self.user,
        };
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        command.env("LC_ALL", "C").env("TZ", "UTC");
        Ok(Arc::new(Daemon::launch(command, &program, &self.log)?))
    }

    /// Returns the last five lines of the log, for errors.
    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!("; its log ends with:\n  {}", lines.into_iter().rev().collect::<Vec<_>>().join("\n  "))
    }

    /// Resumes a held recovery; returns whether one was held.
    fn thaw_recovery(&self) -> bool {
        let held = self.state().recovering.take();
        process_tree::signal_all(held.as_slice(), Signal::SIGCONT);
        held.is_some()
    }

    /// Ends all processes of the server without an async runtime, for `Drop`.
    fn end_now(&self) {
        self.thaw_recovery();
        self.state().throttle = None;
        if let Some(postmaster) = self.state().postmaster.take() {
            postmaster.end_now(Signal::SIGQUIT);
        }
        orphans::end_orphan(&self.data);
    }
}

#[async_trait]
impl Server for LocalServer {
    fn facts(&self) -> ServerFacts {
        ServerFacts {
            kind: "local".into(),
            version: self.binaries.version.clone(),
            origin: self.binaries.folder.display().to_string(),
        }
    }

    fn address(&self) -> SocketAddr {
        self.port.address()
    }

    fn superuser(&self) -> Superuser {
        let mut config = Config::new();
        config.host_path(&self.socket).port(self.port.address().port()).user("postgres").dbname("postgres");
        Superuser::new(config)
    }

    async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        let postmaster = self.postmaster()?;
        self.request_stop(mode).await?;
        postmaster.wait(STOP_PATIENCE).await?;
        Ok(())
    }

    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.postmaster()?.signal(match mode {
            StopMode::Smart => Signal::SIGTERM,
            StopMode::Fast => Signal::SIGINT,
            StopMode::Immediate => Signal::SIGQUIT,
        })
    }

    async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        let postmaster = self.state().postmaster.clone();
        match postmaster {
            Some(postmaster) => postmaster.wait(within).await.map(drop),
            None => Ok(()),
        }
    }

    async fn kill_backend(&self, backend: i32) -> Result<(), ServerError> {
        let members = process_tree::with_descendants(self.postmaster()?.pid());
        if !members[1..].contains(&backend) {
            let reason = format!("process {backend} is not one of its backends");
            return Err(ServerError::Control { doing: "crash", reason });
        }
        process_tree::signal_all(&[backend], Signal::SIGKILL);
        Ok(())
    }

    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        memory_limit::squeeze(self.postmaster()?.pid(), self.user)?;
        Ok(Shortage::Fails)
    }

    async fn release_memory(&self) -> Result<(), ServerError> {
        match self.postmaster() {
            Ok(postmaster) => memory_limit::release(postmaster.pid(), self.user),
            // The process has ended, and its limit with it.
            Err(_) => Ok(()),
        }
    }

    async fn throttle(&self, share: Share) -> Result<(), ServerError> {
        let throttle = Throttle::start(self.postmaster()?.pid(), share);
        self.state().throttle = Some(throttle);
        Ok(())
    }

    async fn unthrottle(&self) -> Result<(), ServerError> {
        let throttle = self.state().throttle.take();
        if let Some(throttle) = throttle {
            throttle.end().await;
        }
        Ok(())
    }

    fn small_disk(&self) -> Option<String> {
        self.small_disk.as_ref().map(|disk| disk.path().display().to_string())
    }

    async fn remove_from_small_disk(&self, file: &str) -> Result<(), ServerError> {
        let Some(disk) = &self.small_disk else { return Ok(()) };
        let path = disk.seen_from_here(file);
        match tokio::fs::remove_file(&path).await {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(ServerError::Folder { doing: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    async fn kill(&self) -> Result<String, ServerError> {
        let postmaster = self.postmaster()?;
        // The postmaster is frozen first, so that it forks no children while they are listed.
        postmaster.signal(Signal::SIGSTOP)?;
        let orphans: Vec<_> = process_tree::with_descendants(postmaster.pid()).split_off(1);
        postmaster.signal(Signal::SIGKILL)?;
        let status = postmaster.wait(STOP_PATIENCE).await?;
        // Children that a pause or a held recovery has frozen must run to notice the postmaster's death.
        self.state().recovering = None;
        process_tree::signal_all(&orphans, Signal::SIGCONT);
        let begun = Instant::now();
        while orphans::is_guarded(&self.data) {
            if begun.elapsed() >= STOP_PATIENCE {
                return Err(ServerError::Control { doing: "kill", reason: "its shared memory is still in use".into() });
            }
            if begun.elapsed() >= ORPHAN_PATIENCE {
                process_tree::signal_all(&orphans, Signal::SIGKILL);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(status.to_string())
    }

    async fn start(&self) -> Result<(), ServerError> {
        if self.state().postmaster.as_ref().is_some_and(|postmaster| postmaster.exited().is_none()) {
            return Err(ServerError::Control { doing: "start", reason: "it is already running".into() });
        }
        let postmaster = self.launch()?;
        self.state().postmaster = Some(postmaster);
        Ok(())
    }

    async fn pause(&self) -> Result<(), ServerError> {
        // `freeze` stops the postmaster before its children, so that it forks no more.
        process_tree::freeze(self.postmaster()?.pid());
        Ok(())
    }

    async fn resume(&self) -> Result<(), ServerError> {
        process_tree::signal_all(&process_tree::with_descendants(self.postmaster()?.pid()), Signal::SIGCONT);
        Ok(())
    }

    async fn crash_into_recovery(&self, backend: i32) -> Result<(), ServerError> {
        let postmaster = self.postmaster()?;
        // A thread of its own polls without pauses of the runtime: recovery takes a few hundred milliseconds, and must
        // be stopped near its beginning.
        let held = spawn_blocking(move || process::hold_recovery(&postmaster, backend, STOP_PATIENCE))
            .await
            .map_err(|error| ServerError::Control { doing: "crash", reason: error.to_string() })?;
        let pid = held.map_err(|reason| ServerError::Control {
            doing: "hold the recovery of",
            reason: format!("{reason}{}", self.log_tail()),
        })?;
        self.state().recovering = Some(pid);
        Ok(())
    }

    async fn release_recovery(&self) -> Result<(), ServerError> {
        match self.thaw_recovery() {
            true => Ok(()),
            false => Err(ServerError::Control { doing: "release", reason: "no recovery is held".into() }),
        }
    }

    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        let path = self.log.clone();
        let text =
            tokio::fs::read(&path).await.map_err(|source| ServerError::Folder { doing: "read", path, source })?;
        Ok(parse_log(&String::from_utf8_lossy(&text)))
    }

    async fn remove(&self) -> Result<(), ServerError> {
        self.thaw_recovery();
        self.unthrottle().await?;
        let mut ended = Ok(());
        if let Ok(postmaster) = self.postmaster() {
            postmaster.signal(Signal::SIGQUIT)?;
            process_tree::signal_all(&process_tree::with_descendants(postmaster.pid()), Signal::SIGCONT);
            ended = postmaster.wait(STOP_PATIENCE).await.map(drop);
        }
        self.state().postmaster = None;
        let data = self.data.clone();
        let _ = spawn_blocking(move || orphans::end_orphan(&data)).await;
        ended
    }

    async fn wait(&self, wanted: Readiness, within: Duration) -> Result<(), ServerError> {
        let postmaster = self.postmaster()?;
        let ready = readiness::wait(|| self.superuser(), wanted, within);
        tokio::select! {
            biased;
            ready = ready => ready,
            // A server that has ended, for example because of an unknown setting, will never be ready.
            status = postmaster.wait(within + STOP_PATIENCE) => Err(ServerError::Control {
                doing: "wait for",
                reason: format!("the process ended ({}) before it was {wanted}{}", status?, self.log_tail()),
            }),
        }
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// Ends the servers of a killed run; returns how many had processes.
pub(crate) fn end_leftovers(folder: &Path) -> usize {
    // The standby ends first, because it would keep reconnecting to a primary that has ended.
    [STANDBY, ""].iter().filter(|prefix| orphans::end_orphan(&folder.join(format!("{prefix}data")))).count()
}
