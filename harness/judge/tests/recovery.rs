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
fn it_is_the_first_success_of_the_last_worker() {
    let mut sample = Sample::healthy();
    assert_eq!(sample.recovered_at(), Some(BACK));
    assert_eq!(sample.recovery(), recovered(BACK - HEAL));
    sample.fail(|op| op.worker == 2 && op.began >= HIT && op.began < ms(7_500), &refused());
    assert_eq!(sample.recovered_at(), Some(ms(7_522)));
}

#[test]
fn never_recovered_is_censored() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT, &refused());
    // Watched for 6.1 s, the last of which could still have been the beginning of a recovery.
    let beyond = ms(4_000);
    assert_eq!(sample.recovery(), Recovery::Censored { beyond });
    let finding = sample.only_finding(Check::Recovered);
    for part in
        ["of heal, watched for 6.10 s", "480 operations answered", "480 failed (refused × 480)", "worker 0, 1, 2, 3"]
    {
        assert!(finding.contains(part), "{part}: {finding}");
    }
}

#[test]
fn recovered_over_budget_fails_with_both_figures() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < ms(9_500), &refused());
    sample.header.budget.time_to_recover = ms(3_000);
    let finding = sample.only_finding(Check::Recovered);
    assert!(finding.contains("3.53 s") && finding.contains("budget of 3.00 s"), "{finding}");
    sample.header.budget.time_to_recover = ms(3_532);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn a_failure_inside_the_window_starts_it_anew() {
    let mut sample = Sample::healthy();
    let failed = sample.op(1, ms(7_900)).id;
    sample.fail(|op| op.id == failed, &refused());
    assert_eq!(sample.recovered_at(), Some(ms(7_962)), "7.912 s, and then the first of each other worker and of it");
}

#[test]
fn a_worker_that_hangs_from_before_the_fault_is_no_recovery() {
    let mut sample = Sample::healthy();
    sample.hang(3, HIT - ms(100));
    assert_eq!(sample.recovered_at(), None);
    let finding = sample.finding(Check::Recovered);
    assert!(finding.contains("without any success: worker 3"), "{finding}");
}

#[test]
fn a_worker_that_hangs_within_the_window_is_no_recovery() {
    // After its first success, after its second, and just before the window ends.
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
fn an_operation_longer_than_the_window_starts_it_anew() {
    let mut sample = Sample::healthy();
    sample.answer_at(0, HEAL + ms(100), ms(8_500));
    // Worker 0 answers at 8.5 s; the others had been well, and count again from there.
    assert_eq!(sample.recovered_at(), Some(ms(8_532)));
    // One that was begun in the outage and carried on until it worked is the first success, not a stall.
    let mut sample = Sample::healthy();
    let first = sample.answer_at(0, HIT, HEAL + ms(20));
    sample.succeed(|op| op.id == first);
    assert_eq!(sample.recovered_at(), Some(BACK));
}

#[test]
fn a_fault_that_is_masked_is_recovered_from_at_once() {
    let mut sample = Sample::healthy();
    sample.succeed(|_| true);
    assert_eq!(sample.recovery(), recovered(BACK - HEAL));
    let measures = sample.verdict().measures;
    assert_eq!((measures.time_to_detect, measures.errors.len()), (None, 0));
}

#[test]
fn time_counts_from_the_injection_where_the_budget_says_so() {
    let mut sample = Sample::healthy();
    sample.header.budget.from = RecoveryFrom::Inject;
    sample.header.budget.time_to_recover = ms(5_000);
    assert_eq!(sample.recovery(), recovered(BACK - HIT));
    // What has no effect before the heal may still have it then: the window lasts until after the heal.
    let mut late = Sample::healthy();
    late.header.budget.from = RecoveryFrom::Inject;
    late.succeed(|_| true).fail(|op| op.began >= HEAL + ms(1_000), &refused());
    assert_eq!(late.recovered_at(), None);
    let mut masked = Sample::healthy();
    masked.header.budget.from = RecoveryFrom::Inject;
    assert_eq!(masked.succeed(|_| true).recovery(), recovered(ms(32)));
}

#[test]
fn of_two_faults_the_last_heal_counts() {
    let mut sample = Sample::healthy();
    sample.header.faults.push(Fault { kind: FaultKind::Reset, at: ms(6_000), lasts: Duration::ZERO });
    sample.fault_at(1, ms(7_000), ms(7_001));
    sample.evidence.push((1, proof("sockets reset", 4, true)));
    assert_eq!(sample.recovered_at(), Some(ms(7_032)));
    let measures = sample.verdict().measures;
    assert_eq!(measures.time_to_first_success, Some(ms(7_002) - ms(7_001)));
    // While one of them is not healed, there is nothing to time.
    sample.steps.retain(|(_, fault, step)| *fault == 0 || *step != crate::model::history::FaultStep::Healed);
    assert_eq!((sample.recovered_at(), sample.recovery()), (None, Recovery::NotMeasured));
}

#[test]
fn what_began_before_the_fault_is_no_success_after_it() {
    let mut sample = Sample::healthy();
    sample.header.budget.from = RecoveryFrom::Inject;
    sample.succeed(|_| true);
    let early = sample.answer_at(0, HIT - ms(100), HIT + ms(5));
    assert!(sample.op(0, HIT - ms(100)).id == early);
    assert_eq!(sample.recovered_at(), Some(HIT + ms(52)), "the first success of its next operation");
    assert_eq!(sample.verdict().measures.time_to_first_success, Some(ms(12)), "worker 1's: worker 0 was busy");
}

#[test]
fn a_window_that_is_not_complete_at_the_end_is_no_recovery() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < STOP - ms(2_000), &refused());
    assert_eq!(sample.recovered_at(), None);
    let mut sample = Sample::healthy();
    sample.fail(|op| op.began >= HIT && op.began < STOP - ms(2_100), &refused());
    assert_eq!(sample.recovered_at(), Some(STOP - ms(2_100) + ms(32)));
}

#[test]
fn a_single_worker_must_go_on_succeeding_too() {
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.worker == 0);
    sample.client.concurrency = 1;
    assert_eq!(sample.recovered_at(), Some(HEAL + ms(2)));
    sample.hang(0, HEAL + ms(50));
    assert_eq!(sample.recovered_at(), None);
}

#[test]
fn a_worker_that_dies_after_recovery_is_seen_at_the_end() {
    let mut sample = Sample::healthy();
    sample.hang(2, ms(9_000));
    assert_eq!(sample.recovered_at(), Some(BACK));
    let finding = sample.only_finding(Check::FullCapacity);
    assert!(finding.contains("no answer came to worker 2"), "{finding}");
    // Answered once in the last window, and then open for longer than one.
    let mut sample = Sample::healthy();
    sample.hang(2, STOP - ms(1_950));
    assert!(sample.only_finding(Check::FullCapacity).contains("no answer came to worker 2"));
    let mut sample = Sample::healthy();
    sample.fail(|op| op.worker == 2 && op.began >= ms(11_500), &refused());
    let finding = sample.only_finding(Check::FullCapacity);
    assert!(finding.contains("10 failed (refused × 10)"), "{finding}");
}

#[test]
fn a_slot_that_stays_dead_fails_full_capacity() {
    let mut sample = Sample::healthy();
    sample.fail(|op| op.worker == 1 && op.began >= HIT, &refused());
    assert!(sample.verdict().fails(Check::Recovered));
    let finding = sample.finding(Check::FullCapacity);
    assert!(finding.contains("in the last 2.00 s") && finding.contains("(refused × 40)"), "{finding}");
    // A longer interval gives each worker its turn, and does not reach back before recovery.
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.worker != 0 || op.began < STOP - ms(2_500));
    assert!(sample.finding(Check::FullCapacity).contains("no answer came to worker 0"));
    sample.header.load.interval = ms(5_000);
    assert_eq!(sample.verdict().checks[&Check::FullCapacity], CheckResult::Pass);
}
