//! Hung operations, error surface and the end of the client process.

use crate::judge::samples::{END, HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind, judge};
use crate::model::fault::{Class, FaultKind};
use crate::model::history::{Ended, ErrorKind, Event, OpError};

fn error_28p01() -> OpError {
    OpError::new(ErrorKind::Server, "no").with_sqlstate("28P01").with_retryable(false)
}

/// Makes the fault a wrong password that is in force before the client starts, and that every operation reports as
/// 28P01.
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
fn call_over_deadline_is_hung() {
    let mut sample = Sample::healthy();
    sample.header.budget.op_deadline = ms(2_000);
    let (worst, other) = (sample.answer_at(1, HIT, HEAL), sample.answer_at(2, HIT, HEAL - ms(900)));
    sample.succeed(|op| op.id == worst || op.id == other);
    let finding = sample.only_finding(Check::HungOperation);
    assert!(finding.starts_with("2 operations took longer than the deadline of 2.00 s; the worst"), "{finding}");
    assert!(finding.contains(&format!("{worst} of worker 1, took 2.99 s [{worst}, {other}]")), "{finding}");
    sample.header.budget.op_deadline = ms(2_990);
    assert_eq!(sample.verdict().checks[&Check::HungOperation], CheckResult::Pass, "exactly the deadline is in time");
}

#[test]
fn call_without_return_is_hung() {
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
fn declared_timeout_limits_calls_with_grace() {
    let mut sample = Sample::healthy();
    let id = sample.answer_at(0, HIT, HIT + ms(2_000));
    sample.succeed(|op| op.id == id);
    sample.client.timeout = Some(ms(1_000));
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    sample.client.timeout = Some(ms(999));
    assert!(sample.only_finding(Check::HungOperation).contains("timeout of 999 ms that the client declares"));
    // A declared timeout does not extend the scenario's deadline.
    sample.client.timeout = Some(ms(900_000));
    sample.header.budget.op_deadline = ms(1_500);
    assert!(sample.only_finding(Check::HungOperation).contains("deadline of 1.50 s"));
}

#[test]
fn persistent_fault_is_recognized_by_code_or_message() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    let words = "connection failed: FATAL:  password authentication failed for user \"u\"";
    sample.fail(|op| op.began < HEAL, &OpError::new(ErrorKind::Other, words));
    assert_eq!(sample.verdict().checks[&Check::ErrorSurface], CheckResult::Pass, "libpq reports no code");
}

#[test]
fn swallowed_persistent_fault_fails() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.fail(|op| op.began < HEAL, &OpError::new(ErrorKind::Timeout, "timed out"));
    let finding = sample.only_finding(Check::ErrorSurface);
    let reported = "reported 28P01, but the client reported timeout × 232 (first message: \"timed out\")";
    assert!(finding.contains(reported), "{finding}");
    // The client reports no error: its calls wait until the heal.
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    for worker in 0..4 {
        let id = sample.answer_at(worker, HIT, HEAL);
        sample.change(|op| op.id == id, |op| op.ended = Some(HEAL + ms(3)));
        sample.succeed(|op| op.id == id);
    }
    sample.header.budget.fail_fast = ms(2_000);
    let finding = sample.only_finding(Check::ErrorSurface);
    assert!(finding.contains("the 4 affected operations reported no error"), "{finding}");
    // The fault was healed before the time in which a client must report it.
    sample.header.budget.fail_fast = HEAL;
    let verdict = sample.verdict();
    let doubt = format!("{:?}", verdict.doubts);
    assert!(
        verdict.verdict == VerdictKind::Unknown && doubt.contains("healed 2.90 s after it affected the first"),
        "{doubt}"
    );
}

#[test]
fn persistent_fault_reported_late_fails() {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.budget.fail_fast = ms(1_000);
    sample.fail(|op| op.began < HIT + ms(1_500), &OpError::new(ErrorKind::Timeout, "timed out"));
    let finding = sample.only_finding(Check::ErrorSurface);
    assert!(
        finding.contains("the client reported 28P01 only after 1.40 s") && finding.contains("within 1.00 s"),
        "{finding}"
    );
}

#[test]
fn fail_fast_starts_at_first_affected_operation() {
    // Pooled connections survive the change of the password; only a new one is affected.
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
fn transient_error_marked_not_retryable_fails() {
    let final_ones = [
        OpError::new(ErrorKind::Refused, "refused").with_retryable(false),
        OpError::new(ErrorKind::Server, "starting up").with_sqlstate("57P03").with_retryable(false),
    ];
    for error in final_ones {
        let mut sample = Sample::healthy();
        sample.fail(|op| op.began >= HIT && op.began < HIT + ms(50), &error);
        let finding = sample.only_finding(Check::ErrorSurface);
        assert!(
            finding
                .contains(&format!("the client reported 4 transient errors as not retryable: {} × 4", error.label()))
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
fn dead_client_fails_with_its_stderr() {
    let mut sample = Sample::healthy();
    let how = Ended::Exited { status: "exit status 1".into(), stderr: "boom\n".into() };
    sample.ended = Some((HIT + ms(40), how));
    let finding = sample.only_finding(Check::Process);
    assert!(
        finding.contains("exited 40.0 ms after the fault (exit status 1); its stderr ends with: boom"),
        "{finding}"
    );
    sample.ended = Some((HIT + ms(40), Ended::Panicked { message: "index out of bounds".into() }));
    assert!(sample.only_finding(Check::Process).contains("after the fault: index out of bounds"));
    sample.ended = Some((STEADY, Ended::Panicked { message: "x".into() }));
    assert!(sample.finding(Check::Process).contains("2.00 s before the fault"));
    assert_eq!(sample.verdict().verdict, VerdictKind::Unknown, "the fault is not the cause");
}

#[test]
fn first_client_end_counts_unless_protocol_violated() {
    let mut sample = Sample::healthy();
    sample.ended = Some((HIT + ms(40), Ended::Panicked { message: "the first".into() }));
    let mut history = sample.history();
    history.events.push(Event::ClientEnded { at: HEAL, how: Ended::Panicked { message: "the second".into() } });
    let verdict = judge(&history);
    let (_, findings) = verdict.failures().next().expect("it fails");
    assert!(findings[0].what.ends_with("40.0 ms after the fault: the first"), "{findings:?}");
    history.events.push(Event::ClientEnded { at: HEAL, how: Ended::Violated { reason: "answered twice".into() } });
    assert_eq!(judge(&history).verdict, VerdictKind::Unknown);
}
