//! Removal of containers and networks: those of this process and of killed runs, never those of others.

use testcontainers::bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use testcontainers::bollard::query_parameters::CreateContainerOptions;

use super::super::owner::Owner;
use super::*;

#[tokio::test]
async fn container_is_removed_by_call_and_by_drop() {
    let server = server_or_skip!();
    server.remove().await.unwrap();
    assert!(!exists(&server).await);
    server.remove().await.unwrap();

    let server = create(&[]).await;
    assert!(sweep::remove(&server.container.docker, &server.container.id).await.unwrap());
    server.remove().await.unwrap();

    let server = create(&[]).await;
    let (docker, id) = (server.container.docker.clone(), server.container.id.clone());
    // The drop must also work on a thread without a runtime.
    std::thread::spawn(move || drop(server)).join().unwrap();
    docker.inspect_container(&id, None).await.unwrap_err();
}

#[tokio::test]
async fn sweep_removes_only_orphaned_containers() {
    let living = server_or_skip!();
    let here = Owner::this_process().unwrap();
    let dead = Owner { started: here.started - 1, ..here.clone() };
    let orphan = container_of(&living, &dead).await;
    let foreign = container_of(&living, &Owner { uid: here.uid + 1, ..dead }).await;

    let removed = sweep().await.unwrap();

    assert!(removed.iter().any(|text| text.contains("of run swept, left by process")), "{removed:?}");
    living.container.docker.inspect_container(&orphan, None).await.unwrap_err();
    living.container.docker.inspect_container(&foreign, None).await.unwrap();
    assert_answers(&living).await;
    sweep::remove(&living.container.docker, &foreign).await.unwrap();
    living.remove().await.unwrap();
}

/// Runs only on machines without Docker; elsewhere: `DOCKER_HOST=unix:///nowhere cargo test --lib docker::`
#[tokio::test]
async fn sweep_without_docker_is_not_an_error() {
    if availability().await.is_ok() {
        return println!("skipped: needs a machine without Docker");
    }
    let before = Instant::now();
    assert_eq!(sweep().await.unwrap(), Vec::<String>::new());
    assert!(before.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn sweep_removes_only_orphaned_networks() {
    let server = server_or_skip!();
    let docker = &server.container.docker;
    let here = Owner::this_process().unwrap();
    let dead = Owner { started: here.started - 1, ..here.clone() };
    let named = |name: &str| format!("pgsquall-test-{name}-{}", std::process::id());
    for (name, owner) in [("dead", &dead), ("living", &here)] {
        let labels = [(RUN_LABEL.to_owned(), "swept".to_owned()), (OWNER_LABEL.to_owned(), owner.to_string())].into();
        let request = NetworkCreateRequest { name: named(name), labels: Some(labels), ..Default::default() };
        docker.create_network(request).await.unwrap();
    }
    sweep().await.unwrap();
    docker.inspect_network(&named("dead"), None).await.unwrap_err();
    assert!(
        network::remove(docker, &named("living")).await.unwrap(),
        "the sweep removed the network of a running process"
    );
    server.remove().await.unwrap();
}

/// Creates a container with this owner's label, without starting it; returns its id.
async fn container_of(server: &DockerServer, owner: &Owner) -> String {
    let labels = [(RUN_LABEL.to_owned(), "swept".to_owned()), (OWNER_LABEL.to_owned(), owner.to_string())].into();
    let body = ContainerCreateBody { image: Some(IMAGE.into()), labels: Some(labels), ..Default::default() };
    server.container.docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id
}
