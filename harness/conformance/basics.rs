//! Cases without a fault: the hello, each kind of operation, and an error from the server.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::CaseResult;
use super::bench::{CLIENT_SESSIONS, CaseBench, KNOWN_KEY, LEFT_OPEN, wrong};
use super::calls::{ANSWER_WITHIN, Answer, POLL_INTERVAL, check_not_early};
use crate::model::history::{Capability, ClientFacts, OpKind};

/// An offset that makes a key too large for 32 bits.
const LARGE: i64 = 1 << 32;

/// Time limit from an answer to the end of its transaction.
const OVER_WITHIN: Duration = Duration::from_secs(1);

/// Time limit until a transaction waits at the lock.
const THERE_WITHIN: Duration = Duration::from_secs(5);

/// The SQLSTATE of a duplicate key.
const DUPLICATE: &str = "23505";

/// Checks the contents of the hello, which has already been parsed.
pub(super) async fn hello(bench: &mut CaseBench) -> CaseResult {
    let facts = bench.client()?.facts();
    let words = || Capability::ALL.map(|(word, _)| word).join(", ");
    if facts.name.trim().is_empty() {
        return wrong("has an empty \"name\"; put the library's name there");
    }
    if facts.timeout.is_some_and(|timeout| timeout.is_zero()) {
        return wrong("has \"timeout_ms\":0; leave it out if the library has no such timeout");
    }
    let is_known = |word: &&String| Capability::ALL.iter().any(|(known, _)| known == word);
    if let Some(word) = facts.capabilities.iter().find(|word| !is_known(word)) {
        return wrong(format!("names the unknown capability {word:?}; the capabilities are {}", words()));
    }
    if !facts.can(Capability::Transaction) {
        return wrong("has no capability \"transaction\"; add it, because every Postgres library has transactions");
    }
    bench.note = Some(describe_client(&facts));
    Ok(())
}

fn describe_client(facts: &ClientFacts) -> String {
    let ClientFacts { name, version, concurrency, capabilities, .. } = facts;
    format!("{name} {version}, {concurrency} at once, {}", capabilities.join(", "))
}

pub(super) async fn write(bench: &mut CaseBench) -> CaseResult {
    for offset in [0, LARGE] {
        let key = offset + bench.next() as i64;
        let answer = bench.perform(OpKind::Write, key).await?;
        if bench.environment.gateway.clients_accepted() == 0 {
            return wrong("has not connected to the address in DATABASE_URL, PGHOST and PGPORT; connect there");
        }
        answer.expect_ok()?;
        match bench.copies(key).await? {
            1 => {}
            0 => {
                return wrong(format!(
                    "acknowledges the write of key {key}, which is not in the ledger; insert the request's \"key\" as a \
                     bigint, and answer once it is committed"
                ));
            }
            copies => return wrong(format!("writes key {key} {copies} times; insert one row for each request")),
        }
    }
    check_no_open_transaction(bench).await
}

pub(super) async fn read(bench: &mut CaseBench) -> CaseResult {
    let found = bench.perform(OpKind::Read, KNOWN_KEY).await?.expect_ok()?;
    if found != Some(true) {
        return wrong("does not find an existing row; answer \"found\":true if the query returns a row");
    }
    let absent = bench.next() as i64;
    let found = bench.perform(OpKind::Read, absent).await?.expect_ok()?;
    if found != Some(false) {
        return wrong("finds a missing row; answer \"found\":false if the query returns no row");
    }
    check_no_open_transaction(bench).await
}

/// The INSERT is held at a lock, to see whether its transaction began before it.
pub(super) async fn transaction(bench: &mut CaseBench) -> CaseResult {
    let lock = bench.lock("EXCLUSIVE").await?;
    let call = bench.call(OpKind::Transaction, None);
    let calls = [bench.start_call(call)?];
    let waited = bench.wait_at_lock(&calls, 1, THERE_WITHIN).await?;
    let began_before = format!(
        "SELECT bool_and(xact_start < query_start) FROM pg_stat_activity WHERE {CLIENT_SESSIONS} AND wait_event_type = 'Lock'"
    );
    let together: Option<Option<bool>> = bench.direct.value(&began_before, &[&bench.environment.address.user]).await?;
    let released = Instant::now();
    lock.release().await?;
    let [calls] = calls;
    let answer = calls.answer(Instant::now() + ANSWER_WITHIN).await?;
    check_not_early(std::slice::from_ref(&answer), released)?;
    let key = answer.call.key;
    answer.expect_ok()?;
    if bench.copies(key).await? != 1 {
        return wrong("acknowledges a transaction whose row is not in the ledger; answer ok after its COMMIT");
    }
    if waited == 0 {
        return wrong("inserts no row in a transaction; run SELECT 1, insert the key, and commit");
    }
    if together.flatten() != Some(true) {
        return wrong(
            "inserts in a separate statement: the transaction began with the INSERT; begin a transaction by the library's \
             own means, run SELECT 1 in it, insert, and commit",
        );
    }
    check_no_open_transaction(bench).await
}

/// Two keys exist already, and a unique index refuses a second row of either.
pub(super) async fn error(bench: &mut CaseBench) -> CaseResult {
    let (one, other) = (bench.next() as i64, bench.next() as i64);
    bench
        .direct
        .batch(&format!(
            "INSERT INTO pgsquall_ledger (id) VALUES ({one}), ({other});\
             CREATE UNIQUE INDEX pgsquall_ledger_once ON pgsquall_ledger (id) WHERE id IN ({one}, {other})"
        ))
        .await?;
    let found = expect_duplicate_key(bench, [(OpKind::Write, one), (OpKind::Transaction, other)]).await;
    bench.direct.batch("DROP INDEX pgsquall_ledger_once").await?;
    found?;
    check_no_open_transaction(bench).await?;
    bench.wait_until_recovered("an error from the server").await
}

async fn expect_duplicate_key(bench: &mut CaseBench, calls: [(OpKind, i64); 2]) -> CaseResult {
    let transactional = bench.client()?.facts().can(Capability::Transaction);
    for (kind, key) in calls.into_iter().filter(|(kind, _)| *kind == OpKind::Write || transactional) {
        let Answer { result, .. } = bench.perform(kind, key).await?;
        match result {
            Ok(_) => {
                return wrong(format!(
                    "answers ok to a {kind} that the server refused with {DUPLICATE}; pass on the library's error"
                ));
            }
            Err(error) => match error.sqlstate.as_deref() {
                Some(DUPLICATE) => {}
                Some(code) => {
                    return wrong(format!(
                        "answers a duplicate key with sqlstate {code:?} ({kind}): expected {DUPLICATE}; pass on \
                         the server's code unchanged"
                    ));
                }
                None => {
                    return wrong(format!(
                        "answers a duplicate key without sqlstate ({kind}): expected {DUPLICATE}; put the server's code \
                         into \"sqlstate\""
                    ));
                }
            },
        }
    }
    Ok(())
}

/// Checks that no session stays in a transaction for longer than [`OVER_WITHIN`] after the answer.
async fn check_no_open_transaction(bench: &CaseBench) -> CaseResult {
    let until = Instant::now() + OVER_WITHIN;
    while bench.left_open().await? > 0 {
        if Instant::now() >= until {
            return wrong(LEFT_OPEN);
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
