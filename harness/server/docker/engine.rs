//! The Docker engine: connecting, listing images, and requests with deadlines whose errors name the request.

use std::fmt::Display;
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::ListImagesOptionsBuilder;
use testcontainers::core::client::docker_client_instance;
use tokio::time::timeout;

use crate::server::ServerError;
use crate::server::superuser::explain;

/// Images that `ci/postgres-image.sh` builds, in the order of preference.
const BUILT: [&str; 3] = ["pgsquall/postgres:17", "pgsquall/postgres:15", "pgsquall/postgres:13"];

/// The image to use, and to pull if it is not local, if none of [`BUILT`] exists.
const OFFICIAL: &str = "postgres:17";

/// Longest wait for a request that an idle engine answers at once. On a loaded machine, creating or removing a
/// container can take seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Longest wait for a query of the engine at the start of every run, while the user waits.
pub(super) const GLANCE: Duration = Duration::from_secs(3);

/// Connects as testcontainers does: by `DOCKER_HOST`, the current context, or the usual sockets.
pub(super) async fn connect() -> Result<Docker, ServerError> {
    docker_client_instance().await.map_err(|error| failed("reach the Docker engine", explain(&error)))
}

/// Makes a request with a deadline.
///
/// *Errors*: [`ServerError::Docker`] with `doing`, if the request fails or the deadline passes.
pub(super) async fn call<T, E: std::error::Error + 'static>(
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

/// Returns the first of [`BUILT`] that is local, else [`OFFICIAL`].
pub(super) async fn default_image(docker: &Docker) -> Result<String, ServerError> {
    let here = images(docker, &BUILT).await?;
    Ok(BUILT.into_iter().find(|name| here.iter().any(|image| image == name)).unwrap_or(OFFICIAL).to_owned())
}

/// Describes the engine and its Postgres images, for `list`.
///
/// *Errors*: why containers cannot be used.
pub(crate) async fn availability() -> Result<String, String> {
    let look = async {
        let docker = connect().await?;
        let version = call("read the engine's version", GLANCE, docker.version()).await?;
        let mut here = images(&docker, &["pgsquall/postgres", "postgres"]).await?;
        here.sort();
        let engine = version.version.unwrap_or_else(|| "of an unknown version".into());
        Ok::<_, ServerError>(match here.as_slice() {
            [] => format!("Docker {engine}, no Postgres image yet: a run would pull {OFFICIAL}"),
            here => format!("Docker {engine}, images: {}", here.join(", ")),
        })
    };
    match timeout(GLANCE, look).await {
        Ok(engine) => engine.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the Docker engine did not answer within {GLANCE:?}")),
    }
}

/// Returns the tags of local images that match any of the references.
async fn images(docker: &Docker, references: &[&str]) -> Result<Vec<String>, ServerError> {
    let filters = [("reference", references.to_vec())].into();
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let images = call("list the engine's images", PATIENCE, docker.list_images(Some(options))).await?;
    Ok(images.into_iter().flat_map(|image| image.repo_tags).collect())
}
