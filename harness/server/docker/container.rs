//! One container: signals, limits, its end, its log, its port on loopback. Of Postgres, only the port matters here.

use std::pin::pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use parking_lot::Mutex;
use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error as EngineError;
use testcontainers::bollard::models::ContainerUpdateBody;
use testcontainers::bollard::query_parameters::{KillContainerOptionsBuilder, LogsOptionsBuilder};
use testcontainers::core::error::ClientError;
use testcontainers::{ContainerAsync, GenericImage, TestcontainersError};
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use super::PORT;
use super::engine::{PATIENCE, call, failed};
use crate::server::ServerError;

/// A container that the harness created, running or not, until it is removed.
///
/// *Errors* of its methods: the engine refuses the request or does not answer in time.
pub(super) struct Container {
    pub docker: Docker,
    pub id: String,
    /// The published port; changes with each start.
    port: AtomicU16,
    /// `None` once removed. The `Drop` of the value removes the container.
    inner: Mutex<Option<ContainerAsync<GenericImage>>>,
}

impl Container {
    pub fn new(docker: Docker, inner: ContainerAsync<GenericImage>) -> Container {
        let id = inner.id().to_owned();
        Container { docker, id, port: AtomicU16::new(0), inner: Mutex::new(Some(inner)) }
    }

    /// Returns the port that [`find_port`](Container::find_port) read last; 0 before that.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Acquire)
    }

    /// Reads the published port from the engine, and stores it.
    ///
    /// *Errors*: the container has no published port, for example because it has ended.
    pub async fn find_port(&self) -> Result<(), ServerError> {
        let found =
            call("inspect the server's container", PATIENCE, self.docker.inspect_container(&self.id, None)).await?;
        let ports = found.network_settings.and_then(|network| network.ports).unwrap_or_default();
        let bindings = ports.get(&format!("{PORT}/tcp")).cloned().flatten().unwrap_or_default();
        let port = bindings.iter().find_map(|binding| binding.host_port.as_ref()?.parse().ok());
        let port = port.ok_or_else(|| failed("find the server's port", format!("its bindings are {bindings:?}")))?;
        self.port.store(port, Ordering::Release);
        Ok(())
    }

    /// Starts the container again, and reads its new port.
    pub async fn start(&self) -> Result<(), ServerError> {
        call("start the server's container", PATIENCE, self.docker.start_container(&self.id, None)).await?;
        self.find_port().await
    }

    pub async fn pause(&self) -> Result<(), ServerError> {
        call("pause the server's container", PATIENCE, self.docker.pause_container(&self.id)).await
    }

    pub async fn resume(&self) -> Result<(), ServerError> {
        call("resume the server's container", PATIENCE, self.docker.unpause_container(&self.id)).await
    }

    /// Sends a signal to the first process. `doing`: the operation, for errors.
    pub async fn signal(&self, doing: &'static str, signal: &str) -> Result<(), ServerError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let kill = self.docker.kill_container(&self.id, Some(options));
        let control = |error: ServerError| ServerError::Control { doing, reason: error.to_string() };
        call("signal the server", PATIENCE, kill).await.map_err(control)
    }

    /// Changes the resource limits of the running container.
    pub async fn allow(&self, resources: ContainerUpdateBody) -> Result<(), ServerError> {
        call("change the limits of the server's container", PATIENCE, self.docker.update_container(&self.id, resources))
            .await
            .map(drop)
    }

    /// Sends a signal to the first process, and waits until the container has ended; returns its exit code.
    pub async fn end(&self, doing: &'static str, signal: &str, within: Duration) -> Result<i64, ServerError> {
        self.signal(doing, signal).await?;
        self.end_within(doing, within).await
    }

    /// Waits until the container has ended; returns its exit code.
    ///
    /// *Errors*: it still runs after `within`; with the last state.
    pub async fn end_within(&self, doing: &'static str, within: Duration) -> Result<i64, ServerError> {
        let control = |reason| ServerError::Control { doing, reason };
        match timeout(within, self.ended()).await {
            Ok(code) => code,
            Err(_) => {
                let last = match timeout(PATIENCE, self.docker.inspect_container(&self.id, None)).await {
                    Ok(Ok(found)) => format!("{:?}", found.state.and_then(|state| state.status)),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer from the engine".into(),
                };
                Err(control(format!("its container did not end within {within:?}; last state: {last}")))
            }
        }
    }

    /// Waits without a deadline until the container is not running; returns its exit code.
    pub async fn ended(&self) -> Result<i64, ServerError> {
        match pin!(self.docker.wait_container(&self.id, None)).next().await {
            Some(Ok(end)) => Ok(end.status_code),
            // The API reports every exit code but 0 as an error.
            Some(Err(EngineError::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(failed("wait for a container", error)),
            None => Err(failed("wait for a container", "the engine closed the connection")),
        }
    }

    /// Returns the output of all processes since the container's creation; the last milliseconds may be missing.
    pub async fn log(&self) -> Result<String, ServerError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("all").build();
        let work = async {
            let mut text = Vec::new();
            let mut chunks = pin!(self.docker.logs(&self.id, Some(options)));
            while let Some(chunk) = chunks.next().await {
                text.extend(chunk?.into_bytes());
            }
            Ok::<_, EngineError>(String::from_utf8_lossy(&text).into_owned())
        };
        call("read the server's log", PATIENCE, work).await
    }

    /// Removes the container with its volumes. A second call does nothing.
    pub async fn remove(&self) -> Result<(), ServerError> {
        let container = self.inner.lock().take();
        let Some(container) = container else { return Ok(()) };
        let work = async {
            match container.rm().await {
                // The container is removed already, or its removal has begun.
                Err(TestcontainersError::Client(ClientError::RemoveContainer(
                    EngineError::DockerResponseServerError { status_code: 404 | 409, .. },
                ))) => Ok(()),
                other => other,
            }
        };
        call("remove the server's container", PATIENCE, work).await
    }
}

impl Drop for Container {
    /// Removes the container if [`remove`](Container::remove) was not called, after a panic or an early return.
    fn drop(&mut self) {
        let container = self.inner.get_mut().take();
        // testcontainers' Drop blocks this thread until it is done, and panics outside a runtime.
        if Handle::try_current().is_ok() {
            return drop(container);
        }
        match Builder::new_current_thread().build() {
            Ok(runtime) => {
                let _entered = runtime.enter();
                drop(container);
            }
            // The next run's sweep removes the container.
            Err(_) => std::mem::forget(container),
        }
    }
}
