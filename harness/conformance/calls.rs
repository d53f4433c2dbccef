//! Operations sent to the client, several at once, and their answers with the time of each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::CaseResult;
use super::bench::{CaseBench, CaseError, KNOWN_KEY, wrong};
use crate::client::Call;
use crate::gateway::RuleKind;
use crate::model::history::{Capability, OpError, OpKind};
use crate::model::time::show;

/// Time limit of an answer that nothing delays: enough for a cold runtime, a first connection, a busy machine.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Time limit from the end of a fault to full concurrency, with the pauses between attempts.
pub(super) const RECOVERY_WITHIN: Duration = Duration::from_secs(10);

/// How long the first round waits until all its operations wait at the lock; each later round waits this much longer. A
/// pool that is recovering gets another round.
const ROUND: Duration = Duration::from_secs(1);

/// The longest wait of a round: enough if a process is started for each operation, on a busy machine.
const LONGEST_ROUND: Duration = Duration::from_secs(4);

/// Pause between two checks of a condition.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The order of operation kinds in a batch.
const KINDS: [OpKind; 4] = [OpKind::Write, OpKind::Read, OpKind::Transaction, OpKind::Write];

/// One operation in flight.
pub(super) struct PendingCall {
    call: Call,
    task: AbortOnDropHandle<Answer>,
}

/// The answer to one operation.
pub(super) struct Answer {
    pub call: Call,
    pub began: Instant,
    pub at: Instant,
    pub result: Result<Option<bool>, OpError>,
}

impl Answer {
    /// The time from request to answer.
    pub fn after(&self) -> Duration {
        self.at - self.began
    }

    /// The result of an operation that nothing disturbs; an error fails the case.
    pub fn expect_ok(self) -> Result<Option<bool>, CaseError> {
        let Answer { call, result, .. } = self;
        result.or_else(|error| wrong(format!("fails a {} without any fault: {error}", call.kind)))
    }
}

impl PendingCall {
    pub fn is_answered(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the answer until `until`.
    ///
    /// *Errors*: there is no answer, or the client panicked.
    pub async fn answer(self, until: Instant) -> Result<Answer, CaseError> {
        let kind = self.call.kind;
        let began = Instant::now();
        match timeout_at(until, self.task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => wrong(format!("panics over a {kind}: {panic}")),
            Err(_) => wrong(format!(
                "has not answered a {kind} within {} after the last disturbance; answer every request, if need be with an \
                 error",
                show(until.saturating_duration_since(began))
            )),
        }
    }
}

/// Waits for all answers until `until`.
///
/// *Errors*: the same as for [`PendingCall::answer`].
pub(super) async fn collect_answers(pending: Vec<PendingCall>, until: Instant) -> Result<Vec<Answer>, CaseError> {
    let mut answers = Vec::new();
    for pending in pending {
        answers.push(pending.answer(until).await?);
    }
    Ok(answers)
}

impl CaseBench {
    /// An operation on a new key, or, for a read, on a key that is in the ledger.
    pub fn call(&mut self, kind: OpKind, deadline: Option<Duration>) -> Call {
        let id = self.next();
        let key = if kind == OpKind::Read { KNOWN_KEY } else { id as i64 };
        Call { id, kind, key, deadline }
    }

    /// A batch of operations of all kinds that the client supports; their number is that of
    /// [`concurrent_calls`](CaseBench::concurrent_calls).
    pub fn calls(&mut self, deadline: Option<Duration>) -> Result<Vec<Call>, CaseError> {
        let transactional = self.client()?.facts().can(Capability::Transaction);
        let kinds = KINDS.iter().cycle().take(self.concurrent_calls()?);
        let supported = |kind| if transactional || kind != OpKind::Transaction { kind } else { OpKind::Write };
        Ok(kinds.map(|kind| self.call(supported(*kind), deadline)).collect())
    }

    /// Starts one operation.
    pub fn start_call(&self, call: Call) -> Result<PendingCall, CaseError> {
        let client = Arc::clone(self.client()?);
        let began = Instant::now();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let result = client.perform(call).await;
            Answer { call, began, at: Instant::now(), result }
        }));
        Ok(PendingCall { call, task })
    }

    /// Starts these operations, all at once.
    pub fn start_calls(&self, calls: &[Call]) -> Result<Vec<PendingCall>, CaseError> {
        calls.iter().map(|call| self.start_call(*call)).collect()
    }

    /// Starts a batch of operations, as [`calls`](CaseBench::calls) returns it.
    pub fn start_batch(&mut self, deadline: Option<Duration>) -> Result<Vec<PendingCall>, CaseError> {
        let calls = self.calls(deadline)?;
        self.start_calls(&calls)
    }

    /// Performs one operation on a key, and waits for its answer.
    pub async fn perform(&mut self, kind: OpKind, key: i64) -> Result<Answer, CaseError> {
        let id = self.next();
        let pending = self.start_call(Call { id, kind, key, deadline: None })?;
        pending.answer(Instant::now() + ANSWER_WITHIN).await
    }

    /// Keeps a gateway rule installed while `work` runs; also returns when its removal began.
    pub async fn with_rule<T>(
        &self,
        what: RuleKind,
        work: impl Future<Output = Result<T, CaseError>>,
    ) -> Result<(T, Instant), CaseError> {
        let rule = self.environment.gateway.install("conformance", what).await;
        let done = work.await;
        let healed = Instant::now();
        self.environment.gateway.remove(&rule).await;
        Ok((done?, healed))
    }

    /// Waits until `wanted` operations wait at the lock or have been answered, or `within` has passed; returns the
    /// maximum that waited at once.
    pub async fn wait_at_lock(
        &self,
        pending: &[PendingCall],
        wanted: usize,
        within: Duration,
    ) -> Result<usize, CaseError> {
        let until = Instant::now() + within;
        let mut most = 0;
        loop {
            let waiting = self.sessions("wait_event_type = 'Lock'").await?;
            most = most.max(waiting);
            let answered = pending.iter().filter(|pending| pending.is_answered()).count();
            if waiting + answered >= wanted || Instant::now() >= until {
                return Ok(most);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// One round: starts a batch of operations while the ledger is locked, and releases the lock once all wait, or
    /// after `within`. Returns the maximum that waited at once, and the answers.
    pub async fn run_locked_batch(&mut self, within: Duration) -> Result<(usize, Vec<Answer>), CaseError> {
        let lock = self.lock("ACCESS EXCLUSIVE").await?;
        let pending = self.start_batch(None)?;
        let waited = self.wait_at_lock(&pending, pending.len(), within).await?;
        let released = Instant::now();
        lock.release().await?;
        let answers = collect_answers(pending, Instant::now() + ANSWER_WITHIN).await?;
        check_not_early(&answers, released)?;
        Ok((waited, answers))
    }

    /// Waits until as many operations run concurrently as before, and all of them succeed. `after`: the disturbance,
    /// for the finding.
    pub async fn wait_until_recovered(&mut self, after: &str) -> CaseResult {
        let until = Instant::now() + RECOVERY_WITHIN;
        let before = self.concurrency_seen;
        let mut round = Duration::ZERO;
        loop {
            round = (round + ROUND).min(LONGEST_ROUND);
            let (waited, answers) = self.run_locked_batch(round).await?;
            let count = answers.len();
            let errors: Vec<_> = answers.into_iter().filter_map(|answer| answer.result.err()).collect();
            if errors.is_empty() && waited >= before {
                return Ok(());
            }
            // If the client has exited or broken the protocol, that replaces this finding.
            if Instant::now() >= until || self.client()?.ended().is_some() {
                let within = show(RECOVERY_WITHIN);
                return wrong(match errors.last() {
                    Some(last) => format!(
                        "still fails {} of {count} operations {within} after {after}, the last with {last}; reconnect \
                         as the library's documentation says",
                        errors.len()
                    ),
                    None => {
                        format!("runs only {waited} operations at once {within} after {after}, and {before} before")
                    }
                });
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Gives a pool time to find connections that cancelled calls left in a transaction: some pools see it only when
    /// they hand the connection out again, and how they handle it is judged by a scenario.
    pub async fn wait_until_tidy(&mut self) -> CaseResult {
        let until = Instant::now() + RECOVERY_WITHIN;
        while self.left_open().await? > 0 && Instant::now() < until {
            collect_answers(self.start_batch(None)?, Instant::now() + ANSWER_WITHIN).await?;
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Checks that every acknowledged write is in the ledger.
    pub async fn check_acknowledged(&self, answers: &[Answer]) -> CaseResult {
        for Answer { call, result, .. } in answers {
            if result.is_ok() && call.kind.writes() && self.copies(call.key).await? == 0 {
                return wrong(format!(
                    "acknowledges a {} whose row is not in the ledger; answer ok only after the server's reply",
                    call.kind
                ));
            }
        }
        Ok(())
    }
}

/// Checks that no answer is ok before `released`, because the server cannot have replied until then.
pub(super) fn check_not_early(answers: &[Answer], released: Instant) -> CaseResult {
    match answers.iter().find(|answer| answer.result.is_ok() && answer.at < released) {
        None => Ok(()),
        Some(answer) => wrong(format!(
            "answers ok to a {} before the server can have replied; answer ok only after the server's reply",
            answer.call.kind
        )),
    }
}
