//! Restarts as clients notice them.

use std::time::Duration;

use tokio::time::sleep;

use super::{Stage, servers};
use crate::model::history::Severed;

const FAST: &str =
    "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"restart\"\nmode = \"fast\"\nat = \"2s\"\nfor = \"1s\"\n";
const IMMEDIATE: &str =
    "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"restart\"\nmode = \"immediate\"\nat = \"2s\"\nfor = \"1s\"\n";

#[tokio::test]
async fn a_fast_shutdown_is_told_and_then_refused() {
    for source in servers().await {
        let mut stage = Stage::set(&source, FAST).await;
        let mut session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        let said = session.hears().await;
        let said = said.unwrap_or_else(|| panic!("{source}: silence; the tap saw {:?}", stage.errors(session.id)));
        assert_eq!((said.severity(), said.code().code()), ("FATAL", "57P01"), "{source}");
        assert_eq!(said.message(), "terminating connection due to administrator command");
        assert_eq!(stage.errors(session.id), [("FATAL".into(), "57P01".into())], "{source}");
        stage.end_of(session.id).await;
        assert!(stage.sign_in().await.unwrap_err().to_string().contains("connect"), "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}

#[tokio::test]
async fn an_immediate_shutdown_is_a_notice_not_an_error() {
    for source in servers().await {
        let mut stage = Stage::set(&source, IMMEDIATE).await;
        let mut session = stage.sign_in().await.unwrap();
        // A backend that has just become ready may end without a notice (15.18: in 4 of 12 runs, 5 ms after).
        sleep(Duration::from_secs(1)).await;
        stage.inject(0).await;
        let said = session.hears().await;
        let said = said.unwrap_or_else(|| panic!("{source}: silence; the tap saw {:?}", stage.errors(session.id)));
        // From version 14 on; earlier versions send the 57P02 of a crash.
        assert_eq!((said.severity(), said.code().code()), ("WARNING", "57P01"), "{source}");
        assert_eq!(stage.end_of(session.id).await, Severed::ByServer, "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}
