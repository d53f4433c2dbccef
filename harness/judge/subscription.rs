//! *subscription*: a client that listens hears what is sent once the fault is over.
//!
//! Postgres repeats no notification, so what was sent while the client was away is lost, and that is nobody's fault. It is
//! counted, and whether the client said so: one that reports a gap lets its application read again what it may have
//! missed, and one that hides it does not.

use std::time::Duration;

use super::facts::Facts;
use super::verdict::{CheckResult, Finding, Listening, Recovery};
use crate::model::history::{Event, OpError};
use crate::model::time::show;

/// What is known of the notifications of a run.
#[derive(Default)]
pub(crate) struct News<'a> {
    /// Number and time of each that was sent, ascending.
    sent: Vec<(u64, Duration)>,
    /// When each was first heard, by its number.
    heard: Vec<(u64, Duration)>,
    /// When the client said that it may have missed some.
    gaps: Vec<Duration>,
    given_up: Option<(Duration, Option<&'a OpError>)>,
}

impl<'a> News<'a> {
    pub fn add(&mut self, event: &'a Event) {
        match event {
            Event::Notified { at, number } => self.sent.push((*number, *at)),
            Event::Heard { at, number } => self.heard.push((*number, *at)),
            Event::Gap { at } => self.gaps.push(*at),
            Event::Unsubscribed { at, error } => self.given_up = Some((*at, error.as_ref())),
            _ => {}
        }
    }

    pub fn sort(&mut self) {
        self.sent.sort_unstable();
        // Stable, so that of two the first stays.
        self.heard.sort_by_key(|(number, _)| *number);
        self.heard.dedup_by_key(|(number, _)| *number);
    }

    /// When this one was first heard.
    fn heard(&self, number: u64) -> Option<Duration> {
        let place = self.heard.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        Some(self.heard[place].1)
    }

    /// Whether any was heard.
    pub fn is_heard(&self) -> bool {
        !self.heard.is_empty()
    }

    /// How many were sent in this time, and how many of them were never heard.
    pub fn lost_within(&self, from: Duration, to: Duration) -> (usize, usize) {
        let within = self.sent.iter().filter(|(_, at)| (from..to).contains(at));
        let lost = within.clone().filter(|(number, _)| self.heard(*number).is_none()).count();
        (within.count(), lost)
    }

    /// Times without news, each from the first that was lost to the next that was heard.
    fn silences(&self) -> impl Iterator<Item = (Duration, Duration)> {
        let mut lost = None;
        self.sent.iter().filter_map(move |(number, sent)| match self.heard(*number) {
            Some(heard) => lost.take().map(|from| (from, heard)),
            None => {
                lost.get_or_insert(*sent);
                None
            }
        })
    }
}

/// Whether the subscription is back for good, or none was asked for: what a run waits for.
pub(crate) fn is_subscribed_again(facts: &Facts) -> bool {
    !facts.header.load.listen || back(facts).is_some()
}

/// When the subscription was back, and with which notification; `None` while it is not.
///
/// As in [`recovered_at`](super::recovered_at): from there on, for the stability window, none is lost, and the window does
/// not end before a whole one has passed since the heal. One that is as late as the window is long begins it anew.
fn back(facts: &Facts) -> Option<(u64, Duration)> {
    let (starts, fault, healed) = (facts.recovery_starts()?, facts.last_injection()?, facts.healed()?);
    let stability = facts.header.budget.stability;
    let mut streak = None;
    for (number, sent) in facts.news.sent.iter().filter(|(_, sent)| *sent >= fault) {
        let Some(heard) = facts.news.heard(*number) else {
            streak = None;
            continue;
        };
        if heard.saturating_sub(*sent) > stability {
            streak = None;
        }
        let (first, since) = *streak.get_or_insert((*number, heard.max(starts)));
        if *sent >= since.max(healed) + stability {
            return Some((first, since));
        }
    }
    None
}

pub(super) fn check(facts: &Facts) -> CheckResult {
    if !facts.header.load.listen {
        return CheckResult::not_applicable("the scenario asks for no subscription");
    }
    let Some(starts) = facts.recovery_starts() else {
        return CheckResult::not_applicable(facts.why_no_recovery());
    };
    let (sent, _) = facts.news.lost_within(starts, end(facts));
    if sent == 0 {
        return match facts.client_ended {
            Some(_) => CheckResult::not_applicable("the client ended before anything was sent to it again"),
            None => CheckResult::Unknown { reason: "no notification could be sent once the fault was over".into() },
        };
    }
    let budget = facts.header.budget.time_to_recover;
    let what = match back(facts) {
        Some((first, at)) if at - starts <= budget => match lost_after(facts, first, at) {
            Some(what) => what,
            None => return CheckResult::Pass,
        },
        Some((_, at)) => format!("news came again after {}, over the budget of {}", show(at - starts), show(budget)),
        None => not_back(facts, starts),
    };
    let advice =
        "have the connection that listens notice that it is dead: TCP keepalive, or a query now and then with a \
                  deadline; connect and LISTEN again, and read again what may have been missed"
            .into();
    CheckResult::of(vec![Finding { what, advice, ops: Vec::new() }])
}

/// Until when one may have been sent that had to be heard: those that were sent last may have been on their way.
fn end(facts: &Facts) -> Duration {
    facts.stop().saturating_sub(facts.header.budget.stall_threshold)
}

/// What was lost though the subscription was back.
fn lost_after(facts: &Facts, first: u64, back: Duration) -> Option<String> {
    let after = |(number, sent): &&(u64, Duration)| *number > first && *sent < end(facts);
    let after: Vec<_> = facts.news.sent.iter().filter(after).collect();
    let mut lost = after.iter().filter(|(number, _)| facts.news.heard(*number).is_none());
    let (number, sent) = lost.next()?;
    Some(format!(
        "{} of {} notifications that were sent after the subscription was back never arrived, the first (number \
         {number}) {} later",
        lost.count() + 1,
        after.len(),
        show(sent.saturating_sub(back))
    ))
}

fn not_back(facts: &Facts, starts: Duration) -> String {
    let (sent, lost) = facts.news.lost_within(starts, end(facts));
    let mut what = format!(
        "of {sent} notifications sent in the {} since {}, {lost} never arrived",
        show(end(facts).saturating_sub(starts)),
        if facts.pause().is_some_and(|pause| pause.end == starts) { "the pause" } else { "the fault was over" }
    );
    if let Some(last) = facts.news.heard.iter().map(|(_, at)| at).max() {
        what += &format!("; the last that did came {} before the end", show(facts.stop().saturating_sub(*last)));
    }
    if let (Some((at, error)), Some(hit)) = (facts.news.given_up, facts.hit()) {
        let error = error.map_or_else(String::new, |error| format!(" ({error})"));
        what += &format!("; the client gave up listening {} after the fault{error}", show(at.saturating_sub(hit)));
    }
    what
}

/// The figures of the subscription; `None` where there is none.
pub(super) fn measure(facts: &Facts) -> Option<Listening> {
    let hit = facts.hit().filter(|_| facts.header.load.listen)?;
    let (sent, lost) = facts.news.lost_within(hit, end(facts));
    let (mut reported, mut hidden) = (0, 0);
    // What it had not heard before it listened is no gap.
    for (from, to) in facts.news.silences().filter(|(_, to)| *to >= hit) {
        // It may be told by another thread than the one that hears.
        let to = to + facts.header.budget.stall_threshold;
        match facts.news.gaps.iter().any(|at| (from..=to).contains(at)) {
            true => reported += 1,
            false => hidden += 1,
        }
    }
    let time_to_recover = match (facts.recovery_starts(), back(facts)) {
        (None, _) => Recovery::NotMeasured,
        (Some(starts), Some((_, at))) => Recovery::Recovered { after: at - starts },
        (Some(starts), None) => {
            let watched = facts.end().saturating_sub(starts);
            Recovery::Censored { beyond: watched.min(facts.header.budget.time_to_recover) }
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
