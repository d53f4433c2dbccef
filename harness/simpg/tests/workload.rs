//! The operations of workloads: sign-in, writes, reads, transactions.

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::raw::{Raw, query, startup};
use super::*;
use crate::model::fault::StopMode;
use crate::server::LogLine;

const INSERT_ONCE: &str = "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES ($1, $1) \
                           ON CONFLICT (idempotency_key) DO NOTHING";

#[tokio::test(start_paused = true)]
async fn scram_and_trust_let_the_right_one_in() {
    let bench = Bench::new().await;
    assert_eq!(bench.client().await.simple("SELECT 1").await, "1 #1");
    let mut wrong = bench.config();
    wrong.password("another");
    let refused = bench.sign_in(&wrong).await.map(drop).unwrap_err();
    assert_eq!(refused, "FATAL 28P01 password authentication failed for user \"squall\"");
    let trusting = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
    trusting.sign_in(&wrong).await.map(drop).unwrap();
    wrong.user("nobody");
    let refused = trusting.sign_in(&wrong).await.map(drop).unwrap_err();
    assert_eq!(refused, "FATAL 28000 role \"nobody\" does not exist");
    assert_eq!(bench.sign_in(&wrong).await.map(drop).unwrap_err().split(' ').nth(1), Some("28P01"));
}

#[tokio::test(start_paused = true)]
async fn the_built_in_clients_statements_do_what_they_do_in_postgres() {
    let bench = Bench::new().await;
    let signed = bench.client().await;
    let client = &signed.client;
    assert_eq!(client.execute_typed(INSERT_ONCE, &[(&7_i64, Type::INT8)]).await.unwrap(), 1);
    assert_eq!(client.execute_typed(INSERT_ONCE, &[(&7_i64, Type::INT8)]).await.unwrap(), 0);
    let plain = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
    assert_eq!(client.execute(plain, &[&7_i64]).await.unwrap(), 1);
    let select = "SELECT 1 FROM pgsquall_ledger WHERE id = $1 LIMIT 1";
    let found = client.query_typed_opt(select, &[(&7_i64, Type::INT8)]).await.unwrap();
    assert_eq!(found.map(|row| row.get::<_, i32>(0)), Some(1));
    assert!(client.query_typed_opt(select, &[(&8_i64, Type::INT8)]).await.unwrap().is_none());
    let count = client.query_one("SELECT count(*) FROM pgsquall_ledger WHERE id = $1", &[&7_i64]).await.unwrap();
    assert_eq!(count.get::<_, i64>(0), 2);
    assert_eq!(bench.server.ledger(), [(7, 7, 2)]);
}

/// A short life of a server: its log, a session's messages, and the duration.
async fn life(seed: u64) -> (Vec<LogLine>, Vec<String>, Duration) {
    let began = Instant::now();
    let lan = Memory::default();
    let settings = Settings { sign_in: SignIn::Trust, ..Settings::default() };
    let server = Postgres::start(lan.clone(), address(1), settings, Seed(seed)).await.unwrap();
    let mut raw = Raw::new(lan.connect(address(1)).unwrap());
    let mut said = raw.ask(&startup(ROLE, "")).await;
    said.extend(raw.ask(&query("SELECT nothing; SELECT pg_backend_pid()")).await);
    server.crash_backend(ROLE).await.unwrap();
    server.ready().await.unwrap();
    server.stop(StopMode::Immediate).await.unwrap();
    server.restart().await.unwrap();
    (server.log(0), said, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_lives_the_same_life() {
    let first = life(1).await;
    assert_eq!(first, life(1).await);
    assert_ne!(first.2, life(2).await.2);
}
