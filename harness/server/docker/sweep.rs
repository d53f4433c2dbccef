//! Removes containers and networks of killed runs. Does not touch those of live runs, and those without an owner label.

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{ContainerSummary, Network as NetworkSummary};
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use tokio::time::timeout;

use super::engine::{GLANCE, PATIENCE, call, connect};
use super::owner::Owner;
use super::{OWNER_LABEL, RUN_LABEL, network};
use crate::server::ServerError;

/// Removes containers and networks whose owner has ended; returns their descriptions. Does nothing without Docker.
///
/// *Errors*: the engine refuses a removal.
pub(crate) async fn sweep() -> Result<Vec<String>, ServerError> {
    let Some(here) = Owner::this_process() else { return Ok(Vec::new()) };
    // A machine without an engine has no containers to remove, so this is not an error.
    let Ok(Ok((docker, containers, networks))) = timeout(GLANCE, labelled()).await else { return Ok(Vec::new()) };
    let mut removed = Vec::new();
    for container in containers {
        let label = |name| container.labels.as_ref().and_then(|labels| labels.get(name));
        let Some(owner) = label(OWNER_LABEL).and_then(|label| Owner::parse(label)) else { continue };
        let Some(id) = container.id.as_deref().filter(|_| owner.is_gone(&here)) else { continue };
        if remove(&docker, id).await? {
            let name = container
                .names
                .as_ref()
                .and_then(|names| names.first())
                .map_or(id, |name| name.trim_start_matches('/'));
            let run = label(RUN_LABEL).map_or("?", String::as_str);
            removed.push(format!("container {name} of run {run}, left by process {}", owner.pid));
        }
    }
    // Networks come after containers, because a connected container prevents the removal of its network.
    for network in networks {
        let label = |name| network.labels.as_ref().and_then(|labels| labels.get(name));
        let Some(owner) = label(OWNER_LABEL).and_then(|label| Owner::parse(label)) else { continue };
        let Some(name) = network.name.as_deref().filter(|_| owner.is_gone(&here)) else { continue };
        if network::remove(&docker, name).await? {
            let run = label(RUN_LABEL).map_or("?", String::as_str);
            removed.push(format!("network {name} of run {run}, left by process {}", owner.pid));
        }
    }
    Ok(removed)
}

/// Removes a container with its volumes; returns `false` if it does not exist, or its removal has begun already.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<bool, ServerError> {
    use testcontainers::bollard::errors::Error::DockerResponseServerError;

    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let work = async {
        match docker.remove_container(id, Some(options)).await {
            Err(DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    };
    call("remove a container", PATIENCE, work).await
}

/// Lists all containers and networks with a run's label.
async fn labelled() -> Result<(Docker, Vec<ContainerSummary>, Vec<NetworkSummary>), ServerError> {
    let docker = connect().await?;
    let filters = [("label", vec![RUN_LABEL])].into();
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = call("list networks", GLANCE, docker.list_networks(Some(options))).await?;
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = call("list containers", GLANCE, docker.list_containers(Some(options))).await?;
    Ok((docker, containers, networks))
}
