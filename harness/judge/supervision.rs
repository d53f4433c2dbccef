//! A client under a supervisor: which of its exits are explained by a fault.
//!
//! Exiting to be restarted is a legitimate strategy. The other checks judge its cost: operations fail while no process runs,
//! and the pause before the restart is a part of the time-to-recover.

use std::time::Duration;

use super::facts::Facts;
use super::process::when;
use super::recovery::recovered_at;
use super::verdict::{CheckResult, Finding, Restarts};
use crate::model::history::SupervisionStep;
use crate::model::time::show;

/// How long a restarted process must live before it counts as stable.
const PROOF: Duration = Duration::from_secs(5);

/// Number of tolerated exits without a fault: the first may be due to a state that the fault left behind.
const FORGIVEN: usize = 1;

/// One exit.
struct Exit<'a> {
    at: Duration,
    status: &'a str,
    stderr: &'a str,
    lived: Duration,
    /// When the launch of the process began; `None` for the first process.
    launched: Option<Duration>,
}

pub(super) fn check(facts: &Facts) -> CheckResult {
    let needless = needless(facts);
    let Some((first, last)) = needless.first().zip(needless.last()).filter(|_| needless.len() > FORGIVEN) else {
        return CheckResult::Pass;
    };
    let lived: Vec<_> = needless.iter().map(|exit| show(exit.lived)).collect();
    let stderr = match last.stderr.trim() {
        "" => String::new(),
        stderr => format!("; its stderr ends with: {stderr}"),
    };
    CheckResult::from_findings(vec![Finding {
        what: format!(
            "the client exited {} times without a fault, first {}; its processes lived for {} (last exit: {}){stderr}",
            needless.len(),
            when(facts, first.at),
            lived.join(", "),
            last.status
        ),
        advice: "exit only on a lost connection, and not on an error that the restarted process meets again".into(),
        ops: Vec::new(),
    }])
}

/// The doubt about a client that exited before the fault.
pub(super) fn doubt(facts: &Facts) -> Option<String> {
    if facts.header.precedes_client {
        return None;
    }
    let exits = exits(facts);
    let first = exits.first().filter(|exit| facts.hit().is_none_or(|hit| exit.at < hit))?;
    Some(format!("the client exited {} ({}), so the fault is not the cause", when(facts, first.at), first.status))
}

/// Whether the supervised client can be judged: it never exited, its current process has lived for [`PROOF`], or it has
/// exited too often already.
pub(crate) fn is_proved(facts: &Facts) -> bool {
    match facts.supervision.last() {
        None => true,
        Some((at, SupervisionStep::Restarted { .. })) if facts.until.saturating_sub(*at) >= PROOF => true,
        Some(_) => needless(facts).len() > FORGIVEN,
    }
}

/// Ends a finding about a client that did not recover: says why no process was running at the end, if none was.
pub(super) fn away(facts: &Facts) -> String {
    match facts.supervision.last() {
        Some((_, SupervisionStep::Exited { status, .. })) => format!("; at the end no process was running ({status})"),
        Some((_, SupervisionStep::Failed { reason })) => {
            let reason = reason.replace("\n  ", "; ");
            format!("; at the end no process was running, because the last restart had failed: {reason}")
        }
        Some((_, SupervisionStep::Restarted { .. })) | None => String::new(),
    }
}

pub(super) fn measure(facts: &Facts) -> Option<Restarts> {
    if !facts.header.setup.supervised {
        return None;
    }
    let count = |is: fn(&SupervisionStep) -> bool| facts.supervision.iter().filter(|(_, step)| is(step)).count() as u64;
    let hit = facts.hit();
    let first = exits(facts).into_iter().find(|exit| hit.is_some_and(|hit| exit.at >= hit));
    let (mut away, mut since) = (Duration::ZERO, None);
    for (at, step) in &facts.supervision {
        match step {
            SupervisionStep::Exited { .. } => since = since.or(Some(*at)),
            SupervisionStep::Failed { .. } => {}
            SupervisionStep::Restarted { .. } => away += since.take().map_or(Duration::ZERO, |since| *at - since),
        }
    }
    Some(Restarts {
        restarted: count(|step| matches!(step, SupervisionStep::Restarted { .. })),
        failed: count(|step| matches!(step, SupervisionStep::Failed { .. })),
        first_exit: first.as_ref().zip(hit).map(|(exit, hit)| exit.at - hit),
        first_status: first.map(|exit| exit.status.to_owned()),
        away: away + since.map_or(Duration::ZERO, |since| facts.end().saturating_sub(since)),
        is_away: since.is_some(),
    })
}

/// Exits that no fault explains: after recovery, or of a process that was launched after the heal.
fn needless<'a>(facts: &Facts<'a>) -> Vec<Exit<'a>> {
    let (recovered, well) = (recovered_at(facts), facts.recovery_starts().and(facts.healed()));
    let since = |since: Option<Duration>, at: Option<Duration>| since.zip(at).is_some_and(|(since, at)| at >= since);
    let mut exits = exits(facts);
    exits.retain(|exit| since(recovered, Some(exit.at)) || since(well, exit.launched));
    exits
}

fn exits<'a>(facts: &Facts<'a>) -> Vec<Exit<'a>> {
    let (mut exits, mut launched) = (Vec::new(), None);
    for (at, step) in &facts.supervision {
        match step {
            SupervisionStep::Exited { status, stderr, lived } => {
                exits.push(Exit { at: *at, status, stderr, lived: *lived, launched });
            }
            SupervisionStep::Failed { .. } => {}
            SupervisionStep::Restarted { took } => launched = Some(at.saturating_sub(*took)),
        }
    }
    exits
}
