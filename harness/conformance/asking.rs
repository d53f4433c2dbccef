//! Operations asked of the client, several at once, and their answers with the time that each took.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::Found;
use super::stage::{KNOWN, Stage, Trouble, wrong};
use crate::client::Call;
use crate::gateway::RuleKind;
use crate::model::history::{Capability, OpError, OpKind};
use crate::model::time::show;

/// Longest that an answer may take which nothing keeps from coming: a cold runtime, a first connection, a busy machine.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Longest from the end of a fault to the client at full strength: pauses between attempts included.
pub(super) const BACK_WITHIN: Duration = Duration::from_secs(10);

/// How long the first round waits for all of its operations to be at the lock, and by how much later ones wait longer.
/// Those of a pool that is coming back are asked again in the next one.
const ROUND: Duration = Duration::from_secs(1);

/// Longest that a round waits: for a process that is started for each operation, on a busy machine.
const LONGEST_ROUND: Duration = Duration::from_secs(4);

/// Between two looks at something that settles.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The order in which kinds are asked.
const KINDS: [OpKind; 4] = [OpKind::Write, OpKind::Read, OpKind::Transaction, OpKind::Write];

/// One operation that has been asked.
pub(super) struct Asked {
    call: Call,
    task: AbortOnDropHandle<Answer>,
}

/// What came of one operation.
pub(super) struct Answer {
    pub call: Call,
    pub began: Instant,
    pub at: Instant,
    pub result: Result<Option<bool>, OpError>,
}

impl Answer {
    /// How long it took.
    pub fn after(&self) -> Duration {
        self.at - self.began
    }

    /// The result where nothing kept the client from succeeding.
    pub fn undisturbed(self) -> Result<Option<bool>, Trouble> {
        let Answer { call, result, .. } = self;
        result.or_else(|error| wrong(format!("fails a {} where nothing is wrong: {error}", call.kind)))
    }
}

impl Asked {
    pub fn is_answered(&self) -> bool {
        self.task.is_finished()
    }

    /// Waits for the answer.
    pub async fn answer(self, until: Instant) -> Result<Answer, Trouble> {
        let kind = self.call.kind;
        let asked = Instant::now();
        match timeout_at(until, self.task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => wrong(format!("panics over a {kind}: {panic}")),
            Err(_) => wrong(format!(
                "has not answered a {kind} {} after nothing kept it from answering any more; answer every request, also \
                 with an error",
                show(until.saturating_duration_since(asked))
            )),
        }
    }
}

/// Waits for all answers.
pub(super) async fn answers(asked: Vec<Asked>, until: Instant) -> Result<Vec<Answer>, Trouble> {
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.answer(until).await?);
    }
    Ok(answers)
}

impl Stage {
    /// An operation on a key that is as new as it is, or, for a read, on one that is there.
    pub fn call(&mut self, kind: OpKind, deadline: Option<Duration>) -> Call {
        let id = self.next();
        let key = if kind == OpKind::Read { KNOWN } else { id as i64 };
        Call { id, kind, key, deadline }
    }

    /// Operations of all kinds, as many as it is asked at once.
    pub fn calls(&mut self, deadline: Option<Duration>) -> Result<Vec<Call>, Trouble> {
        let transactional = self.client()?.facts().can(Capability::Transaction);
        let kinds = KINDS.iter().cycle().take(self.at_once()?);
        let asked_instead = |kind| if transactional || kind != OpKind::Transaction { kind } else { OpKind::Write };
        Ok(kinds.map(|kind| self.call(asked_instead(*kind), deadline)).collect())
    }

    /// Asks one operation.
    pub fn begin(&self, call: Call) -> Result<Asked, Trouble> {
        let client = Arc::clone(self.client()?);
        let began = Instant::now();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let result = client.perform(call).await;
            Answer { call, began, at: Instant::now(), result }
        }));
        Ok(Asked { call, task })
    }

    /// Asks these operations, all at once.
    pub fn begin_all(&self, calls: &[Call]) -> Result<Vec<Asked>, Trouble> {
        calls.iter().map(|call| self.begin(*call)).collect()
    }

    /// Asks as many operations of all kinds as it is asked at once.
    pub fn begin_several(&mut self, deadline: Option<Duration>) -> Result<Vec<Asked>, Trouble> {
        let calls = self.calls(deadline)?;
        self.begin_all(&calls)
    }

    /// Asks one operation of a key, and waits for its answer.
    pub async fn perform(&mut self, kind: OpKind, key: i64) -> Result<Answer, Trouble> {
        let id = self.next();
        let asked = self.begin(Call { id, kind, key, deadline: None })?;
        asked.answer(Instant::now() + ANSWER_WITHIN).await
    }

    /// Has a rule in force for as long as some work takes; also says when it began to be lifted.
    pub async fn under<T>(
        &self,
        what: RuleKind,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<(T, Instant), Trouble> {
        let rule = self.environment.gateway.install("conformance", what).await;
        let done = work.await;
        let healed = Instant::now();
        self.environment.gateway.remove(&rule).await;
        Ok((done?, healed))
    }

    /// Waits until so many operations are at the lock or have been answered; returns the most that were at the lock at
    /// once.
    pub async fn at_lock(&self, asked: &[Asked], wanted: usize, within: Duration) -> Result<usize, Trouble> {
        let until = Instant::now() + within;
        let mut most = 0;
        loop {
            let waiting = self.sessions("wait_event_type = 'Lock'").await?;
            most = most.max(waiting);
            let answered = asked.iter().filter(|asked| asked.is_answered()).count();
            if waiting + answered >= wanted || Instant::now() >= until {
                return Ok(most);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// One round: several operations while the ledger is locked, which are let go once all are there. Returns the most
    /// that waited at once, and the answers.
    pub async fn crowd(&mut self, within: Duration) -> Result<(usize, Vec<Answer>), Trouble> {
        let lock = self.lock("ACCESS EXCLUSIVE").await?;
        let asked = self.begin_several(None)?;
        let waited = self.at_lock(&asked, asked.len(), within).await?;
        let released = Instant::now();
        lock.release().await?;
        let answers = answers(asked, Instant::now() + ANSWER_WITHIN).await?;
        honest(&answers, released)?;
        Ok((waited, answers))
    }

    /// Waits until as many operations proceed side by side again as before, and all of them succeed.
    pub async fn back(&mut self, after: &str) -> Found {
        let until = Instant::now() + BACK_WITHIN;
        let before = self.side_by_side;
        let mut round = Duration::ZERO;
        loop {
            round = (round + ROUND).min(LONGEST_ROUND);
            let (waited, answers) = self.crowd(round).await?;
            let count = answers.len();
            let errors: Vec<_> = answers.into_iter().filter_map(|answer| answer.result.err()).collect();
            if errors.is_empty() && waited >= before {
                return Ok(());
            }
            // Of a client that has gone, or broken the protocol, there is another story to tell.
            if Instant::now() >= until || self.client()?.ended().is_some() {
                let within = show(BACK_WITHIN);
                return wrong(match errors.last() {
                    Some(last) => format!(
                        "still fails {} of {count} operations {within} after {after}, the last with {last}; open a \
                         connection where there is none any more, as the library's documentation says",
                        errors.len()
                    ),
                    None => format!(
                        "has only {waited} operations side by side {within} after {after}, where it had {before}"
                    ),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Lets a pool come upon what cancelled calls have left: some see that a connection is in a transaction only when they
    /// hand it out again, and what becomes of it then is for a scenario to judge.
    pub async fn tidy(&mut self) -> Found {
        let until = Instant::now() + BACK_WITHIN;
        while self.left_open().await? > 0 && Instant::now() < until {
            answers(self.begin_several(None)?, Instant::now() + ANSWER_WITHIN).await?;
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// What was acknowledged must be there, and once.
    pub async fn kept(&self, answers: &[Answer]) -> Found {
        for Answer { call, result, .. } in answers {
            if result.is_ok() && call.kind.writes() && self.copies(call.key).await? == 0 {
                return wrong(format!(
                    "acknowledges a {} whose row is not in the ledger; answer ok only once the server has said so",
                    call.kind
                ));
            }
        }
        Ok(())
    }
}

/// Nothing may be acknowledged before the server can have said anything of it.
pub(super) fn honest(answers: &[Answer], released: Instant) -> Found {
    match answers.iter().find(|answer| answer.result.is_ok() && answer.at < released) {
        None => Ok(()),
        Some(answer) => wrong(format!(
            "answers ok to a {} while the server cannot have answered yet; answer ok only once the server has said so",
            answer.call.kind
        )),
    }
}
