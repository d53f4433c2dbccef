//! Removing what runs that were killed have left behind. Containers of anybody else, or of runs still going, stay.

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::{ContainerSummary, Network as NetworkSummary};
use testcontainers::bollard::query_parameters::{
    ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder,
};
use tokio::time::timeout;

use super::engine::{GLANCE, PATIENCE, ask, connect};
use super::owner::Owner;
use super::{OWNER_LABEL, RUN_LABEL, network};
use crate::server::ServerError;

/// Removes containers and networks whose owner has ended, and says what they were. Does nothing where there is no
/// Docker.
pub(crate) async fn sweep() -> Result<Vec<String>, ServerError> {
    let Some(here) = Owner::this_process() else { return Ok(Vec::new()) };
    // Most machines have no engine, and that is no error: the runs on them use none.
    let Ok(Ok((docker, containers, networks))) = timeout(GLANCE, ours()).await else { return Ok(Vec::new()) };
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
    // No container is on them any more.
    for found in networks {
        let label = |name| found.labels.as_ref().and_then(|labels| labels.get(name));
        let Some(owner) = label(OWNER_LABEL).and_then(|label| Owner::parse(label)) else { continue };
        let Some(name) = found.name.as_deref().filter(|_| owner.is_gone(&here)) else { continue };
        if network::remove(&docker, name).await? {
            let run = label(RUN_LABEL).map_or("?", String::as_str);
            removed.push(format!("network {name} of run {run}, left by process {}", owner.pid));
        }
    }
    Ok(removed)
}

/// Removes a container with its volumes; false where somebody else has, or is about to.
pub(super) async fn remove(docker: &Docker, id: &str) -> Result<bool, ServerError> {
    use testcontainers::bollard::errors::Error::DockerResponseServerError;

    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    let work = async {
        match docker.remove_container(id, Some(options)).await {
            Err(DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(false),
            other => other.map(|()| true),
        }
    };
    ask("remove a container", PATIENCE, work).await
}

async fn ours() -> Result<(Docker, Vec<ContainerSummary>, Vec<NetworkSummary>), ServerError> {
    let docker = connect().await?;
    let filters = [("label", vec![RUN_LABEL])].into();
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let networks = ask("list networks", GLANCE, docker.list_networks(Some(options))).await?;
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let containers = ask("list containers", GLANCE, docker.list_containers(Some(options))).await?;
    Ok((docker, containers, networks))
}
