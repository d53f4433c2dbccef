//! Idle connections through a device that forgets them: what clients notice of conntrack expiry, with real sockets
//! and the kernel's own table.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use super::{Signed, Stage};
use crate::environment::choice::ServerSource;
use crate::model::history::{Evidence, Severed};
use crate::netns::{self, ClientNetns};
use crate::server::Binaries;

/// Longer than an idle timeout of one second, by far more than a timer can be late.
const EXPIRED: Duration = Duration::from_millis(1_800);

/// An answer that takes longer on this machine counts as none; this includes half a second of retransmissions.
const SILENCE: Duration = Duration::from_secs(2);

/// Sets up a device in front of a local server; `None`, with a message, if there is no kernel plane or no server.
async fn stage(kind: &str, seconds: u64, server: &str) -> Option<Stage> {
    let source = match (&netns::available().await.in_process, Binaries::find()) {
        (Ok(()), Ok(binaries)) => ServerSource::Local(binaries),
        (Err(reason), _) => {
            println!("skipped: no kernel plane: {reason}");
            return None;
        }
        (_, Err(error)) => {
            println!("skipped on local: {error}");
            return None;
        }
    };
    let scenario = format!(
        "schema = 1\ntitle = \"t\"\n{server}\n[[fault]]\nkind = \"{kind}\"\nafter = \"{seconds}s\"\nat = \"2s\"\nfor = \"5s\"\n"
    );
    Some(Stage::set_on(Some(ClientNetns::Machine), &source, &scenario).await)
}

fn count(evidence: &[Evidence], what: &str) -> u64 {
    let found = evidence.iter().find(|found| found.what == what);
    found.unwrap_or_else(|| panic!("no {what} in {evidence:?}")).count
}

/// Returns whether a session answers within [`SILENCE`].
async fn answers(client: &tokio_postgres::Client) -> Result<bool, tokio_postgres::Error> {
    match timeout(SILENCE, client.batch_execute("SELECT 1")).await {
        Ok(answered) => answered.map(|()| true),
        Err(_) => Ok(false),
    }
}

#[tokio::test]
async fn silent_device_forgets_for_good() {
    let Some(mut stage) = stage("idle-drop", 1, "").await else { return };
    let (idle, busy) = (stage.sign_in().await.unwrap(), stage.sign_in().await.unwrap());
    // Idle before the fault, and not used again until its flow has expired.
    sleep(Duration::from_millis(300)).await;
    stage.inject(0).await;
    for _ in 0..6 {
        sleep(EXPIRED / 6).await;
        assert!(answers(&busy.client).await.unwrap(), "what is in use is remembered");
    }
    assert!(!answers(&idle.client).await.unwrap());
    let evidence = stage.evidence(0).await;
    assert_eq!(count(&evidence, "flows expired"), 2, "the busy one has been idle meanwhile: {evidence:?}");
    assert!(count(&evidence, "packets dropped") > 0, "{evidence:?}");
    assert_eq!(count(&evidence, "flows kept alive by probes"), 0);
    stage.heal(0).await;
    let new = stage.sign_in().await.unwrap();
    sleep(EXPIRED).await;
    assert!(answers(&new.client).await.unwrap(), "it remembers for as long as it used to");
    assert!(!answers(&busy.client).await.unwrap(), "what is forgotten stays forgotten");
    assert_eq!(count(&stage.evidence(0).await, "flows expired"), 2);
    stage.close().await;
}

#[tokio::test]
async fn resetting_device_answers_client_that_speaks_first() {
    let Some(mut stage) = stage("idle-reset", 1, "").await else { return };
    let session = stage.sign_in().await.unwrap();
    stage.inject(0).await;
    sleep(EXPIRED).await;
    let error = answers(&session.client).await.unwrap_err();
    assert!(error.is_closed() || format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    let evidence = stage.evidence(0).await;
    assert_eq!(count(&evidence, "RSTs sent"), 1, "{evidence:?}");
    stage.close().await;
}

/// Lets the server send first, after the idle timeout; asserts that its answer does not arrive.
async fn server_first(stage: &mut Stage) -> Signed {
    let session = stage.sign_in().await.unwrap();
    stage.inject(0).await;
    let asked = timeout(EXPIRED + SILENCE, session.client.batch_execute("SELECT pg_sleep(1.8)")).await;
    assert!(asked.is_err(), "{asked:?}");
    session
}

#[tokio::test]
async fn server_speaks_first_to_silent_device() {
    let Some(mut stage) = stage("idle-drop", 1, "").await else { return };
    let session = server_first(&mut stage).await;
    let ended = timeout(Duration::from_millis(100), stage.end_of(session.id)).await;
    assert!(ended.is_err(), "{ended:?}");
    let evidence = stage.evidence(0).await;
    assert!(count(&evidence, "packets dropped") >= 2, "sent again and again: {evidence:?}");
    stage.close().await;
}

#[tokio::test]
async fn server_speaks_first_to_resetting_device() {
    let Some(mut stage) = stage("idle-reset", 1, "").await else { return };
    let session = server_first(&mut stage).await;
    assert_eq!(stage.end_of(session.id).await, Severed::ClientReset);
    assert_eq!(count(&stage.evidence(0).await, "RSTs sent"), 1);
    assert!(!session.client.is_closed());
    stage.close().await;
}

/// Signs in with TCP keepalive as the documents advise, with shorter times.
async fn keeping_alive(stage: &Stage) -> tokio_postgres::Client {
    let address = &stage.environment.address;
    let mut config = address.at(stage.environment.gateway.address());
    config.password(address.current_password().unwrap());
    let second = Duration::from_secs(1);
    config.keepalives_idle(second).keepalives_interval(second).keepalives_retries(3);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn keepalive_of_either_side_keeps_flow() {
    for server in ["", "[server]\nkeepalive = { idle = \"1s\", interval = \"1s\", count = 5 }"] {
        let Some(mut stage) = stage("idle-drop", 3, server).await else { return };
        let (own, bare) = (keeping_alive(&stage).await, stage.sign_in().await.unwrap());
        stage.inject(0).await;
        sleep(Duration::from_millis(4_500)).await;
        assert!(answers(&own).await.unwrap());
        assert_eq!(answers(&bare.client).await.unwrap(), !server.is_empty());
        let evidence = stage.evidence(0).await;
        let (expired, seen) = if server.is_empty() { (1, "client") } else { (0, "server") };
        assert_eq!(count(&evidence, "flows expired"), expired, "{evidence:?}");
        assert!(count(&evidence, &format!("keepalives seen from the {seen}")) >= 3, "{evidence:?}");
        stage.close().await;
    }
}

#[tokio::test]
async fn flow_kept_by_probes_alone_is_evidence() {
    let Some(mut stage) = stage("idle-drop", 3, "").await else { return };
    let _session = keeping_alive(&stage).await;
    stage.inject(0).await;
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(count(&stage.evidence(0).await, "flows kept alive by probes"), 0, "it is not due yet");
    sleep(Duration::from_millis(1_500)).await;
    let evidence = stage.evidence(0).await;
    assert_eq!(count(&evidence, "flows kept alive by probes"), 1, "{evidence:?}");
    assert!(evidence.iter().any(|found| found.decisive && found.count > 0));
    stage.close().await;
}

#[tokio::test]
async fn keepalive_is_no_activity_to_a_device_that_closes() {
    let Some(mut stage) = stage("idle-close", 2, "").await else { return };
    let session = keeping_alive(&stage).await;
    let id = stage.connections().into_iter().max().unwrap();
    stage.inject(0).await;
    assert_eq!(stage.end_of(id).await, Severed::Closed);
    assert_eq!(count(&stage.evidence(0).await, "connections closed"), 1);
    let error = session.batch_execute("SELECT 1").await.unwrap_err();
    assert!(error.is_closed() && error.code() != Some(&SqlState::ADMIN_SHUTDOWN), "{error:?}");
    stage.close().await;
}
