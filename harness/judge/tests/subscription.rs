//! Subscriptions: notifications lost during the outage are no failure of the client, later losses are.

use std::time::Duration;

use crate::judge::samples::{HEAL, HIT, STEADY, STOP, Sample, ms};
use crate::judge::verdict::Listening;
use crate::judge::{Check, CheckResult, Recovery, VerdictKind};
use crate::model::budget::RecoveryFrom;
use crate::model::fault::FaultKind;
use crate::model::history::{Ended, ErrorKind, OpError};
use crate::model::pace::Pause;

fn measured(sample: &Sample) -> Listening {
    sample.verdict().measures.listening.expect("it listens")
}

fn back_after(sample: &Sample) -> Recovery {
    measured(sample).time_to_recover
}

#[test]
fn notifications_lost_in_outage_are_counted_and_tolerated() {
    let verdict = Sample::listening().verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Subscription], CheckResult::Pass);
    let time_to_recover = Recovery::Recovered { after: ms(1) };
    // From 3 s to 11 s, a second before the end: 80.
    let expected = Listening { time_to_recover, sent: 80, lost: 30, gaps_reported: 1, gaps_hidden: 0 };
    assert_eq!(measured(&Sample::listening()), expected);
    assert_eq!(Sample::healthy().verdict().measures.listening, None);
}

#[test]
fn hidden_gaps_are_counted_apart() {
    let gaps = |at: &[u64]| {
        let mut sample = Sample::listening();
        sample.gaps = at.iter().map(|at| ms(*at)).collect();
        assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "it is no failure");
        let listening = measured(&sample);
        (listening.gaps_reported, listening.gaps_hidden)
    };
    assert_eq!(gaps(&[]), (0, 1));
    assert_eq!(gaps(&[2_900]), (0, 1), "before anything was lost");
    assert_eq!(gaps(&[4_000]), (1, 0));
    assert_eq!(gaps(&[6_900]), (1, 0), "by another thread, a moment later");
    assert_eq!(gaps(&[7_100]), (0, 1));
    let mut twice = Sample::listening();
    twice.miss(ms(6_500), ms(6_700));
    assert_eq!((measured(&twice).gaps_reported, measured(&twice).gaps_hidden), (1, 1));
}

#[test]
fn missing_resubscription_fails() {
    let mut sample = Sample::listening();
    sample.miss(HEAL, STOP);
    let finding = sample.only_finding(Check::Subscription);
    assert!(finding.starts_with("50 of 50 notifications sent in the 5.00 s after the fault never"), "{finding}");
    assert!(finding.contains("the last arrival was 9.10 s before the end"), "{finding}");
    assert_eq!(back_after(&sample), Recovery::Censored { beyond: ms(4_000) });
    assert_eq!(measured(&sample).gaps_hidden, 0, "no notification arrived after the loss");
    sample.given_up = Some((HIT + ms(500), OpError::new(ErrorKind::Closed, "lost")));
    let finding = sample.only_finding(Check::Subscription);
    assert!(finding.contains("stopped listening 500 ms after the fault (closed: lost)"), "{finding}");
}

#[test]
fn late_resubscription_fails() {
    let mut sample = Sample::listening();
    sample.miss(HEAL, HEAL + ms(3_000));
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(3_001) });
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    sample.header.budget.time_to_recover = ms(3_000);
    let finding = sample.only_finding(Check::Subscription);
    assert!(finding.contains("notifications came again after 3.00 s, over the budget of 3.00 s"), "{finding}");
}

#[test]
fn loss_in_stability_window_restarts_it() {
    let mut sample = Sample::listening();
    sample.miss(HEAL + ms(1_900), HEAL + ms(2_000));
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(2_001) });
    // The window is complete only with a notification sent after its end.
    let mut sample = Sample::listening();
    sample.miss(HEAL + ms(2_000), HEAL + ms(2_100));
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(2_101) });
}

#[test]
fn loss_after_recovery_fails() {
    let mut sample = Sample::listening();
    sample.miss(HEAL + ms(3_000), HEAL + ms(3_200));
    let finding = sample.only_finding(Check::Subscription);
    assert!(finding.starts_with("2 of 49 notifications sent after the subscription had recovered"), "{finding}");
    assert!(finding.contains("number 90, was sent 3.00 s later"), "{finding}");
    // The last notifications may still have been in transit.
    let mut sample = Sample::listening();
    sample.miss(STOP - ms(1_000), STOP);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn late_notifications_recover_when_they_arrive() {
    // Retransmitted after the heal, all at once.
    let mut sample = Sample::listening();
    let held = |sent: &Duration| (HIT..HEAL).contains(sent);
    sample.news.iter_mut().filter(|(sent, _)| held(sent)).for_each(|(_, heard)| *heard = Some(HEAL + ms(400)));
    assert_eq!(measured(&sample).lost, 0);
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(400) }, "recovered when they arrive");
    // A subscription with every notification two and a half seconds late has not recovered.
    let mut sample = Sample::listening();
    sample.news.iter_mut().for_each(|(sent, heard)| *heard = heard.map(|_| *sent + ms(2_500)));
    assert!(sample.finding(Check::Subscription).contains("never arrived"));
}

#[test]
fn undisturbed_subscription_recovers_at_once() {
    let mut sample = Sample::listening();
    sample.news.iter_mut().for_each(|(sent, heard)| *heard = Some(*sent + ms(1)));
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(0) });
    sample.header.budget.from = RecoveryFrom::Inject;
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(1) });
    // An arrival while the fault is in force proves no recovery.
    sample.miss(HEAL, HEAL + ms(1_000));
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(4_001) });
}

#[test]
fn subscription_is_not_timed_during_the_pause() {
    let mut sample = Sample::listening();
    sample.header.faults[0].kind = FaultKind::IdleClose { after: ms(1_000) };
    let (from, to) = (HIT, HEAL + ms(1_000));
    sample.header.load.pause = Some(Pause { at: from - STEADY, lasts: to - from });
    sample.succeed(|_| true);
    sample.ops.retain(|op| op.began < from || op.began >= to);
    sample.news.retain(|(sent, _)| *sent < from || *sent >= to);
    assert_eq!(back_after(&sample), Recovery::Recovered { after: ms(1) });
    sample.miss(to, STOP);
    assert!(sample.finding(Check::Subscription).contains("after the pause"));
}

#[test]
fn no_notification_sent_is_a_doubt_unless_client_ended() {
    let mut sample = Sample::listening();
    sample.news.retain(|(sent, _)| *sent < HEAL);
    let verdict = sample.verdict();
    assert_eq!(verdict.doubts, ["subscription: no notification was sent after the fault"]);
    sample.ended = Some((HIT + ms(10), Ended::Panicked { message: "lost".into() }));
    let verdict = sample.verdict();
    assert!(matches!(verdict.checks[&Check::Subscription], CheckResult::NotApplicable { .. }));
    assert_eq!(verdict.verdict, VerdictKind::Fail, "because its process ended");
}

#[test]
fn subscription_without_steady_state_is_a_doubt() {
    let mut sample = Sample::listening();
    sample.miss(ms(1_500), ms(1_700));
    let doubts = sample.verdict().doubts;
    assert_eq!(doubts, ["no steady state: 2 of 10 notifications sent before the fault never arrived"]);
    // A notification sent just before the fault may still be in transit, and losses before the steady state do not
    // count.
    let mut sample = Sample::listening();
    sample.miss(ms(2_900), HIT).miss(ms(0), ms(500));
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    let mut sample = Sample::listening();
    sample.steady_since = None;
    sample.news.iter_mut().for_each(|(_, heard)| *heard = None);
    sample.succeed(|_| true);
    let doubts = sample.verdict().doubts;
    assert_eq!(doubts, ["no steady state: the client received no notification"]);
}

#[test]
fn listening_connection_is_no_leak() {
    let mut sample = Sample::listening();
    if let (Some(steady), Some(settled)) = (&mut sample.steady, &mut sample.settled) {
        (steady.open, settled.open) = (4, 5);
    }
    assert_eq!(sample.verdict().checks[&Check::ConnectionLeak], CheckResult::Pass);
    sample.header.load.listen = false;
    assert!(sample.verdict().fails(Check::ConnectionLeak));
}
