//! Cases in which nothing goes wrong, but for an error that the server answers with.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Found;
use super::asking::{ANSWER_WITHIN, Answer, LOOK_EVERY, honest};
use super::stage::{KNOWN, LEFT_OPEN, OURS, Stage, wrong};
use crate::model::history::{Capability, ClientFacts, OpKind};

/// The first key that is no number of 32 bits.
const LARGE: i64 = 1 << 32;

/// Longest from an answer to the end of its transaction.
const OVER_WITHIN: Duration = Duration::from_secs(1);

/// Longest until a transaction is at the lock.
const THERE_WITHIN: Duration = Duration::from_secs(5);

/// What a second row of the same key is refused with.
const DUPLICATE: &str = "23505";

/// The hello has been said, or there would be no client: what it says is looked at.
pub(super) async fn hello(stage: &mut Stage) -> Found {
    let facts = stage.client()?.facts();
    let words = || Capability::ALL.map(|(word, _)| word).join(", ");
    if facts.name.trim().is_empty() {
        return wrong("has an empty name; say in \"name\" which library this is");
    }
    if facts.timeout.is_some_and(|timeout| timeout.is_zero()) {
        return wrong("says \"timeout_ms\":0; leave it out where nothing bounds an operation");
    }
    let is_known = |word: &&String| Capability::ALL.iter().any(|(known, _)| known == word);
    if let Some(word) = facts.capabilities.iter().find(|word| !is_known(word)) {
        return wrong(format!("names the capability {word:?}, which nobody knows; the words are {}", words()));
    }
    if !facts.can(Capability::Transaction) {
        return wrong("has no capability \"transaction\"; name it, every library that speaks to Postgres has them");
    }
    stage.note = Some(told(&facts));
    Ok(())
}

fn told(facts: &ClientFacts) -> String {
    let ClientFacts { name, version, concurrency, capabilities, .. } = facts;
    format!("{name} {version}, {concurrency} at once, {}", capabilities.join(", "))
}

pub(super) async fn write(stage: &mut Stage) -> Found {
    for offset in [0, LARGE] {
        let key = offset + stage.next() as i64;
        let answer = stage.perform(OpKind::Write, key).await?;
        if stage.environment.gateway.clients_accepted() == 0 {
            return wrong("has not connected to where DATABASE_URL, PGHOST and PGPORT lead; connect there");
        }
        answer.undisturbed()?;
        match stage.copies(key).await? {
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
    closes(stage).await
}

pub(super) async fn read(stage: &mut Stage) -> Found {
    let found = stage.perform(OpKind::Read, KNOWN).await?.undisturbed()?;
    if found != Some(true) {
        return wrong("does not find a row that is there; answer \"found\":true where the query has a row");
    }
    let absent = stage.next() as i64;
    let found = stage.perform(OpKind::Read, absent).await?.undisturbed()?;
    if found != Some(false) {
        return wrong("finds a row that is not there; answer \"found\":false where the query has no row");
    }
    closes(stage).await
}

/// Its INSERT is held up, so that one can look whether its transaction began before it.
pub(super) async fn transaction(stage: &mut Stage) -> Found {
    let lock = stage.lock("EXCLUSIVE").await?;
    let call = stage.call(OpKind::Transaction, None);
    let asked = [stage.begin(call)?];
    let waited = stage.at_lock(&asked, 1, THERE_WITHIN).await?;
    let began_before = format!(
        "SELECT bool_and(xact_start < query_start) FROM pg_stat_activity WHERE {OURS} AND wait_event_type = 'Lock'"
    );
    let together: Option<Option<bool>> = stage.direct.value(&began_before, &[&stage.environment.address.user]).await?;
    let released = Instant::now();
    lock.release().await?;
    let [asked] = asked;
    let answer = asked.answer(Instant::now() + ANSWER_WITHIN).await?;
    honest(std::slice::from_ref(&answer), released)?;
    let key = answer.call.key;
    answer.undisturbed()?;
    if stage.copies(key).await? != 1 {
        return wrong("acknowledges a transaction whose row is not in the ledger; answer ok after its COMMIT");
    }
    if waited == 0 {
        return wrong("inserts no row of its own in a transaction; SELECT 1, insert the key, and commit");
    }
    if together.flatten() != Some(true) {
        return wrong(
            "inserts by a statement of its own: its transaction began with the INSERT; begin one with the library's own \
             means, SELECT 1 in it, insert, and commit",
        );
    }
    closes(stage).await
}

/// Two rows are there already, and from now on none like them is let in.
pub(super) async fn error(stage: &mut Stage) -> Found {
    let (one, other) = (stage.next() as i64, stage.next() as i64);
    stage
        .direct
        .batch(&format!(
            "INSERT INTO pgsquall_ledger (id) VALUES ({one}), ({other});\
             CREATE UNIQUE INDEX pgsquall_ledger_once ON pgsquall_ledger (id) WHERE id IN ({one}, {other})"
        ))
        .await?;
    let found = refused(stage, [(OpKind::Write, one), (OpKind::Transaction, other)]).await;
    stage.direct.batch("DROP INDEX pgsquall_ledger_once").await?;
    found?;
    closes(stage).await?;
    stage.back("an error of the server").await
}

async fn refused(stage: &mut Stage, asked: [(OpKind, i64); 2]) -> Found {
    let transactional = stage.client()?.facts().can(Capability::Transaction);
    for (kind, key) in asked.into_iter().filter(|(kind, _)| *kind == OpKind::Write || transactional) {
        let Answer { result, .. } = stage.perform(kind, key).await?;
        match result {
            Ok(_) => {
                return wrong(format!(
                    "answers ok to a {kind} that the server refused with {DUPLICATE}; answer the library's error"
                ));
            }
            Err(error) => match error.sqlstate.as_deref() {
                Some(DUPLICATE) => {}
                Some(code) => {
                    return wrong(format!(
                        "answers a duplicate key with sqlstate {code:?} ({kind}): expected {DUPLICATE}; hand on the \
                         server's code as it is"
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

/// No session may be left in a transaction once the answer was given.
async fn closes(stage: &Stage) -> Found {
    let until = Instant::now() + OVER_WITHIN;
    while stage.left_open().await? > 0 {
        if Instant::now() >= until {
            return wrong(LEFT_OPEN);
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
