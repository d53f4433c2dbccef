//! Calls that the application cancels.

use crate::judge::samples::{HEAL, HIT, Sample, ms};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::history::{ErrorKind, OpError};

/// A run in which every call has 500 ms, and those that run into the fault are cancelled as they should be.
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
fn a_call_that_returns_soon_after_its_deadline_is_in_time() {
    let mut sample = cancelled();
    sample.answer_at(1, HIT, HIT + ms(1_490));
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Deadline], CheckResult::Pass);
}

#[test]
fn a_call_that_returns_long_after_its_deadline_fails() {
    let mut sample = cancelled();
    let worst = sample.answer_at(1, HIT, HIT + ms(2_000));
    let finding = sample.only_finding(Check::Deadline);
    assert!(
        finding.starts_with("1 calls came back more than 1.00 s after the application's deadline of 500 ms"),
        "{finding}"
    );
    assert!(finding.contains(&format!("{worst} of worker 1, took")), "{finding}");
}

#[test]
fn on_a_machine_out_of_breath_a_late_answer_proves_nothing() {
    let mut sample = cancelled();
    let late = sample.answer_at(1, HIT, HIT + ms(2_000));
    // The harness begins an operation of another worker long after its time.
    let behind = sample.ops.iter_mut().rfind(|op| op.worker == 2).unwrap();
    let by = ms(600);
    (behind.began, behind.ended) = (behind.began + by, behind.ended.map(|ended| ended + by));
    let verdict = sample.verdict();
    let result = &verdict.checks[&Check::Deadline];
    assert!(matches!(result, CheckResult::Unknown { reason } if reason.contains("600 ms late")), "{late}: {result:?}");
}

#[test]
fn a_call_that_never_returns_fails_too() {
    let mut sample = cancelled();
    sample.hang(0, HIT);
    assert!(sample.finding(Check::Deadline).contains("and 1 never returned"));
}

#[test]
fn a_transaction_left_open_is_the_next_callers_trouble() {
    for code in ["25P02", "25001"] {
        let mut sample = cancelled();
        sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(100), &with_code(code));
        let finding = sample.only_finding(Check::Deadline);
        assert!(
            finding.contains("found a transaction open that was not theirs") && finding.contains(code),
            "{finding}"
        );
    }
    let mut sample = cancelled();
    sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(100), &with_code("25006"));
    assert!(!sample.verdict().fails(Check::Deadline), "a server that is read-only is another matter");
}

#[test]
fn without_a_deadline_or_a_long_call_there_is_nothing_to_ask() {
    let not_applicable = |sample: &Sample| {
        let verdict = sample.verdict();
        matches!(&verdict.checks[&Check::Deadline], CheckResult::NotApplicable { .. })
    };
    let mut sample = Sample::healthy();
    assert!(not_applicable(&sample));
    sample.header.load.deadline = Some(ms(500));
    assert!(not_applicable(&sample), "all are refused within 2 ms");
}
