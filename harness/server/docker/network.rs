//! A network on which the containers of one run reach each other, by their names; nobody else is on it.

use std::thread;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error::DockerResponseServerError;
use testcontainers::bollard::models::{NetworkConnectRequest, NetworkCreateRequest};
use tokio::runtime::Builder;

use super::engine::{PATIENCE, ask, connect, failed};
use super::launch::unique_name;
use super::owner::Owner;
use super::{OWNER_LABEL, RUN_LABEL};
use crate::server::ServerError;

/// A network of ours; removed with its last handle, when no container is on it any more.
pub(super) struct Network {
    docker: Docker,
    name: String,
}

impl Network {
    pub async fn create(docker: &Docker, run: &str) -> Result<Network, ServerError> {
        let name = unique_name();
        let owner = Owner::this_process().map(|owner| (OWNER_LABEL.to_owned(), owner.to_string()));
        let labels = [(RUN_LABEL.to_owned(), run.to_owned())].into_iter().chain(owner).collect();
        let request = NetworkCreateRequest { name: name.clone(), labels: Some(labels), ..Default::default() };
        ask("make a network for two servers", PATIENCE, docker.create_network(request)).await?;
        Ok(Network { docker: docker.clone(), name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects a container that runs; returns the name by which others find it there.
    pub async fn admit(&self, container: &str) -> Result<String, ServerError> {
        let request = NetworkConnectRequest { container: container.to_owned(), ..Default::default() };
        ask("connect a server to its network", PATIENCE, self.docker.connect_network(&self.name, request)).await?;
        let found = self.docker.inspect_container(container, None);
        let name = ask("inspect the server's container", PATIENCE, found).await?.name.unwrap_or_default();
        match name.trim_start_matches('/') {
            "" => Err(failed("find the server on its network", "its container has no name")),
            name => Ok(name.to_owned()),
        }
    }
}

/// Removes a network; false where somebody else has, or where a container is still on it.
pub(super) async fn remove(docker: &Docker, name: &str) -> Result<bool, ServerError> {
    let work = async {
        match docker.remove_network(name).await {
            Err(DockerResponseServerError { status_code: 403 | 404 | 409, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    };
    ask("remove a network", PATIENCE, work).await
}

impl Drop for Network {
    /// Blocks until it is gone: the containers on it are, and this is the end of a run.
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let removal = thread::spawn(move || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                // A connection of its own: those of `self.docker` live on a runtime that may be waiting for us. What
                // cannot be removed now is swept by the next run.
                if let Ok(docker) = connect().await {
                    let _ = remove(&docker, &name).await;
                }
            });
        });
        let _ = removal.join();
    }
}
