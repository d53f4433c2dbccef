//! Faults that leave every operation possible, and network faults that do not.

use crate::judge::samples::{HEAL, HIT, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::fault::{CutPoint, FaultKind, Point, Strike, ToxicKind};
use crate::model::history::{ErrorKind, OpError};

/// A slow network under which every operation succeeds.
fn slow() -> Sample {
    let mut sample = Sample::healthy();
    sample.header.faults[0].kind = ToxicKind::Latency { delay: ms(200), jitter: ms(50) }.into();
    sample.header.budget.undisturbed = true;
    sample.evidence = vec![(0, proof("bytes delayed", 9_000, true))];
    sample.succeed(|_| true);
    sample
}

#[test]
fn slow_operations_are_undisturbed() {
    let verdict = slow().verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Undisturbed], CheckResult::Pass);
}

#[test]
fn failure_under_harmless_fault_fails() {
    let mut sample = slow();
    let timeout = OpError::new(ErrorKind::Timeout, "took longer than 100 ms");
    sample.fail(|op| op.worker == 1 && op.began >= HIT && op.began < HIT + ms(100), &timeout);
    let finding = sample.only_finding(Check::Undisturbed);
    let expected = "2 of 720 operations failed (timeout × 2), the first 12.0 ms after the fault";
    assert!(finding.starts_with(expected), "{finding}");
    // A failure after the heal counts too: the fault may have broken the connection before.
    let mut sample = slow();
    sample.fail(|op| op.worker == 1 && op.began >= HEAL && op.began < HEAL + ms(50), &timeout);
    assert!(sample.only_finding(Check::Undisturbed).contains("the first 3.01 s after the fault"));
}

#[test]
fn open_operation_under_harmless_fault_fails() {
    let mut sample = slow();
    sample.hang(2, HIT + ms(50));
    let finding = sample.finding(Check::Undisturbed);
    assert!(finding.contains("1 of 542 operations never returned"), "{finding}");
}

#[test]
fn undisturbed_needs_a_harmless_fault() {
    let mut sample = slow();
    sample.header.budget.undisturbed = false;
    sample.fail(|op| op.began >= HIT && op.began < HEAL, &refused());
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass);
    assert!(matches!(verdict.checks[&Check::Undisturbed], CheckResult::NotApplicable { .. }), "{verdict:#?}");
}

#[test]
fn failed_operations_prove_refused_connections() {
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
fn unreached_cut_point_is_a_doubt() {
    let mut sample = Sample::healthy();
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    sample.header.faults[0].kind = FaultKind::CutPoint(cut);
    sample.evidence = vec![(0, proof("executed commits with their reply withheld", 0, true))];
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    let expected = "no evidence that the fault cut-point (commit-reply, reset) affected the client (0 executed commits";
    assert!(verdict.doubts[0].starts_with(expected), "{:?}", verdict.doubts);
}
