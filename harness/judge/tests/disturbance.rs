//! Faults that leave every operation possible, and those of the path that do not.

use crate::judge::samples::{HEAL, HIT, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::fault::{CutPoint, FaultKind, Point, Strike, ToxicKind};
use crate::model::history::{ErrorKind, OpError};

/// A slow network, under which everything works.
fn slow() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.faults[0].kind = ToxicKind::Latency { delay: ms(200), jitter: ms(50) }.into();
    sample.header.budget.undisturbed = true;
    sample.evidence = vec![(0, proof("bytes delayed", 9_000, true))];
    sample.succeed(|_| true);
    sample
}

#[test]
fn what_is_slow_but_works_is_undisturbed() {
    let verdict = slow().verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Undisturbed], CheckResult::Pass);
}

#[test]
fn a_failure_that_nothing_forced_fails() {
    let mut sample = slow();
    let timeout = OpError::new(ErrorKind::Timeout, "took longer than 100 ms");
    sample.fail(|op| op.worker == 1 && op.began >= HIT && op.began < HIT + ms(100), &timeout);
    let finding = sample.only_finding(Check::Undisturbed);
    let expected = "2 of 720 operations failed (timeout × 2), the first 12.0 ms after the fault";
    assert!(finding.starts_with(expected), "{finding}");
    // Also after the heal: what was broken meanwhile is still the fault's doing.
    let mut sample = slow();
    sample.fail(|op| op.worker == 1 && op.began >= HEAL && op.began < HEAL + ms(50), &timeout);
    assert!(sample.only_finding(Check::Undisturbed).contains("the first 3.01 s after the fault"));
}

#[test]
fn an_operation_that_is_left_open_is_disturbed_too() {
    let mut sample = slow();
    sample.hang(2, HIT + ms(50));
    let finding = sample.finding(Check::Undisturbed);
    assert!(finding.contains("1 of 542 operations had no answer at the end"), "{finding}");
}

#[test]
fn where_operations_may_fail_the_check_does_not_apply() {
    let mut sample = slow();
    sample.header.budget.undisturbed = false;
    sample.fail(|op| op.began >= HIT && op.began < HEAL, &refused());
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass);
    assert!(matches!(verdict.checks[&Check::Undisturbed], CheckResult::NotApplicable { .. }), "{verdict:#?}");
}

#[test]
fn a_shut_door_is_felt_by_a_client_that_held_no_connection() {
    for kind in [FaultKind::Refuse, FaultKind::Hang, FaultKind::Reject] {
        let mut sample = Sample::healthy();
        sample.header.faults[0].kind = kind;
        sample.evidence = vec![(0, proof("sockets reset", 0, true))];
        assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "{kind}: operations failed meanwhile");
        sample.succeed(|_| true);
        let doubts = sample.verdict().doubts;
        assert!(doubts[0].contains("0 operations failed or held up meanwhile"), "{doubts:?}");
    }
}

#[test]
fn a_point_that_no_connection_came_to_proves_nothing() {
    let mut sample = Sample::healthy();
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    sample.header.faults[0].kind = FaultKind::CutPoint(cut);
    sample.evidence = vec![(0, proof("executed commits with their reply withheld", 0, true))];
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    let expected = "the fault cut-point (commit-reply, reset) had no effect that was seen (0 executed commits";
    assert!(verdict.doubts[0].starts_with(expected), "{:?}", verdict.doubts);
}
