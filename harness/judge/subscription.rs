//! *subscription*: a client that listens receives notifications again within its budget, and loses none after that.
//!
//! Postgres does not repeat notifications: those sent while the client was disconnected are lost, which is no failure
//! of the client. The check counts them, and the gaps that the client reported: after a reported gap an application
//! can read again what it may have missed.

use std::time::Duration;

use super::facts::Facts;
use super::verdict::{Check, CheckResult, Finding, Listening, Recovery};
use super::{BlackBox, CheckSpec};
use crate::model::history::{Event, OpError};
use crate::model::time::show;

/// The notifications of a run.
#[derive(Default)]
pub(crate) struct Notifications<'a> {
    /// Number and time of each notification sent, ascending.
    sent: Vec<(u64, Duration)>,
    /// Number and first arrival of each notification received, ascending.
    received: Vec<(u64, Duration)>,
    /// When the client reported that it may have missed notifications.
    gaps: Vec<Duration>,
    stopped_listening: Option<(Duration, Option<&'a OpError>)>,
}

impl<'a> Notifications<'a> {
    pub fn add(&mut self, event: &'a Event) {
        match event {
            Event::Notified { at, number } => self.sent.push((*number, *at)),
            Event::Heard { at, number } => self.received.push((*number, *at)),
            Event::Gap { at } => self.gaps.push(*at),
            Event::Unsubscribed { at, error } => self.stopped_listening = Some((*at, error.as_ref())),
            _ => {}
        }
    }

    pub fn sort(&mut self) {
        self.sent.sort_unstable();
        // The sort is stable, so the first of several arrivals is kept.
        self.received.sort_by_key(|(number, _)| *number);
        self.received.dedup_by_key(|(number, _)| *number);
    }

    /// When the notification of this number first arrived.
    fn received(&self, number: u64) -> Option<Duration> {
        let place = self.received.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.received[place].1)
    }

    /// Whether any notification arrived.
    pub fn has_received_any(&self) -> bool {
        !self.received.is_empty()
    }

    /// The number of notifications sent from `from` until before `to`, and how many of them never arrived.
    pub fn lost_within(&self, from: Duration, to: Duration) -> (usize, usize) {
        let within = self.sent.iter().filter(|(_, at)| (from..to).contains(at));
        let lost = within.clone().filter(|(number, _)| self.received(*number).is_none()).count();
        (within.count(), lost)
    }

    /// Periods of loss, each from the first lost notification to the next one that arrived; a loss at the end has none.
    fn losses(&self) -> impl Iterator<Item = (Duration, Duration)> {
        let mut lost = None;
        self.sent.iter().filter_map(move |(number, sent)| match self.received(*number) {
            Some(received) => lost.take().map(|from| (from, received)),
            None => {
                lost.get_or_insert(*sent);
                None
            }
        })
    }
}

/// Whether the subscription has recovered, or the scenario has none. A run waits for this, up to its limit.
pub(crate) fn is_subscribed_again(facts: &Facts) -> bool {
    !facts.header.load.listen || recovered_from(facts).is_some()
}

/// The first notification after the subscription recovered, and when it arrived; `None` if it did not recover.
///
/// As in [`recovered_at`](super::recovered_at), no notification is lost in the stability window that begins there,
/// and that window ends no earlier than one whole window after the heal. A notification that takes longer than one
/// window to arrive restarts the search.
fn recovered_from(facts: &Facts) -> Option<(u64, Duration)> {
    let (starts, fault, healed) = (facts.recovery_starts()?, facts.last_injection()?, facts.healed()?);
    let stability = facts.header.budget.stability;
    let mut streak = None;
    for (number, sent) in facts.news.sent.iter().filter(|(_, sent)| *sent >= fault) {
        let Some(received) = facts.news.received(*number) else {
            streak = None;
            continue;
        };
        if received.saturating_sub(*sent) > stability {
            streak = None;
        }
        let (first, since) = *streak.get_or_insert((*number, received.max(starts)));
        if *sent >= since.max(healed) + stability {
            return Some((first, since));
        }
    }
    None
}

pub(super) const SPEC: CheckSpec = CheckSpec {
    check: Check::Subscription,
    black_box: BlackBox::NotSeen("the harness sends no operations to a black-box application"),
    run: check,
};

fn check(facts: &Facts) -> CheckResult {
    if !facts.header.load.listen {
        return CheckResult::not_applicable("the scenario has no subscription");
    }
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    let (sent, _) = facts.news.lost_within(starts, end(facts));
    if sent == 0 {
        return match facts.client_ended {
            Some(_) => CheckResult::not_applicable("the client ended before a notification was sent after the fault"),
            None => CheckResult::Unknown { reason: "no notification was sent after the fault".into() },
        };
    }
    let budget = facts.header.budget.time_to_recover;
    let what = match recovered_from(facts) {
        Some((first, at)) if at - starts <= budget => match lost_after(facts, first, at) {
            Some(what) => what,
            None => return CheckResult::Pass,
        },
        Some((_, at)) => {
            format!("notifications came again after {}, over the budget of {}", show(at - starts), show(budget))
        }
        None => not_back(facts, starts),
    };
    let advice =
        "detect that the listening connection is dead (TCP keepalive, or a periodic query with a deadline), reconnect, \
                  LISTEN again, and read again what may have been missed"
            .into();
    CheckResult::from_findings(vec![Finding { what, advice, ops: Vec::new() }])
}

/// The time up to which notifications are counted: later ones may not have had time to arrive.
fn end(facts: &Facts) -> Duration {
    facts.stop().saturating_sub(facts.header.budget.stall_threshold)
}

/// Notifications lost although the subscription had recovered.
fn lost_after(facts: &Facts, first: u64, back: Duration) -> Option<String> {
    let after = |(number, sent): &&(u64, Duration)| *number > first && *sent < end(facts);
    let after: Vec<_> = facts.news.sent.iter().filter(after).collect();
    let mut lost = after.iter().filter(|(number, _)| facts.news.received(*number).is_none());
    let (number, sent) = lost.next()?;
    Some(format!(
        "{} of {} notifications sent after the subscription had recovered never arrived; the first, number {number}, was \
         sent {} later",
        lost.count() + 1,
        after.len(),
        show(sent.saturating_sub(back))
    ))
}

fn not_back(facts: &Facts, starts: Duration) -> String {
    let (sent, lost) = facts.news.lost_within(starts, end(facts));
    let mut what = format!(
        "{lost} of {sent} notifications sent in the {} after {} never arrived",
        show(end(facts).saturating_sub(starts)),
        if facts.pause().is_some_and(|pause| pause.end == starts) { "the pause" } else { "the fault" }
    );
    if let Some(last) = facts.news.received.iter().map(|(_, at)| at).max() {
        what += &format!("; the last arrival was {} before the end", show(facts.stop().saturating_sub(*last)));
    }
    if let (Some((at, error)), Some(hit)) = (facts.news.stopped_listening, facts.hit()) {
        let error = error.map_or_else(String::new, |error| format!(" ({error})"));
        what += &format!("; the client stopped listening {} after the fault{error}", show(at.saturating_sub(hit)));
    }
    what
}

/// The figures of the subscription; `None` if the scenario has none.
pub(super) fn measure(facts: &Facts) -> Option<Listening> {
    let hit = facts.hit().filter(|_| facts.header.load.listen)?;
    let (sent, lost) = facts.news.lost_within(hit, end(facts));
    let (mut reported, mut hidden) = (0, 0);
    // Losses before the fault are no gap: the client may not have been listening yet.
    for (from, to) in facts.news.losses().filter(|(_, to)| *to >= hit) {
        // The client may report the gap from another thread, a little after the arrival.
        let to = to + facts.header.budget.stall_threshold;
        match facts.news.gaps.iter().any(|at| (from..=to).contains(at)) {
            true => reported += 1,
            false => hidden += 1,
        }
    }
    let time_to_recover = match (facts.recovery_starts(), recovered_from(facts)) {
        (None, _) => Recovery::NotMeasured,
        (Some(starts), Some((_, at))) => Recovery::Recovered { after: at - starts },
        (Some(starts), None) => {
            let observed = facts.end().saturating_sub(starts);
            Recovery::Censored { beyond: observed.min(facts.header.budget.time_to_recover) }
        }
    };
    Some(Listening {
        time_to_recover,
        sent: sent as u64,
        lost: lost as u64,
        gaps_reported: reported,
        gaps_hidden: hidden,
    })
}
