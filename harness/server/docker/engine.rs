//! The Docker engine itself: reaching it, the images it has, and errors that say what it was asked to do.

use std::fmt::Display;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::ListImagesOptionsBuilder;
use testcontainers::core::client::docker_client_instance;
use tokio::time::timeout;

use crate::server::ServerError;
use crate::server::superuser::explain;

/// Images that `ci/postgres-image.sh` builds, the one preferred first.
const BUILT: [&str; 3] = ["pgsquall/postgres:17", "pgsquall/postgres:15", "pgsquall/postgres:13"];

/// What is asked for where none of those is there.
const OFFICIAL: &str = "postgres:17";

/// Longest for one request that an engine answers at once. On a loaded machine, creating or removing a container has
/// been seen to take seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Longest that finding out about the engine may take: people wait for it at the start of every run.
pub(super) const GLANCE: Duration = Duration::from_secs(3);

/// Connects the way testcontainers does: `DOCKER_HOST`, the current context, the usual sockets.
pub(super) async fn connect() -> Result<Docker, ServerError> {
    docker_client_instance().await.map_err(|error| failed("reach the Docker engine", explain(&error)))
}

/// One engine request with a deadline.
pub(super) async fn ask<T, E: std::error::Error + 'static>(
    doing: &str,
    within: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, ServerError> {
    match timeout(within, work).await {
        Ok(answer) => answer.map_err(|error| failed(doing, explain(&error))),
        Err(_) => Err(failed(doing, format!("no answer from the engine within {within:?}"))),
    }
}

pub(super) fn failed(doing: impl Into<String>, reason: impl Display) -> ServerError {
    ServerError::Docker { doing: doing.into(), reason: reason.to_string() }
}

/// The image for a server whose image nobody named.
pub(super) async fn default_image(docker: &Docker) -> Result<String, ServerError> {
    let here = images(docker, &BUILT).await?;
    Ok(BUILT.into_iter().find(|name| here.iter().any(|image| image == name)).unwrap_or(OFFICIAL).to_owned())
}

/// Whether servers in containers can be had, for `doctor`: the engine and its Postgres images, or why not.
pub(crate) async fn availability() -> Result<String, String> {
    let look = async {
        let docker = connect().await?;
        let version = ask("ask the engine for its version", GLANCE, docker.version()).await?;
        let mut here = images(&docker, &["pgsquall/postgres", "postgres"]).await?;
        here.sort();
        let engine = version.version.unwrap_or_else(|| "of unknown version".into());
        Ok::<_, ServerError>(match here.as_slice() {
            [] => format!("Docker {engine}, no Postgres image yet: a run would pull {OFFICIAL}"),
            here => format!("Docker {engine}, images: {}", here.join(", ")),
        })
    };
    match timeout(GLANCE, look).await {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the Docker engine did not answer within {GLANCE:?}")),
    }
}

/// The tags of local images that match any of the references.
async fn images(docker: &Docker, references: &[&str]) -> Result<Vec<String>, ServerError> {
    let filters = [("reference", references.to_vec())].into();
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let images = ask("list the engine's images", PATIENCE, docker.list_images(Some(options))).await?;
    Ok(images.into_iter().flat_map(|image| image.repo_tags).collect())
}
