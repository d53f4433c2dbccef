//! The definition of recovery, edge by edge.

use std::time::Duration;

use crate::judge::samples::{HEAL, HIT, STOP, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, Recovery, VerdictKind};
use crate::model::budget::RecoveryFrom;
use crate::model::fault::{Fault, FaultKind};

/// The last of four workers to succeed after the heal, which is at 6 s.
const BACK: Duration = ms(6_032);

fn recovered(after: Duration) -> Recovery {
    Recovery::Recovered { after }
}

#[test]
fn recovery_is_first_success_of_last_worker() {
    let mut sample = Sample::healthy();
    assert_eq!(sample.recovered_at(), Some(BACK));
    assert_eq!(sample.recovery(), recovered(BACK - HEAL));
    sample.fail(|op| op.worker == 2 && op.began >= HIT && op.began < ms(7_500), &refused());
    assert_eq!(sample.recovered_at(), Some(ms(7_522)));
}

#[test]
fn missing_recovery_is_censored() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT, &refused());
    // Observed for 6.1 s, but the bound is at most the budget of 4 s.
    let beyond = ms(4_000);
    assert_eq!(sample.recovery(), Recovery::Censored { beyond });
    let finding = sample.only_finding(Check::Recovered);
    for part in [
        "of heal (observed for 6.10 s)",
        "480 of 480 operations answered",
        "failed (refused × 480)",
        "worker 0, 1, 2, 3",
    ] {
        assert!(finding.contains(part), "{part}: {finding}");
    }
}

#[test]
fn recovery_over_budget_fails_with_both_figures() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < ms(9_500), &refused());
    sample.header.budget.time_to_recover = ms(3_000);
    let finding = sample.only_finding(Check::Recovered);
    assert!(finding.contains("3.53 s") && finding.contains("budget of 3.00 s"), "{finding}");
    sample.header.budget.time_to_recover = ms(3_532);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn failure_in_stability_window_restarts_it() {
    let mut sample = Sample::healthy();
    let failed = sample.op(1, ms(7_900)).id;
    sample.fail(|op| op.id == failed, &refused());
    assert_eq!(sample.recovered_at(), Some(ms(7_962)), "7.912 s, and then the first of each other worker and of it");
}

#[test]
fn worker_hung_before_fault_prevents_recovery() {
    let mut sample = Sample::healthy();
    sample.hang(3, HIT - ms(100));
    assert_eq!(sample.recovered_at(), None);
    let finding = sample.finding(Check::Recovered);
    assert!(finding.contains("no success on worker 3"), "{finding}");
}

#[test]
fn worker_hung_in_window_prevents_recovery() {
    // After the worker's first success, after its second, and just before the window ends.
    for from in [HEAL + ms(50), HEAL + ms(100), HEAL + ms(1_950)] {
        for worker in [0, 3] {
            let mut sample = Sample::healthy();
            sample.hang(worker, from);
            assert_eq!(sample.recovered_at(), None, "worker {worker} from {from:?}");
            assert!(sample.verdict().fails(Check::Recovered));
        }
    }
}

#[test]
fn operation_longer_than_window_restarts_it() {
    let mut sample = Sample::healthy();
    sample.answer_at(0, HEAL + ms(100), ms(8_500));
    // Worker 0 answers at 8.5 s; the successes of the others before that no longer count.
    assert_eq!(sample.recovered_at(), Some(ms(8_532)));
    // An operation begun in the outage that succeeds after retries is the first success, not a stall.
    let mut sample = Sample::healthy();
    let first = sample.answer_at(0, HIT, HEAL + ms(20));
    sample.succeed(|op| op.id == first);
    assert_eq!(sample.recovered_at(), Some(BACK));
}

#[test]
fn masked_fault_recovers_at_once() {
    let mut sample = Sample::healthy();
    sample.succeed(|_| true);
    assert_eq!(sample.recovery(), recovered(BACK - HEAL));
    let measures = sample.verdict().measures;
    assert_eq!((measures.time_to_detect, measures.errors.len()), (None, 0));
}

#[test]
fn budget_can_start_at_injection() {
    let mut sample = Sample::healthy();
    sample.header.budget.from = RecoveryFrom::Inject;
    sample.header.budget.time_to_recover = ms(5_000);
    assert_eq!(sample.recovery(), recovered(BACK - HIT));
    // A fault without an effect so far may still have one: the window lasts until one window after the heal.
    let mut late = Sample::healthy();
    late.header.budget.from = RecoveryFrom::Inject;
    late.succeed(|_| true).fail(|op| op.began >= HEAL + ms(1_000), &refused());
    assert_eq!(late.recovered_at(), None);
    let mut masked = Sample::healthy();
    masked.header.budget.from = RecoveryFrom::Inject;
    assert_eq!(masked.succeed(|_| true).recovery(), recovered(ms(32)));
}

#[test]
fn last_heal_of_two_faults_counts() {
    let mut sample = Sample::healthy();
    sample.header.faults.push(Fault { kind: FaultKind::Reset, at: ms(6_000), lasts: Duration::ZERO });
    sample.fault_at(1, ms(7_000), ms(7_001));
    sample.evidence.push((1, proof("sockets reset", 4, true)));
    assert_eq!(sample.recovered_at(), Some(ms(7_032)));
    let measures = sample.verdict().measures;
    assert_eq!(measures.time_to_first_success, Some(ms(7_002) - ms(7_001)));
    // Recovery is not timed if one of the faults is not healed.
    sample.steps.retain(|(_, fault, step)| *fault == 0 || *step != crate::model::history::FaultStep::Healed);
    assert_eq!((sample.recovered_at(), sample.recovery()), (None, Recovery::NotMeasured));
}

#[test]
fn operation_begun_before_fault_is_no_success() {
    let mut sample = Sample::healthy();
    sample.header.budget.from = RecoveryFrom::Inject;
    sample.succeed(|_| true);
    let early = sample.answer_at(0, HIT - ms(100), HIT + ms(5));
    assert!(sample.op(0, HIT - ms(100)).id == early);
    assert_eq!(sample.recovered_at(), Some(HIT + ms(52)), "the first success of its next operation");
    assert_eq!(sample.verdict().measures.time_to_first_success, Some(ms(12)), "worker 1's: worker 0 was busy");
}

#[test]
fn incomplete_stability_window_is_no_recovery() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < STOP - ms(2_000), &refused());
    assert_eq!(sample.recovered_at(), None);
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < STOP - ms(2_100), &refused());
    assert_eq!(sample.recovered_at(), Some(STOP - ms(2_100) + ms(32)));
}

#[test]
fn single_worker_must_keep_succeeding() {
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.worker == 0);
    sample.client.concurrency = 1;
    assert_eq!(sample.recovered_at(), Some(HEAL + ms(2)));
    sample.hang(0, HEAL + ms(50));
    assert_eq!(sample.recovered_at(), None);
}

#[test]
fn worker_dead_after_recovery_fails_full_capacity() {
    let mut sample = Sample::healthy();
    sample.hang(2, ms(9_000));
    assert_eq!(sample.recovered_at(), Some(BACK));
    let finding = sample.only_finding(Check::FullCapacity);
    assert!(finding.contains("worker 2 got no answer"), "{finding}");
    // The worker gets one answer in the last window, and its next operation is then open for longer than a window.
    let mut sample = Sample::healthy();
    sample.hang(2, STOP - ms(1_950));
    assert!(sample.only_finding(Check::FullCapacity).contains("worker 2 got no answer"));
    let mut sample = Sample::healthy();
    sample.fail(|op| op.worker == 2 && op.began >= ms(11_500), &refused());
    let finding = sample.only_finding(Check::FullCapacity);
    assert!(finding.contains("10 failed (refused × 10)"), "{finding}");
}

#[test]
fn dead_slot_fails_full_capacity() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.worker == 1 && op.began >= HIT, &refused());
    assert!(sample.verdict().fails(Check::Recovered));
    let finding = sample.finding(Check::FullCapacity);
    assert!(finding.contains("in the last 2.00 s") && finding.contains("(refused × 40)"), "{finding}");
    // With a longer interval the window covers each worker's next operation, but does not begin before recovery.
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.worker != 0 || op.began < STOP - ms(2_500));
    assert!(sample.finding(Check::FullCapacity).contains("worker 0 got no answer"));
    sample.header.load.interval = ms(5_000);
    assert_eq!(sample.verdict().checks[&Check::FullCapacity], CheckResult::Pass);
}
