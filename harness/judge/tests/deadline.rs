//! Calls that the application cancels.

use crate::judge::samples::{HEAL, HIT, Sample, ms};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::history::{ErrorKind, OpError};

/// A run in which every call has a deadline of 500 ms, and calls under the fault are cancelled in time.
fn cancelled() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.load.deadline = Some(ms(500));
    let error = OpError::new(ErrorKind::Deadline, "cancelled").with_retryable(true);
    sample.fail(|op| op.began >= HIT && op.began < HEAL, &error);
    sample
}

fn with_code(code: &str) -> OpError {
    OpError::new(ErrorKind::Server, "no").with_sqlstate(code).with_retryable(true)
}

#[test]
fn call_returning_within_grace_passes() {
    let mut sample = cancelled();
    sample.answer_at(1, HIT, HIT + ms(1_490));
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Deadline], CheckResult::Pass);
}

#[test]
fn call_returning_after_grace_fails() {
    let mut sample = cancelled();
    let worst = sample.answer_at(1, HIT, HIT + ms(2_000));
    let finding = sample.only_finding(Check::Deadline);
    assert!(
        finding.starts_with("1 calls returned more than 1.00 s after the application's deadline of 500 ms"),
        "{finding}"
    );
    assert!(finding.contains(&format!("{worst} of worker 1, took")), "{finding}");
}

#[test]
fn late_answer_on_overloaded_machine_is_unknown() {
    let mut sample = cancelled();
    let late = sample.answer_at(1, HIT, HIT + ms(2_000));
    // The harness starts an operation of another worker late.
    let behind = sample.ops.iter_mut().rfind(|op| op.worker == 2).unwrap();
    let by = ms(600);
    (behind.began, behind.ended) = (behind.began + by, behind.ended.map(|ended| ended + by));
    let verdict = sample.verdict();
    let result = &verdict.checks[&Check::Deadline];
    assert!(matches!(result, CheckResult::Unknown { reason } if reason.contains("600 ms late")), "{late}: {result:?}");
}

#[test]
fn call_without_return_fails_deadline() {
    let mut sample = cancelled();
    sample.hang(0, HIT);
    assert!(sample.finding(Check::Deadline).contains("and 1 never returned"));
}

#[test]
fn transaction_left_by_cancelled_call_fails() {
    for code in ["25P02", "25001"] {
        let mut sample = cancelled();
        sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(100), &with_code(code));
        let finding = sample.only_finding(Check::Deadline);
        assert!(
            finding.contains("ran into a transaction that a cancelled call had left open") && finding.contains(code),
            "{finding}"
        );
    }
    let mut sample = cancelled();
    sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(100), &with_code("25006"));
    assert!(!sample.verdict().fails(Check::Deadline), "a server that is read-only is another matter");
}

#[test]
fn deadline_needs_a_deadline_and_a_long_call() {
    let not_applicable = |sample: &Sample| {
        let verdict = sample.verdict();
        matches!(&verdict.checks[&Check::Deadline], CheckResult::NotApplicable { .. })
    };
    let mut sample = Sample::healthy();
    assert!(not_applicable(&sample));
    sample.header.load.deadline = Some(ms(500));
    assert!(not_applicable(&sample), "all are refused within 2 ms");
}
