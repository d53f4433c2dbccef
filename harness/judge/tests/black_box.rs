//! Black-box applications: which checks apply, and by which rules.

use super::*;
use crate::judge::judge;
use crate::judge::samples::{END, HEAL, HIT, STEADY, STOP, ms, refused};
use crate::model::history::{Application, ConnectionChange, Ended, Event, ObservedOp, RecordedOp, Sessions};

/// The healthy run of an application: 80 statements a second, and sign-ins that fail while the fault is in force.
fn application() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.setup.application = Some(Application::default());
    sample.client.concurrency = 1;
    sample.change(
        |_| true,
        |op| (op.worker, op.kind, op.key, op.found) = (0, RecordedOp::Seen(ObservedOp::Statement), 0, None),
    );
    sample.change(|op| op.error.is_some(), |op| op.kind = RecordedOp::Seen(ObservedOp::SignIn));
    // The connections of the steady state, until the fault.
    sample.lingering = 3;
    sample
}

/// Makes the first statement begun at `began` or later succeed at `ended`, or never end. Returns its id.
fn lengthen(sample: &mut Sample, began: std::time::Duration, ended: Option<std::time::Duration>) -> u64 {
    let op = sample.ops.iter_mut().find(|op| op.began >= began).expect("there is one");
    (op.ended, op.outcome, op.error) = (ended, crate::model::history::Outcome::Ok, None);
    if ended.is_none() {
        op.outcome = crate::model::history::Outcome::Info;
    }
    op.id
}

#[test]
fn healthy_application_passes_applicable_checks() {
    let verdict = application().verdict();
    assert_eq!((verdict.verdict, &verdict.doubts[..]), (VerdictKind::Pass, &[][..]), "{verdict:#?}");
    let passed = |check: &Check| verdict.checks[check] == CheckResult::Pass;
    let seen = [
        Check::Recovered,
        Check::HungOperation,
        Check::ReconnectStorm,
        Check::ConnectionLeak,
        Check::Throughput,
        Check::Process,
    ];
    assert!(seen.iter().all(passed), "{:#?}", verdict.checks);
    let unseen = [Check::LostWrite, Check::StaleRead, Check::DuplicatedWrite, Check::FullCapacity, Check::ErrorSurface];
    assert!(!unseen.iter().any(passed), "{:#?}", verdict.checks);
}

#[test]
fn silent_application_has_not_recovered() {
    let mut sample = application();
    sample.ops.retain(|op| op.began < HEAL);
    let finding = sample.only_finding(Check::Recovered);
    assert!(finding.contains("the application sent no further statement"), "{finding}");
    assert!(!finding.contains("worker"), "{finding}");
}

#[test]
fn application_with_failing_sign_ins_has_not_recovered() {
    let mut sample = application();
    sample.change(
        |op| op.began >= HEAL && op.id % 20 == 0,
        |op| {
            let error = refused().with_sqlstate("28P01");
            (op.kind, op.outcome, op.error) =
                (RecordedOp::Seen(ObservedOp::SignIn), crate::model::history::Outcome::Fail, Some(error));
        },
    );
    assert!(sample.finding(Check::Recovered).contains("28P01"));
}

#[test]
fn long_statement_of_application_is_tolerated() {
    let mut sample = application();
    // One statement is open at the injection, and a later one takes longer than the stability window.
    lengthen(&mut sample, HIT - ms(1_800), Some(HIT + ms(2_000)));
    lengthen(&mut sample, HEAL + ms(100), Some(STOP - ms(100)));
    let verdict = sample.verdict();
    assert_eq!((verdict.verdict, &verdict.doubts[..]), (VerdictKind::Pass, &[][..]), "{verdict:#?}");
}

#[test]
fn endless_statement_is_hung() {
    let mut sample = application();
    sample.header.budget.op_deadline = ms(3_000);
    lengthen(&mut sample, HEAL - ms(200), None);
    let finding = sample.only_finding(Check::HungOperation);
    assert!(finding.contains("and 1 never returned") && finding.contains("the deadline of 3.00 s"), "{finding}");
    // The longest statement before the fault takes 1.95 s, so up to twice that is allowed; the endless one exceeds it.
    lengthen(&mut sample, STEADY, Some(HIT - ms(50)));
    assert!(sample.only_finding(Check::HungOperation).contains("the deadline of 3.9"));
    sample.header.budget.op_deadline = END;
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn application_rate_compares_with_slowest_second() {
    // 80 statements a second before, and after the fault every other one is gone.
    let mut sample = application();
    sample.ops.retain(|op| op.began < HIT || op.id % 2 == 0);
    let finding = sample.only_finding(Check::Throughput);
    assert!(finding.contains("of the 80 in the slowest second before the fault"), "{finding}");
    // No failure if half of them were missing in one second before the fault as well.
    sample.ops.retain(|op| op.began >= HIT - ms(1_000) || op.began < HIT - ms(2_000) || op.id % 2 == 0);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    // One recorded operation may count for several.
    let mut sample = application();
    sample.change(|op| op.began < HIT, |op| op.count = 3);
    assert!(sample.only_finding(Check::Throughput).contains("33 % of the 240"));
    assert!(sample.verdict().measures.ok > 1_000);
}

#[test]
fn application_attempts_compare_with_steady_state() {
    // An application that connects for each statement does so during the fault as well.
    let mut sample = application();
    sample.refusing = None;
    sample.opened = (0..900).map(|n| ms(1_000 + 12 * n)).collect();
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
    // An application that opens no connection in steady state, and makes a hundred attempts a second after the fault.
    let mut sample = application();
    sample.opened.extend((0..200).map(|n| ms(3_100 + n * 10)));
    let finding = sample.finding(Check::ReconnectStorm);
    assert!(finding.contains("100 above the 0 of the steady state") && finding.contains("4 connections"), "{finding}");
}

#[test]
fn application_leak_is_idle_transaction_not_pool_growth() {
    let mut sample = application();
    sample.settled = Some(Sessions { open: 4, idle_in_transaction: 1 });
    assert!(sample.only_finding(Check::ConnectionLeak).contains("1 sessions are idle in transaction"));
    // No leak if such a session existed in steady state.
    sample.steady = sample.settled;
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    let mut sample = application();
    sample.settled = Some(Sessions { open: 9, idle_in_transaction: 0 });
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass);
    assert!(
        matches!(&verdict.checks[&Check::ConnectionLeak], CheckResult::NotApplicable { reason } if reason.contains("9 sessions"))
    );
}

#[test]
fn unreadable_connection_is_a_doubt() {
    let mut history = application().history();
    let change = ConnectionChange::Opaque { why: "TLS".into() };
    history.events.push(Event::Connection { at: ms(60), id: 0, change });
    let verdict = judge(&history);
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(
        verdict.doubts.iter().any(|doubt| doubt.contains("cannot read") && doubt.contains(": TLS;")),
        "{:?}",
        verdict.doubts
    );
}

#[test]
fn application_without_statements_is_a_doubt() {
    let mut sample = application();
    sample.steady_since = None;
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(
        verdict.doubts.iter().any(|doubt| doubt.contains("too few statements of the application")),
        "{:?}",
        verdict.doubts
    );
}

#[test]
fn exiting_application_fails() {
    let mut sample = application();
    sample.ended = Some((HIT + ms(10), Ended::Exited { status: "exit status 1".into(), stderr: String::new() }));
    assert!(sample.finding(Check::Process).contains("exit status 1"));
}
