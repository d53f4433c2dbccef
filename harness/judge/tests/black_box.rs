//! Applications that do their own work: what is judged of them, and what is not.

use super::*;
use crate::judge::judge;
use crate::judge::samples::{END, HEAL, HIT, STEADY, STOP, ms, refused};
use crate::model::history::{Application, ConnectionChange, Ended, Event, ObservedOp, RecordedOp, Sessions};

/// The healthy run of an application: its statements, 80 a second, and sign-ins that fail while the fault is in force.
fn application() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.application = Some(Application::default());
    sample.client.concurrency = 1;
    sample.change(
        |_| true,
        |op| (op.worker, op.kind, op.key, op.found) = (0, RecordedOp::Seen(ObservedOp::Statement), 0, None),
    );
    sample.change(|op| op.error.is_some(), |op| op.kind = RecordedOp::Seen(ObservedOp::SignIn));
    // The connections that it had at first, until the fault.
    sample.lingering = 3;
    sample
}

/// Lets one statement begin and end at other times than the others.
fn lengthen(sample: &mut Sample, began: std::time::Duration, ended: Option<std::time::Duration>) -> u64 {
    let op = sample.ops.iter_mut().find(|op| op.began >= began).expect("there is one");
    (op.ended, op.outcome, op.error) = (ended, crate::model::history::Outcome::Ok, None);
    if ended.is_none() {
        op.outcome = crate::model::history::Outcome::Info;
    }
    op.id
}

#[test]
fn a_healthy_one_passes_and_what_is_not_seen_is_not_judged() {
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
fn one_that_asks_nothing_any_more_has_not_recovered() {
    let mut sample = application();
    sample.ops.retain(|op| op.began < HEAL);
    let finding = sample.only_finding(Check::Recovered);
    assert!(finding.contains("the application asks the server for nothing any more"), "{finding}");
    assert!(!finding.contains("worker"), "{finding}");
}

#[test]
fn one_whose_sign_ins_go_on_failing_has_not_recovered() {
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
fn a_long_statement_is_no_sign_of_anything() {
    let mut sample = application();
    // One under way when the fault came, and one that takes longer than the stability window after it.
    lengthen(&mut sample, HIT - ms(1_800), Some(HIT + ms(2_000)));
    lengthen(&mut sample, HEAL + ms(100), Some(STOP - ms(100)));
    let verdict = sample.verdict();
    assert_eq!((verdict.verdict, &verdict.doubts[..]), (VerdictKind::Pass, &[][..]), "{verdict:#?}");
}

#[test]
fn a_statement_that_never_ends_hangs_unless_it_is_used_to_such() {
    let mut sample = application();
    sample.header.budget.op_deadline = ms(3_000);
    lengthen(&mut sample, HEAL - ms(200), None);
    let finding = sample.only_finding(Check::HungOperation);
    assert!(finding.contains("and 1 never returned") && finding.contains("the deadline of 3.00 s"), "{finding}");
    // It took 1.9 s before the fault: twice that is nothing to be blamed for, but this one takes more.
    lengthen(&mut sample, STEADY, Some(HIT - ms(50)));
    assert!(sample.only_finding(Check::HungOperation).contains("the deadline of 3.9"));
    sample.header.budget.op_deadline = END;
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn a_rate_is_compared_with_the_poorest_second_before() {
    // 80 statements a second before, and after the fault every other one is gone.
    let mut sample = application();
    sample.ops.retain(|op| op.began < HIT || op.id % 2 == 0);
    let finding = sample.only_finding(Check::Throughput);
    assert!(finding.contains("of the 80 in the poorest second before the fault"), "{finding}");
    // The same where half of them were missing in one second before as well.
    sample.ops.retain(|op| op.began >= HIT - ms(1_000) || op.began < HIT - ms(2_000) || op.id % 2 == 0);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    // And one recorded operation may stand for several.
    let mut sample = application();
    sample.change(|op| op.began < HIT, |op| op.count = 3);
    assert!(sample.only_finding(Check::Throughput).contains("33 % of the 240"));
    assert!(sample.verdict().measures.ok > 1_000);
}

#[test]
fn attempts_are_compared_with_those_of_its_steady_state() {
    // One that connects for each statement does so during the fault, too.
    let mut sample = application();
    sample.refusing = None;
    sample.opened = (0..900).map(|n| ms(1_000 + 12 * n)).collect();
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
    // One that does not, and then tries a hundred times a second.
    let mut sample = application();
    sample.opened.extend((0..200).map(|n| ms(3_100 + n * 10)));
    let finding = sample.finding(Check::ReconnectStorm);
    assert!(
        finding.contains("100 more than the 0 of the steady state") && finding.contains("4 connections"),
        "{finding}"
    );
}

#[test]
fn a_transaction_that_is_left_is_a_leak_and_a_pool_that_grew_is_none() {
    let mut sample = application();
    sample.settled = Some(Sessions { open: 4, idle_in_transaction: 1 });
    assert!(sample.only_finding(Check::ConnectionLeak).contains("1 sessions have been idle in a transaction"));
    // It has such a session all the time.
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
fn what_cannot_be_read_proves_nothing() {
    let mut history = application().history();
    let change = ConnectionChange::Opaque { why: "TLS".into() };
    history.events.push(Event::Connection { at: ms(60), id: 0, change });
    let verdict = judge(&history);
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts.iter().any(|doubt| doubt.contains("could not be read (TLS)")), "{:?}", verdict.doubts);
}

#[test]
fn one_that_was_never_seen_at_work_proves_nothing() {
    let mut sample = application();
    sample.steady_since = None;
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts.iter().any(|doubt| doubt.contains("not seen at work long enough")), "{:?}", verdict.doubts);
}

#[test]
fn one_that_exits_fails() {
    let mut sample = application();
    sample.ended = Some((HIT + ms(10), Ended::Exited { status: "exit status 1".into(), stderr: String::new() }));
    assert!(sample.finding(Check::Process).contains("exit status 1"));
}
