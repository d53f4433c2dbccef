//! Cases in which replies are late: many operations at once, a slow network, a silent server, an application's
//! deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::CaseResult;
use super::bench::{CaseBench, wrong};
use super::calls::{ANSWER_WITHIN, Answer, POLL_INTERVAL, PendingCall, check_not_early, collect_answers};
use crate::gateway::RuleKind;
use crate::model::fault::{Stream, Toxic, ToxicKind};
use crate::model::history::{ErrorKind, OpKind};
use crate::model::time::show;

/// How long the first round waits until all operations wait at the lock: shorter than any library's timeout, because a
/// retried operation would count twice. Each later round waits this much longer, because processes are slow to start.
const ROUND: Duration = Duration::from_millis(1500);

/// The maximum number of rounds.
const ROUNDS: u32 = 3;

/// The delay of the server's replies: a slow network, and far below any library's timeout.
const LATE: Duration = Duration::from_millis(300);

/// How long the server is silent: long enough to catch a client that answers without the server.
const SILENCE: Duration = Duration::from_secs(2);

/// The application's deadline.
const DEADLINE: Duration = Duration::from_millis(300);

/// The maximum number of batches sent at once: their operations stay far below the server's connection limit.
const BATCHES: usize = 5;

/// How much later than its deadline a call may return: some libraries count in seconds.
const DEADLINE_GRACE: Duration = Duration::from_millis(1500);

pub(super) async fn concurrency(bench: &mut CaseBench) -> CaseResult {
    let wanted = bench.concurrent_calls()?;
    let mut least = wanted;
    for round in 1..=ROUNDS {
        let (waited, answers) = bench.run_locked_batch(ROUND * round).await?;
        bench.check_acknowledged(&answers).await?;
        for answer in answers {
            answer.expect_ok()?;
        }
        if waited >= wanted {
            bench.concurrency_seen = wanted;
            return check_waiting(bench).await;
        }
        least = least.min(waited);
    }
    bench.concurrency_seen = least.max(1);
    let concurrency = bench.client()?.facts().concurrency;
    wrong(format!(
        "has \"concurrency\":{concurrency} in its hello, but of {wanted} operations only {least} reached the server at once; \
         give each request its own worker, with a pool of that size"
    ))
}

/// Sends more operations at once than the client's concurrency, in up to [`BATCHES`] batches: those beyond it must wait
/// and then succeed. With a concurrency of 40 or more none has to wait.
async fn check_waiting(bench: &mut CaseBench) -> CaseResult {
    let concurrency = bench.client()?.facts().concurrency;
    let mut pending = bench.start_batch(None)?;
    for _ in 1..BATCHES {
        pending.extend(bench.start_batch(None)?);
        if pending.len() > concurrency as usize {
            break;
        }
    }
    let (count, until) = (pending.len(), Instant::now() + ANSWER_WITHIN);
    let answers = collect_answers(pending, until).await?;
    bench.check_acknowledged(&answers).await?;
    for Answer { call, result, .. } in answers {
        if let Err(error) = result {
            return wrong(format!(
                "fails a {} when {count} operations are sent at once and its hello has \"concurrency\":{concurrency} ({error}); \
                 make the excess wait in the pool or in the adapter",
                call.kind
            ));
        }
    }
    Ok(())
}

pub(super) async fn slow(bench: &mut CaseBench) -> CaseResult {
    let latency = ToxicKind::Latency { delay: LATE, jitter: Duration::ZERO };
    let late = Toxic { stream: Stream::Downstream, ..latency.into() };
    let calls = [bench.call(OpKind::Write, None), bench.call(OpKind::Read, None)];
    let slowly = async {
        let pending = bench.start_calls(&calls)?;
        collect_answers(pending, Instant::now() + ANSWER_WITHIN).await
    };
    let (answers, _) = bench.with_rule(RuleKind::Toxic(late), slowly).await?;
    bench.check_acknowledged(&answers).await?;
    for answer in answers {
        let (kind, after, late) = (answer.call.kind, show(answer.after()), show(LATE));
        match answer.result {
            Err(error) => {
                return wrong(format!(
                    "fails a {kind} after {after} because the server's reply is {late} late ({error}); leave timeouts to \
                     the library"
                ));
            }
            Ok(_) if answer.at - answer.began < LATE => {
                return wrong(format!(
                    "answers ok to a {kind} after {after}, but the server's reply takes {late}; answer ok only after the \
                     server's reply"
                ));
            }
            Ok(Some(false)) => return wrong("does not find an existing row when the server's reply is late"),
            Ok(_) => {}
        }
    }
    Ok(())
}

pub(super) async fn hang(bench: &mut CaseBench) -> CaseResult {
    let calls = bench.calls(None)?;
    let silently = async {
        let pending = bench.start_calls(&calls)?;
        sleep(SILENCE).await;
        Ok(pending)
    };
    let (pending, healed) = bench.with_rule(stall_rule(), silently).await?;
    let answers = collect_answers(pending, Instant::now() + ANSWER_WITHIN).await?;
    check_not_early(&answers, healed)?;
    bench.check_acknowledged(&answers).await?;
    bench.wait_until_recovered("a silent server").await
}

/// First at a lock, where the server obeys a cancel request: tests that the deadline is used at all. Then with a
/// silent server, where libraries differ in how soon they return, which a scenario judges.
pub(super) async fn cancel(bench: &mut CaseBench) -> CaseResult {
    let lock = bench.lock("ACCESS EXCLUSIVE").await?;
    let pending = bench.start_batch(Some(DEADLINE))?;
    wait_for_all(&pending, Instant::now() + DEADLINE + DEADLINE_GRACE).await;
    let released = Instant::now();
    let late = pending.iter().filter(|pending| !pending.is_answered()).count();
    lock.release().await?;
    if late > 0 {
        return wrong(format!(
            "has not answered {late} of {} operations {} after their \"deadline_ms\":{} had passed, at a lock; cancel the \
             call by the library's own means, or do not name the capability \"deadline\"",
            pending.len(),
            show(DEADLINE_GRACE),
            DEADLINE.as_millis()
        ));
    }
    let locked = collect_answers(pending, Instant::now() + ANSWER_WITHIN).await?;
    check_not_early(&locked, released)?;
    check_deadline_errors(&locked, released)?;
    bench.wait_until_tidy().await?;
    bench.wait_until_recovered("a deadline").await?;
    check_written_once(bench, &locked).await?;

    let calls = bench.calls(Some(DEADLINE))?;
    let silently = async {
        let pending = bench.start_calls(&calls)?;
        wait_for_all(&pending, Instant::now() + DEADLINE + DEADLINE_GRACE).await;
        Ok(pending)
    };
    let (pending, healed) = bench.with_rule(stall_rule(), silently).await?;
    let silent = collect_answers(pending, Instant::now() + ANSWER_WITHIN).await?;
    check_not_early(&silent, healed)?;
    check_deadline_errors(&silent, healed)?;
    let late = silent.iter().filter(|answer| answer.at >= healed).count();
    if late > 0 {
        let grace = show(DEADLINE + DEADLINE_GRACE);
        bench.note =
            Some(format!("{late} of {} calls to a silent server had not returned after {grace}", silent.len()));
    }
    bench.check_acknowledged(&silent).await?;
    bench.wait_until_tidy().await?;
    bench.wait_until_recovered("a deadline with a silent server").await?;
    check_written_once(bench, &silent).await
}

/// The gateway delivers no bytes in either direction until the rule is removed, and then all of them.
fn stall_rule() -> RuleKind {
    RuleKind::Toxic(ToxicKind::Stall { close_after: None }.into())
}

/// Waits for all answers, or until `until`.
async fn wait_for_all(pending: &[PendingCall], until: Instant) {
    while pending.iter().any(|pending| !pending.is_answered()) && Instant::now() < until {
        sleep(POLL_INTERVAL).await;
    }
}

/// Checks that an operation that failed after its deadline, and before the server replied again (`spoke`), reports the
/// deadline, and that none reports it in less than half of the deadline.
fn check_deadline_errors(answers: &[Answer], spoke: Instant) -> CaseResult {
    for answer in answers {
        match &answer.result {
            Err(error) if error.kind != ErrorKind::Deadline && answer.after() >= DEADLINE && answer.at < spoke => {
                return wrong(format!(
                    "answers a {} that its deadline ended with {error}; add \"kind\":\"deadline\" to the error",
                    answer.call.kind
                ));
            }
            Err(error) if error.kind == ErrorKind::Deadline && answer.after() < DEADLINE / 2 => {
                return wrong(format!(
                    "reports an error after {} as a deadline of {}; count the deadline from the arrival of the request",
                    show(answer.after()),
                    show(DEADLINE)
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Checks that a cancelled write is in the ledger at most once.
async fn check_written_once(bench: &CaseBench, answers: &[Answer]) -> CaseResult {
    for answer in answers {
        let copies = bench.copies(answer.call.key).await?;
        if copies > 1 {
            return wrong(format!(
                "has written key {} {copies} times after its deadline; do not retry a cancelled operation",
                answer.call.key
            ));
        }
    }
    Ok(())
}
