//! Connection slots, limits, a herd, a smart shutdown and a crash, as clients notice them.

use super::{Stage, servers};
use crate::model::history::Severed;

/// Returns a scenario with one fault of five seconds, on a server with 20 slots.
fn lasting(kind: &str) -> String {
    format!(
        "schema = 1\ntitle = \"t\"\n[server.settings]\nmax_connections = 20\n\
         [[fault]]\nkind = {kind}\nat = \"2s\"\nfor = \"5s\"\n"
    )
}

/// Returns SQLSTATE and text of a refused sign-in.
async fn refusal(stage: &Stage) -> (String, String) {
    let error = stage.sign_in().await.unwrap_err();
    let said = error.as_db_error().unwrap_or_else(|| panic!("no server answered: {error:?}"));
    assert_eq!(said.severity(), "FATAL");
    (said.code().code().to_owned(), said.message().to_owned())
}

/// Asserts that a fault terminates sessions and refuses new ones with this code and text, until it is healed.
async fn keeps_out(kind: &str, code: &str, text: impl Fn(u32) -> &'static str) {
    for source in servers().await {
        let mut stage = Stage::set(&source, &lasting(kind)).await;
        let mut session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        assert_eq!(session.hears().await.map(|said| said.code().code().to_owned()).as_deref(), Some("57P01"));
        assert_eq!(stage.proofs(0, 0).await, 0, "{source}: evidence before any client met it");
        assert_eq!(refusal(&stage).await, (code.to_owned(), text(stage.version()).to_owned()), "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        assert_eq!(stage.proofs(0, 1).await, 1, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn reserved_slots_have_another_error_text() {
    keeps_out("\"exhaust-ordinary-connections\"", "53300", |version| match version {
        ..16 => "remaining connection slots are reserved for non-replication superuser connections",
        16.. => "remaining connection slots are reserved for roles with the SUPERUSER attribute",
    })
    .await;
}

#[tokio::test]
async fn role_limit_error_names_the_role() {
    keeps_out("\"limit-role-connections\"", "53300", |_| "too many connections for role \"squall\"").await;
}

#[tokio::test]
async fn herd_takes_slots_before_the_client() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &lasting("\"herd\"")).await;
        let mut session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        assert_eq!(session.hears().await.map(|said| said.code().code().to_owned()).as_deref(), Some("57P01"));
        assert_eq!(refusal(&stage).await.0, "53300", "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        assert_eq!(stage.proofs(0, 1).await, 1, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn smart_shutdown_keeps_sessions_and_refuses_new_ones() {
    for source in servers().await {
        let mut stage = Stage::set(&source, &lasting("\"restart\"\nmode = \"smart\"")).await;
        let (first, second) = (stage.sign_in().await.unwrap(), stage.sign_in().await.unwrap());
        stage.inject(0).await;
        assert_eq!(stage.end_of(first.id).await, Severed::Closed, "{source}");
        second.client.batch_execute("SELECT 1").await.unwrap();
        let told = ("57P03".to_owned(), "the database system is shutting down".to_owned());
        assert_eq!(refusal(&stage).await, told, "{source}");
        second.client.batch_execute("SELECT 1").await.unwrap();
        assert!(stage.errors(second.id).is_empty());
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        assert_eq!(stage.proofs(0, 1).await, 1, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn killed_backend_sends_nothing_and_others_get_a_notice() {
    let scenario = "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"crash-backend\"\nat = \"2s\"\n";
    for source in servers().await {
        let mut stage = Stage::set(&source, scenario).await;
        let victim = stage.sign_in().await.unwrap();
        let mut bystander = stage.sign_in().await.unwrap();
        bystander.client.batch_execute("SELECT 1").await.unwrap();
        // A backend that has just become ready may end without a notice.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        stage.inject(0).await;
        let said = bystander.hears().await.unwrap_or_else(|| panic!("{source}: silence"));
        assert_eq!((said.severity(), said.code().code()), ("WARNING", "57P02"), "{source}");
        assert_eq!(said.message(), "terminating connection because of crash of another server process");
        assert_eq!(stage.end_of(bystander.id).await, Severed::ByServer, "{source}");
        stage.end_of(victim.id).await;
        assert!(stage.errors(victim.id).is_empty(), "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        assert_eq!(stage.proofs(0, 2).await, 2, "{source}");
        stage.close().await;
    }
}
