//! What the caller is told, and how soon.

use crate::judge::samples::{END, HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind, judge};
use crate::model::fault::{Class, FaultKind};
use crate::model::history::{Ended, ErrorKind, Event, OpError};

fn error_28p01() -> OpError {
    OpError::new(ErrorKind::Server, "no").with_sqlstate("28P01").with_retryable(false)
}

/// Makes the fault a wrong password that is in force before the client starts, and is reported as it should be.
pub(super) fn wrong_password(sample: &mut Sample) {
    sample.header.class = Class::Persistent;
    sample.header.faults[0].kind = FaultKind::WrongPassword;
    sample.header.precedes_client = true;
    (sample.steady_since, sample.steady) = (None, None);
    sample.ops.retain(|op| op.began >= HIT + ms(100));
    sample.evidence = vec![(0, proof("sign-ins refused with 28P01", 30, true))];
    sample.fail(|op| op.began < HEAL, &error_28p01());
}

#[test]
fn a_call_that_outlives_the_deadline_hangs() {
    let mut sample = Sample::healthy();
    sample.header.budget.op_deadline = ms(2_000);
    let (worst, other) = (sample.answer_at(1, HIT, HEAL), sample.answer_at(2, HIT, HEAL - ms(900)));
    sample.succeed(|op| op.id == worst || op.id == other);
    let finding = sample.only_finding(Check::HungOperation);
    assert!(finding.starts_with("2 operations outlived the deadline of 2.00 s; the worst"), "{finding}");
    assert!(finding.contains(&format!("{worst} of worker 1, took 2.99 s [{worst}, {other}]")), "{finding}");
    sample.header.budget.op_deadline = ms(2_990);
    assert_eq!(sample.verdict().checks[&Check::HungOperation], CheckResult::Pass, "exactly the deadline is in time");
}

#[test]
fn a_call_that_never_returns_hangs_for_as_long_as_was_watched() {
    let mut sample = Sample::healthy();
    sample.header.budget.op_deadline = ms(9_000);
    sample.hang(0, HIT);
    let finding = sample.finding(Check::HungOperation);
    assert!(finding.contains("took 9.10 s, and 1 never returned"), "{finding}");
    assert_eq!(END - HIT, ms(9_100));
    sample.header.budget.op_deadline = ms(9_100);
    assert!(!sample.verdict().fails(Check::HungOperation));
}

#[test]
fn a_client_is_held_to_the_timeout_it_declares_with_some_grace() {
    let mut sample = Sample::healthy();
    let id = sample.answer_at(0, HIT, HIT + ms(2_000));
    sample.succeed(|op| op.id == id);
    sample.client.timeout = Some(ms(1_000));
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    sample.client.timeout = Some(ms(999));
    assert!(sample.only_finding(Check::HungOperation).contains("999 ms that the client declares"));
    // A client cannot grant itself more than the budget does.
    sample.client.timeout = Some(ms(900_000));
    sample.header.budget.op_deadline = ms(1_500);
    assert!(sample.only_finding(Check::HungOperation).contains("deadline of 1.50 s"));
}

#[test]
fn a_persistent_fault_is_told_by_its_code_or_in_the_words_of_the_server() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    let words = "connection failed: FATAL:  password authentication failed for user \"u\"";
    sample.fail(|op| op.began < HEAL, &OpError::new(ErrorKind::Other, words));
    assert_eq!(sample.verdict().checks[&Check::ErrorSurface], CheckResult::Pass, "libpq gives no code");
}

#[test]
fn a_persistent_fault_that_is_swallowed_fails() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.fail(|op| op.began < HEAL, &OpError::new(ErrorKind::Timeout, "timed out"));
    let finding = sample.only_finding(Check::ErrorSurface);
    let told = "said 28P01, but operations reported timeout × 232 (the first: \"timed out\")";
    assert!(finding.contains(told), "{finding}");
    // Nobody is told anything: the calls wait until it is repaired.
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    for worker in 0..4 {
        let id = sample.answer_at(worker, HIT, HEAL);
        sample.change(|op| op.id == id, |op| op.ended = Some(HEAL + ms(3)));
        sample.succeed(|op| op.id == id);
    }
    sample.header.budget.fail_fast = ms(2_000);
    let finding = sample.only_finding(Check::ErrorSurface);
    assert!(finding.contains("the 4 operations that met it reported no error"), "{finding}");
    // They might have been told in time, had it been there for as long as that may take.
    sample.header.budget.fail_fast = HEAL;
    let verdict = sample.verdict();
    let doubt = format!("{:?}", verdict.doubts);
    assert!(verdict.verdict == VerdictKind::Unknown && doubt.contains("healed 2.90 s after the first"), "{doubt}");
}

#[test]
fn a_persistent_fault_that_is_told_late_fails() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.budget.fail_fast = ms(1_000);
    sample.fail(|op| op.began < HIT + ms(1_500), &OpError::new(ErrorKind::Timeout, "timed out"));
    let finding = sample.only_finding(Check::ErrorSurface);
    assert!(finding.contains("28P01 was reported only after 1.40 s") && finding.contains("within 1.00 s"), "{finding}");
}

#[test]
fn the_time_to_tell_starts_when_the_fault_is_met() {
    // Pooled connections outlive the change of the password; only a new one meets it.
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.budget.fail_fast = ms(500);
    sample.succeed(|op| op.began < HIT + ms(2_000));
    assert_eq!(sample.verdict().checks[&Check::ErrorSurface], CheckResult::Pass);
    sample.succeed(|_| true);
    let result = &sample.verdict().checks[&Check::ErrorSurface];
    assert!(matches!(result, CheckResult::NotApplicable { .. }), "{result:?}");
}

#[test]
fn a_transient_error_that_is_called_final_fails() {
    let final_ones = [
        OpError::new(ErrorKind::Refused, "refused").with_retryable(false),
        OpError::new(ErrorKind::Server, "starting up").with_sqlstate("57P03").with_retryable(false),
    ];
    for error in final_ones {
        let mut sample = Sample::healthy();
        sample.fail(|op| op.began >= HIT && op.began < HIT + ms(50), &error);
        let finding = sample.only_finding(Check::ErrorSurface);
        assert!(
            finding.contains(&format!("4 errors that pass by themselves were called final: {} × 4", error.label()))
        );
    }
    let mut sample = Sample::healthy();
    sample.fail(
        |op| op.began == HIT,
        &OpError::new(ErrorKind::Server, "no").with_sqlstate("42P01").with_retryable(false),
    );
    assert_eq!(sample.verdict().checks[&Check::ErrorSurface], CheckResult::Pass, "some errors are final");
    sample.fail(|op| op.began >= HIT && op.began < HEAL, &OpError { retryable: None, ..refused() });
    let result = &sample.verdict().checks[&Check::ErrorSurface];
    assert!(matches!(result, CheckResult::NotApplicable { .. }), "no opinion is no mistake: {result:?}");
}

#[test]
fn a_client_that_dies_fails_with_its_last_words() {
    let mut sample = Sample::healthy();
    let how = Ended::Exited { status: "exit status 1".into(), stderr: "boom\n".into() };
    sample.ended = Some((HIT + ms(40), how));
    let finding = sample.only_finding(Check::Process);
    assert!(finding.contains("(exit status 1); its stderr ends with: boom 40.0 ms after the fault"), "{finding}");
    sample.ended = Some((HIT + ms(40), Ended::Panicked { message: "index out of bounds".into() }));
    assert!(sample.only_finding(Check::Process).contains("panicked: index out of bounds"));
    sample.ended = Some((STEADY, Ended::Panicked { message: "x".into() }));
    assert!(sample.finding(Check::Process).contains("2.00 s before the fault"));
    assert_eq!(sample.verdict().verdict, VerdictKind::Unknown, "the fault is not to blame");
}

#[test]
fn the_first_of_several_ends_is_the_cause_unless_the_protocol_was_broken() {
    let mut sample = Sample::healthy();
    sample.ended = Some((HIT + ms(40), Ended::Panicked { message: "the first".into() }));
    let mut history = sample.history();
    history.events.push(Event::ClientEnded { at: HEAL, how: Ended::Panicked { message: "the second".into() } });
    let verdict = judge(&history);
    let (_, findings) = verdict.failures().next().expect("it fails");
    assert!(findings[0].what.contains("the first 40.0 ms after"), "{findings:?}");
    history.events.push(Event::ClientEnded { at: HEAL, how: Ended::Violated { reason: "answered twice".into() } });
    assert_eq!(judge(&history).verdict, VerdictKind::Unknown);
}
