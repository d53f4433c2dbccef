//! Cases in which answers are late: many operations at once, a slow network, a silent server, an impatient application.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Found;
use super::asking::{ANSWER_WITHIN, Answer, Asked, LOOK_EVERY, answers, honest};
use super::stage::{Stage, wrong};
use crate::gateway::RuleKind;
use crate::model::fault::{Stream, Toxic, ToxicKind};
use crate::model::history::{ErrorKind, OpKind};
use crate::model::time::show;

/// How long the first round waits for all operations to be at the lock; shorter than any timeout of a library, since an
/// operation that is tried again there counts as two. Each later round has as much more: processes are slow to start.
const ROUND: Duration = Duration::from_millis(1500);

/// How many rounds there are at most.
const ROUNDS: u32 = 3;

/// By how much the server's answers are late: a slow network, and far below any timeout of a library.
const LATE: Duration = Duration::from_millis(300);

/// How long the server is silent: long enough for whoever answers without it.
const SILENCE: Duration = Duration::from_secs(2);

/// After which the application cancels.
const DEADLINE: Duration = Duration::from_millis(300);

/// How much later than its deadline a call may return: some libraries count in seconds.
const DEADLINE_GRACE: Duration = Duration::from_millis(1500);

pub(super) async fn concurrency(stage: &mut Stage) -> Found {
    let wanted = stage.at_once()?;
    let mut least = wanted;
    for round in 1..=ROUNDS {
        let (waited, answers) = stage.crowd(ROUND * round).await?;
        stage.kept(&answers).await?;
        for answer in answers {
            answer.undisturbed()?;
        }
        if waited >= wanted {
            stage.side_by_side = wanted;
            return waiting(stage).await;
        }
        least = least.min(waited);
    }
    stage.side_by_side = least.max(1);
    let concurrency = stage.client()?.facts().concurrency;
    wrong(format!(
        "said \"concurrency\":{concurrency}, but of {wanted} operations only {least} reached the server at once; hand each \
         request to a worker of its own, with a pool as large as that"
    ))
}

/// Twice as many as it carries: what has to wait is carried out all the same.
async fn waiting(stage: &mut Stage) -> Found {
    let concurrency = stage.client()?.facts().concurrency;
    let mut asked = stage.begin_several(None)?;
    asked.extend(stage.begin_several(None)?);
    let (count, until) = (asked.len(), Instant::now() + ANSWER_WITHIN);
    let answers = answers(asked, until).await?;
    stage.kept(&answers).await?;
    for Answer { call, result, .. } in answers {
        if let Err(error) = result {
            return wrong(format!(
                "fails a {} where {count} operations are asked at once and it said \"concurrency\":{concurrency} ({error}); \
                 let what has to wait do so in the pool, or in the adapter",
                call.kind
            ));
        }
    }
    Ok(())
}

pub(super) async fn slow(stage: &mut Stage) -> Found {
    let latency = ToxicKind::Latency { delay: LATE, jitter: Duration::ZERO };
    let late = Toxic { stream: Stream::Downstream, ..latency.into() };
    let calls = [stage.call(OpKind::Write, None), stage.call(OpKind::Read, None)];
    let slowly = async {
        let asked = stage.begin_all(&calls)?;
        answers(asked, Instant::now() + ANSWER_WITHIN).await
    };
    let (answers, _) = stage.under(RuleKind::Toxic(late), slowly).await?;
    stage.kept(&answers).await?;
    for answer in answers {
        let (kind, after, late) = (answer.call.kind, show(answer.after()), show(LATE));
        match answer.result {
            Err(error) => {
                return wrong(format!(
                    "fails a {kind} after {after} because the server answers {late} late ({error}); leave timeouts to \
                     the library"
                ));
            }
            Ok(_) if answer.at - answer.began < LATE => {
                return wrong(format!(
                    "answers ok to a {kind} after {after}, where the server takes {late}; answer ok only once the server \
                     has said so"
                ));
            }
            Ok(Some(false)) => return wrong("does not find a row that is there when the answer is late"),
            Ok(_) => {}
        }
    }
    Ok(())
}

pub(super) async fn hang(stage: &mut Stage) -> Found {
    let calls = stage.calls(None)?;
    let silently = async {
        let asked = stage.begin_all(&calls)?;
        sleep(SILENCE).await;
        Ok(asked)
    };
    let (asked, healed) = stage.under(silence(), silently).await?;
    let answers = answers(asked, Instant::now() + ANSWER_WITHIN).await?;
    honest(&answers, healed)?;
    stage.kept(&answers).await?;
    stage.back("a silence of the server").await
}

/// First at a lock, where the server answers whoever asks it to cancel: that the deadline is used at all. Then in silence,
/// where libraries differ in how soon they return, which is for a scenario to judge.
pub(super) async fn cancel(stage: &mut Stage) -> Found {
    let lock = stage.lock("ACCESS EXCLUSIVE").await?;
    let asked = stage.begin_several(Some(DEADLINE))?;
    all_answered(&asked, Instant::now() + DEADLINE + DEADLINE_GRACE).await;
    let released = Instant::now();
    let late = asked.iter().filter(|asked| !asked.is_answered()).count();
    lock.release().await?;
    if late > 0 {
        return wrong(format!(
            "has not answered {late} of {} operations {} after their \"deadline_ms\":{} had passed, at a lock; cancel the \
             call by the library's own means, or do not name the capability \"deadline\"",
            asked.len(),
            show(DEADLINE_GRACE),
            DEADLINE.as_millis()
        ));
    }
    let locked = answers(asked, Instant::now() + ANSWER_WITHIN).await?;
    honest(&locked, released)?;
    told(&locked, released)?;
    stage.tidy().await?;
    stage.back("a deadline").await?;
    once(stage, &locked).await?;

    let calls = stage.calls(Some(DEADLINE))?;
    let silently = async {
        let asked = stage.begin_all(&calls)?;
        all_answered(&asked, Instant::now() + DEADLINE + DEADLINE_GRACE).await;
        Ok(asked)
    };
    let (asked, healed) = stage.under(silence(), silently).await?;
    let silent = answers(asked, Instant::now() + ANSWER_WITHIN).await?;
    honest(&silent, healed)?;
    told(&silent, healed)?;
    let late = silent.iter().filter(|answer| answer.at >= healed).count();
    if late > 0 {
        let grace = show(DEADLINE + DEADLINE_GRACE);
        stage.note =
            Some(format!("{late} of {} calls to a silent server had not returned after {grace}", silent.len()));
    }
    stage.kept(&silent).await?;
    stage.tidy().await?;
    stage.back("a deadline in silence").await?;
    once(stage, &silent).await
}

/// Nothing passes, in either direction, and all of it is delivered afterwards.
fn silence() -> RuleKind {
    RuleKind::Toxic(ToxicKind::Stall { close_after: None }.into())
}

/// Waits for all answers, but no longer.
async fn all_answered(asked: &[Asked], until: Instant) {
    while asked.iter().any(|asked| !asked.is_answered()) && Instant::now() < until {
        sleep(LOOK_EVERY).await;
    }
}

/// What ended after its deadline, and before the server spoke again, was ended by the deadline and must say so.
fn told(answers: &[Answer], spoke: Instant) -> Found {
    for answer in answers {
        match &answer.result {
            Err(error) if error.kind != ErrorKind::Deadline && answer.after() >= DEADLINE && answer.at < spoke => {
                return wrong(format!(
                    "answers a {} that its deadline ended with {error}; put \"kind\":\"deadline\" into the error",
                    answer.call.kind
                ));
            }
            Err(error) if error.kind == ErrorKind::Deadline && answer.after() < DEADLINE / 2 => {
                return wrong(format!(
                    "calls an error of {} a deadline, which is {}; count it from the moment of the request",
                    show(answer.after()),
                    show(DEADLINE)
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What was cancelled may be there, but not twice.
async fn once(stage: &Stage, answers: &[Answer]) -> Found {
    for answer in answers {
        let copies = stage.copies(answer.call.key).await?;
        if copies > 1 {
            return wrong(format!(
                "has written key {} {copies} times after its deadline; do not repeat an operation that was cancelled",
                answer.call.key
            ));
        }
    }
    Ok(())
}
