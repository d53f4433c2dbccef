//! Starts a container: image, labels, settings, and a port published on loopback only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use testcontainers::bollard::Docker;
use testcontainers::bollard::models::PortBinding;
use testcontainers::core::IntoContainerPort;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};

use super::engine::{call, failed};
use super::owner::Owner;
use super::sweep::remove;
use super::{OWNER_LABEL, PORT, RUN_LABEL, SMALL_DISK, USER};
use crate::server::{LINE_PREFIX, ServerError};

/// Longest wait for pulling an image: 150 MB over a slow line.
const PULL_WITHIN: Duration = Duration::from_secs(10 * 60);

/// Longest wait until the engine has started the container's first process; Postgres may not be ready then.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Pulls the image if it is not local, and starts a container; returns before Postgres is ready.
///
/// *Errors*: the image cannot be pulled, or the container does not start.
pub(super) async fn launch(
    docker: &Docker,
    image: &str,
    run: &str,
    password: &str,
    settings: &[(String, String)],
    small_disk: bool,
) -> Result<ContainerAsync<GenericImage>, ServerError> {
    if docker.inspect_image(image).await.is_err() {
        pull(image).await?;
    }
    start(docker, image, request(image, run, password, settings, small_disk)).await
}

/// Starts a container of a local image; removes it if it does not start.
pub(super) async fn start(
    docker: &Docker,
    image: &str,
    request: ContainerRequest<GenericImage>,
) -> Result<ContainerAsync<GenericImage>, ServerError> {
    let name = unique_name();
    let request = request.with_container_name(&name);
    let doing = format!("start a container of the image {image}");
    let started = call(&doing, START_WITHIN, request.start()).await;
    if started.is_err() {
        // testcontainers forgets a container that it created but could not start.
        let _ = remove(docker, &name).await;
    }
    started
}

async fn pull(image: &str) -> Result<(), ServerError> {
    let doing = format!("pull the image {image}, which is not local");
    match call(&doing, PULL_WITHIN, generic(image).pull_image()).await {
        Err(ServerError::Docker { doing, reason }) => Err(failed(
            doing,
            format!(
                "{reason}; build an image with ci/postgres-image.sh 15 in a checkout of pgsquall, or name one that \
                 you have with --server docker:IMAGE"
            ),
        )),
        other => other.map(drop),
    }
}

fn request(
    image: &str,
    run: &str,
    password: &str,
    settings: &[(String, String)],
    small_disk: bool,
) -> ContainerRequest<GenericImage> {
    bare(image, run, small_disk)
        .with_cmd(["postgres".to_owned()].into_iter().chain(arguments(settings.iter())))
        .with_env_var("POSTGRES_USER", USER)
        .with_env_var("POSTGRES_PASSWORD", password)
}

/// Formats settings as arguments of `postgres`. The harness's log prefix is last, so a scenario cannot override it.
pub(super) fn arguments<'a>(settings: impl Iterator<Item = &'a (String, String)>) -> impl Iterator<Item = String> {
    let prefix = ("log_line_prefix".to_owned(), LINE_PREFIX.to_owned());
    let settings = settings.cloned().chain([prefix]);
    settings.flat_map(|(key, value)| ["-c".into(), format!("{key}={value}")])
}

/// Returns a request for a container with labels and a port on loopback, without a command.
pub(super) fn bare(image: &str, run: &str, small_disk: bool) -> ContainerRequest<GenericImage> {
    let mut request = generic(image)
        .with_exposed_port(PORT.tcp())
        .with_label(RUN_LABEL, run)
        .with_host_config_modifier(move |host| {
            // The disk is writable by all users, because the server's user id differs between images.
            host.tmpfs = small_disk.then(|| HashMap::from([(SMALL_DISK.into(), "size=4m,mode=1777".into())]));
            // By default, testcontainers publishes on every interface of the machine.
            let loopback = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None };
            host.publish_all_ports = Some(false);
            host.port_bindings = Some(HashMap::from([(format!("{PORT}/tcp"), Some(vec![loopback]))]));
        });
    if let Some(owner) = Owner::this_process() {
        request = request.with_label(OWNER_LABEL, owner.to_string());
    }
    request
}

fn generic(image: &str) -> GenericImage {
    let (name, tag) = split(image);
    GenericImage::new(name, tag)
}

/// Splits an image's name and tag. A colon before the last slash separates a registry's port, not a tag.
fn split(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    }
}

/// Returns a new name for a container or network, by which it can be removed if its creation fails half-way.
pub(super) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let started = Owner::this_process().map_or(0, |owner| owner.started);
    format!("pgsquall-{}-{started}-{count}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_splits_like_in_docker() {
        assert_eq!(split("postgres:17"), ("postgres", "17"));
        assert_eq!(split("postgres"), ("postgres", "latest"));
        assert_eq!(split("localhost:5000/postgres"), ("localhost:5000/postgres", "latest"));
        assert_eq!(split("localhost:5000/postgres:17"), ("localhost:5000/postgres", "17"));
        assert_eq!(split("postgres@sha256:abc"), ("postgres@sha256", "abc"));
    }

    #[test]
    fn unique_names_differ() {
        assert_ne!(unique_name(), unique_name());
    }
}
