//! A network for the containers of one run, where they resolve each other's names.

use std::thread;

use testcontainers::bollard::Docker;
use testcontainers::bollard::errors::Error::DockerResponseServerError;
use testcontainers::bollard::models::{NetworkConnectRequest, NetworkCreateRequest};
use tokio::runtime::Builder;

use super::engine::{PATIENCE, call, connect, failed};
use super::launch::unique_name;
use super::owner::Owner;
use super::{OWNER_LABEL, RUN_LABEL};
use crate::server::ServerError;

/// A network of one run; removed when dropped. The engine removes it only if no container is connected.
///
/// *Errors* of its methods: the engine refuses the request or does not answer in time.
pub(super) struct Network {
    docker: Docker,
    name: String,
}

impl Network {
    /// Creates a network with the labels of this run and its owner.
    pub async fn create(docker: &Docker, run: &str) -> Result<Network, ServerError> {
        let name = unique_name();
        let owner = Owner::this_process().map(|owner| (OWNER_LABEL.to_owned(), owner.to_string()));
        let labels = [(RUN_LABEL.to_owned(), run.to_owned())].into_iter().chain(owner).collect();
        let request = NetworkCreateRequest { name: name.clone(), labels: Some(labels), ..Default::default() };
        call("make a network for two servers", PATIENCE, docker.create_network(request)).await?;
        Ok(Network { docker: docker.clone(), name })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Connects a running container; returns its name on the network.
    pub async fn connect(&self, container: &str) -> Result<String, ServerError> {
        let request = NetworkConnectRequest { container: container.to_owned(), ..Default::default() };
        call("connect a server to its network", PATIENCE, self.docker.connect_network(&self.name, request)).await?;
        let inspected = self.docker.inspect_container(container, None);
        let name = call("inspect the server's container", PATIENCE, inspected).await?.name.unwrap_or_default();
        match name.trim_start_matches('/') {
            "" => Err(failed("find the server on its network", "its container has no name")),
            name => Ok(name.to_owned()),
        }
    }
}

/// Removes a network; returns `false` if it does not exist, or a container is still connected.
pub(super) async fn remove(docker: &Docker, name: &str) -> Result<bool, ServerError> {
    let work = async {
        match docker.remove_network(name).await {
            Err(DockerResponseServerError { status_code: 403 | 404 | 409, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    };
    call("remove a network", PATIENCE, work).await
}

impl Drop for Network {
    /// Removes the network, and blocks until this is done.
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        let removal = thread::spawn(move || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
            runtime.block_on(async {
                // A new connection is needed: those of `self.docker` belong to a runtime that may be waiting for this
                // thread. If the removal fails, the next run's sweep removes the network.
                if let Ok(docker) = connect().await {
                    let _ = remove(&docker, &name).await;
                }
            });
        });
        let _ = removal.join();
    }
}
