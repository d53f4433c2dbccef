//! A server in a container. Uses testcontainers, and the engine's API for what testcontainers lacks: signals, labels,
//! exec as root.
//!
//! Works with any image that follows the official `postgres` image's contract. Connects to a port published on
//! loopback, not to a bridge address, so the engine must be on this machine. Does not build images: see
//! `ci/postgres-image.sh`.

mod container;
mod engine;
mod launch;
mod network;
mod owner;
mod recovery;
mod standby;
mod sweep;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use container::Container;
pub(crate) use engine::availability;
use engine::failed;
use network::Network;
use parking_lot::Mutex;
pub(crate) use sweep::sweep;
use testcontainers::bollard::models::ContainerUpdateBody;

use super::{LogLine, Readiness, Server, ServerError, Shortage, Superuser, parse_log};
use crate::credentials::password;
use crate::model::fault::{Share, StopMode};
use crate::model::history::ServerFacts;

const USER: &str = "postgres";
const PORT: u16 = 5432;
const RUN_LABEL: &str = "pgsquall.run";
const OWNER_LABEL: &str = "pgsquall.owner";

/// The mount point of a container's small disk.
const SMALL_DISK: &str = "/pgsquall_small";

/// Memory limit while memory is short, in bytes. An idle server needs a third of it.
const SHORT_MEMORY: i64 = 160 << 20;

/// Memory limit after the fault, in bytes: 1 TiB, in effect none. The engine cannot remove a container's limit, and
/// accepts a joint limit on memory and swap only if both are equal.
const AMPLE_MEMORY: i64 = 1 << 40;

/// Period of the CPU quota, in microseconds.
const PERIOD: i64 = 100_000;

/// Longest wait from a container's start to its first query. The entrypoint first creates a cluster: 2 s; 10 s on a
/// busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Longest wait for a fast or immediate shutdown.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Longest wait for a smart shutdown, which waits for sessions to end.
const SMART_STOP_WITHIN: Duration = Duration::from_secs(60);

/// A running or stopped container with Postgres as its first process.
pub(crate) struct DockerServer {
    container: Container,
    image: String,
    version: String,
    password: String,
    /// The pid, inside the container, of the startup process while a recovery is held.
    held: Mutex<Option<i32>>,
    /// The network shared with the standby. Must be dropped after the container, which is connected to it.
    network: Option<Arc<Network>>,
    has_small_disk: bool,
}

impl DockerServer {
    /// Starts a server and waits until it runs queries. `image`; `None`: [`engine::default_image`]. `run`: for a label.
    ///
    /// *Errors*: the engine does not answer, the image cannot be pulled, or the server does not start.
    pub(crate) async fn create(
        image: Option<&str>,
        run: &str,
        settings: &[(String, String)],
        has_small_disk: bool,
    ) -> Result<DockerServer, ServerError> {
        let docker = engine::connect().await?;
        let image = match image {
            Some(image) => image.to_owned(),
            None => engine::default_image(&docker).await?,
        };
        let password = password();
        let container = launch::launch(&docker, &image, run, &password, settings, has_small_disk).await?;
        let container = Container::new(docker, container);
        let (version, held) = (String::new(), Mutex::new(None));
        let mut server = DockerServer { container, image, version, password, held, network: None, has_small_disk };
        server.version = server.await_creation().await?;
        Ok(server)
    }

    /// Waits until a new server runs queries; returns its version. After an error, removes the server.
    async fn await_creation(&self) -> Result<String, ServerError> {
        let version = self.first_query().await;
        if version.is_err() {
            // The first error matters more than that of a failed removal.
            let _ = self.remove().await;
        }
        version
    }

    /// Waits for the first query; returns the server's version.
    ///
    /// *Errors*: the container has ended (at once, with the end of its log), or the wait takes too long.
    async fn first_query(&self) -> Result<String, ServerError> {
        tokio::select! {
            ready = async {
                self.container.find_port().await?;
                self.wait(Readiness::AcceptingQueries, READY_WITHIN).await
            } => ready?,
            code = self.container.ended() => {
                let log = self.container.log().await?;
                let tail: Vec<_> = log.lines().rev().take(5).collect();
                let tail: Vec<_> = tail.into_iter().rev().collect();
                let reason = format!("it ended with exit code {}; its log ends with: {}", code?, tail.join("\n"));
                return Err(failed(format!("start Postgres in a container of {}", self.image), reason));
            }
        }
        let rows = self.superuser().connect().await?.rows("SHOW server_version", &[]).await?;
        // Debian says "15.18 (Debian 15.18-0+deb12u1)".
        let version: &str = rows.first().map_or("", |row| row.get(0));
        Ok(version.split(' ').next().unwrap_or_default().to_owned())
    }

    fn take_held(&self) -> Option<i32> {
        self.held.lock().take()
    }
}

#[async_trait]
impl Server for DockerServer {
    fn facts(&self) -> ServerFacts {
        ServerFacts { kind: "docker".into(), version: self.version.clone(), origin: self.image.clone() }
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.container.port()).into()
    }

    fn superuser(&self) -> Superuser {
        let address = self.address();
        let mut config = tokio_postgres::Config::new();
        config.host(address.ip().to_string()).port(address.port());
        config.user(USER).password(&self.password).dbname("postgres");
        Superuser::new(config)
    }

    async fn stop(&self, mode: StopMode) -> Result<(), ServerError> {
        if let Some(held) = self.take_held() {
            // A stopped startup process ignores the shutdown. A released recovery must also finish first: otherwise a
            // fast shutdown never ends, because the postmaster waits for a checkpointer that stays (measured: 15.20).
            self.container.release(held).await?;
            self.wait(Readiness::AcceptingQueries, READY_WITHIN).await?;
        }
        let within = if mode == StopMode::Smart { SMART_STOP_WITHIN } else { STOP_WITHIN };
        self.container.end("stop", signal_of(mode), within).await.map(drop)
    }

    async fn request_stop(&self, mode: StopMode) -> Result<(), ServerError> {
        self.container.signal("stop", signal_of(mode)).await
    }

    async fn ended(&self, within: Duration) -> Result<(), ServerError> {
        self.container.end_within("watch", within).await.map(drop)
    }

    async fn kill_backend(&self, backend: i32) -> Result<(), ServerError> {
        self.container.kill_process(backend).await
    }

    async fn squeeze_memory(&self) -> Result<Shortage, ServerError> {
        let (memory, memory_swap) = (Some(SHORT_MEMORY), Some(SHORT_MEMORY));
        self.container.allow(ContainerUpdateBody { memory, memory_swap, ..Default::default() }).await?;
        Ok(Shortage::Kills)
    }

    async fn release_memory(&self) -> Result<(), ServerError> {
        let (memory, memory_swap) = (Some(AMPLE_MEMORY), Some(AMPLE_MEMORY));
        self.container.allow(ContainerUpdateBody { memory, memory_swap, ..Default::default() }).await
    }

    async fn throttle(&self, share: Share) -> Result<(), ServerError> {
        let cpu_quota = Some((PERIOD as f64 * share.as_f64()) as i64);
        let cpu_period = Some(PERIOD);
        self.container.allow(ContainerUpdateBody { cpu_quota, cpu_period, ..Default::default() }).await
    }

    async fn unthrottle(&self) -> Result<(), ServerError> {
        self.container.allow(ContainerUpdateBody { cpu_quota: Some(-1), ..Default::default() }).await
    }

    fn small_disk(&self) -> Option<String> {
        self.has_small_disk.then(|| SMALL_DISK.to_owned())
    }

    async fn kill(&self) -> Result<String, ServerError> {
        let code = self.container.end("kill", "SIGKILL", STOP_WITHIN).await?;
        self.take_held();
        Ok(format!("container exited with code {code}"))
    }

    async fn start(&self) -> Result<(), ServerError> {
        self.container.start().await
    }

    async fn pause(&self) -> Result<(), ServerError> {
        self.container.pause().await
    }

    async fn resume(&self) -> Result<(), ServerError> {
        self.container.resume().await
    }

    async fn crash_into_recovery(&self, backend: i32) -> Result<(), ServerError> {
        let pid = self.container.crash(backend).await?;
        *self.held.lock() = Some(pid);
        Ok(())
    }

    async fn release_recovery(&self) -> Result<(), ServerError> {
        match self.take_held() {
            Some(pid) => self.container.release(pid).await,
            None => Ok(()),
        }
    }

    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        Ok(parse_log(&self.container.log().await?))
    }

    async fn remove(&self) -> Result<(), ServerError> {
        self.container.remove().await
    }
}

fn signal_of(mode: StopMode) -> &'static str {
    match mode {
        StopMode::Smart => "SIGTERM",
        StopMode::Fast => "SIGINT",
        StopMode::Immediate => "SIGQUIT",
    }
}
