//! Every doubt makes the verdict unknown, never pass.

use crate::judge::samples::{END, HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, VerdictKind, judge};
use crate::model::fault::{CutPoint, Fault, FaultKind, Point, Strike, ToxicKind};
use crate::model::history::{ConnectionChange, Ended, ErrorKind, Event, FaultStep, OpError};

/// Asserts that the verdict is unknown for this reason only.
#[track_caller]
fn doubted(sample: &Sample, reason: &str) {
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown, "{verdict:#?}");
    assert_eq!(verdict.doubts.len(), 1, "{:?}", verdict.doubts);
    assert!(verdict.doubts[0].contains(reason), "{reason}: {:?}", verdict.doubts);
}

fn changed(change: impl FnOnce(&mut Sample)) -> Sample {
    let mut sample = Sample::healthy();
    change(&mut sample);
    sample
}

/// A sample with a fault for which failed operations are no evidence.
fn exhausted(change: impl FnOnce(&mut Sample)) -> Sample {
    changed(|sample| {
        sample.header.faults[0].kind = FaultKind::ExhaustConnections;
        change(sample);
    })
}

#[test]
fn fault_without_evidence_is_a_doubt() {
    doubted(&exhausted(|sample| sample.evidence.clear()), "affected the client (nothing was counted)");
    let none = vec![(0, proof("sessions lost", 0, true)), (0, proof("log lines", 0, false))];
    doubted(&exhausted(|sample| sample.evidence = none), "(0 sessions lost)");
}

#[test]
fn supporting_evidence_allows_failure_but_no_pass() {
    let done = vec![(0, proof("sessions lost", 0, true)), (0, proof("log lines", 1, false))];
    let mut sample = exhausted(|sample| sample.evidence = done);
    doubted(&sample, "affected the client (0 sessions lost)");
    sample.fail(|op| op.began >= HIT, &refused());
    assert_eq!((sample.verdict().verdict, sample.verdict().doubts.len()), (VerdictKind::Fail, 0));
}

#[test]
fn failed_operations_prove_stopped_server() {
    let none = vec![(0, proof("sessions lost", 0, true))];
    let mut sample = changed(|sample| sample.evidence = none);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "operations failed meanwhile");
    sample.succeed(|_| true);
    doubted(&sample, "0 operations failed or held up meanwhile");
}

#[test]
fn each_fault_needs_its_own_evidence() {
    let mut sample = exhausted(|_| ());
    sample.header.faults.push(Fault {
        kind: ToxicKind::Stall { close_after: None }.into(),
        at: ms(4_000),
        lasts: ms(500),
    });
    sample.fault_at(1, ms(5_000), ms(5_500));
    doubted(&sample, "the fault stall affected the client");
}

#[test]
fn cut_point_in_unreadable_connection_is_a_doubt() {
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    let mut sample = changed(|sample| sample.header.faults[0].kind = FaultKind::CutPoint(cut));
    sample.evidence = vec![(0, proof("cut points hit", 0, true))];
    sample.succeed(|_| true);
    doubted(&sample, "0 cut points hit");
    let mut history = sample.history();
    let change = ConnectionChange::Opaque { why: "TLS".into() };
    history.events.insert(0, Event::Connection { at: ms(60), id: 0, change });
    let doubts = judge(&history).doubts.join("; ");
    assert!(doubts.contains("1 of them unreadable (TLS)") && doubts.contains("sslmode=disable"), "{doubts}");
}

#[test]
fn incomplete_fault_is_a_doubt() {
    let failed = |step: &str| FaultStep::Failed { reason: format!("it could not be {step}: no") };
    let sample = changed(|sample| sample.steps[1].2 = failed("injected"));
    doubted(&sample, "could not be injected: no");
    let sample = changed(|sample| sample.steps[3].2 = failed("healed"));
    doubted(&sample, "could not be healed: no");
    let sample = changed(|sample| (sample.steps[1].2, sample.steps[3].2) = (failed("injected"), failed("healed")));
    assert_eq!(sample.verdict().doubts.len(), 2, "both are reported");
    doubted(&changed(|sample| sample.steps.truncate(3)), "restart (fast) was not confirmed as healed");
    let mut sample = changed(|sample| sample.steps.clear());
    sample.succeed(|_| true);
    doubted(&sample, "restart (fast) was never injected");
}

#[test]
fn scenario_without_fault_is_a_doubt() {
    let mut sample = changed(|sample| sample.header.faults.clear());
    sample.evidence.clear();
    sample.succeed(|_| true);
    doubted(&sample, "the scenario has no fault");
}

#[test]
fn failure_in_steady_state_is_a_doubt() {
    let error = OpError::new(ErrorKind::Server, "no").with_sqlstate("42P01");
    let mut sample = changed(|sample| _ = sample.fail(|op| op.worker == 1 && op.began == ms(2_010), &error));
    doubted(&sample, "1 operations failed in the 2.00 s before the fault (42P01 × 1; operations [");
    sample.succeed(|op| op.began < HIT);
    sample.fail(|op| op.began < STEADY - ms(50), &error);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "a client may take its time to start");
}

#[test]
fn missing_steady_state_is_a_doubt() {
    doubted(&changed(|sample| sample.steady_since = None), "not every worker had a success");
    let mut sample = changed(|sample| sample.steady_since = None);
    sample.fail(|op| op.began < HIT, &refused());
    doubted(&sample, "refused × ");
    // Every worker must have succeeded before the fault.
    doubted(&changed(|sample| sample.ops.retain(|op| op.worker != 2 || op.began >= HIT)), "worker 2");
    let sample = changed(|sample| _ = sample.hang(1, HIT - ms(1_100)));
    doubted(&sample, "worker 1 had no success before the fault, or was stuck in an operation");
    let sample = changed(|sample| _ = sample.hang(1, HIT - ms(900)));
    assert_eq!(sample.verdict().verdict, VerdictKind::Fail, "operations open at the injection may fail");
}

#[test]
fn run_without_end_or_audit_is_a_doubt() {
    let verdict = exhausted(|sample| sample.audited = false).verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts[0].contains("the audit did not run"), "{:?}", verdict.doubts);
    assert!(
        verdict.doubts[1].contains("nothing was counted"),
        "evidence is recorded with the audit: {:?}",
        verdict.doubts
    );
    assert_eq!((verdict.unmet, verdict.kind_for_schedule()), (1, VerdictKind::Unknown));
    doubted(&changed(|sample| (sample.finished, sample.audited) = (false, false)), "the run did not finish");
}

#[test]
fn recorded_doubt_is_kept() {
    doubted(&changed(|sample| sample.doubts.push("the disk was full".into())), "the disk was full");
}

#[test]
fn protocol_violation_is_a_doubt() {
    let violated = Ended::Violated { reason: "answered twice".into() };
    let mut sample = changed(|sample| sample.ended = Some((END, violated)));
    doubted(&sample, "answered twice");
    sample.fail(|op| op.began >= HIT, &refused());
    assert_eq!(sample.verdict().verdict, VerdictKind::Unknown);
    assert!(sample.verdict().fails(Check::Recovered), "its checks are still told");
}

#[test]
fn late_harness_is_a_doubt() {
    let mut sample = Sample::healthy();
    let late = sample.op(3, ms(9_000)).id;
    sample.change(|op| op.id == late, |op| op.intended -= ms(1_100));
    // The worker of the late operation has been free since 7.8 s.
    sample.ops.retain(|op| op.worker != 3 || op.id == late || op.began < ms(7_800) || op.began > ms(9_000));
    doubted(&sample, "late although its worker was free");
}

#[test]
fn client_killed_by_first_fault_fails() {
    let mut sample = Sample::healthy();
    sample.header.faults.push(Fault { kind: FaultKind::Reset, at: ms(9_000), lasts: ms(0) });
    doubted(&sample, "reset was never injected");
    sample.ended = Some((HEAL, Ended::Exited { status: "signal 11".into(), stderr: String::new() }));
    let verdict = sample.verdict();
    assert_eq!((verdict.verdict, verdict.doubts.len()), (VerdictKind::Fail, 0), "{verdict:#?}");
}

/// Twice as many callers as the client's concurrency; operations of `stuck` callers, begun just before the fault, end
/// half a second after it.
fn crowded(stuck: u32) -> Sample {
    let mut sample = Sample::healthy();
    sample.header.load.callers_per_connection = 2;
    sample.header.load.interval = ms(100);
    sample.client.concurrency = 2;
    sample.header.faults[0].kind = FaultKind::Reset;
    sample.header.faults[0].lasts = ms(0);
    sample.fault_at(0, HIT, HIT + ms(1_000));
    sample.succeed(|_| true);
    for worker in 0..stuck {
        sample.answer_at(worker, HIT - ms(40), HIT + ms(500));
    }
    sample
}

#[test]
fn waiters_scenario_needs_waiting_callers() {
    let waited = crowded(3).verdict();
    assert_eq!(waited.verdict, VerdictKind::Pass, "{waited:#?}");
    doubted(&crowded(1), "no caller had to wait for a connection: at most 2 operations were open at once");
    let mut without = crowded(1);
    (without.header.load.callers_per_connection, without.client.concurrency) = (1, 4);
    assert_eq!(without.verdict().verdict, VerdictKind::Pass, "the scenario needs no waiting callers");
}

#[test]
fn schedule_needs_one_effective_fault() {
    let whole = changed(|_| {});
    assert_eq!((whole.verdict().unmet, whole.verdict().kind_for_schedule()), (0, VerdictKind::Pass));
    // Two faults at the same time, one of them without evidence.
    let mut two = exhausted(|_| {});
    two.header.faults.insert(0, whole.header.faults[0]);
    let steps: Vec<_> = two.steps.iter().map(|(at, _, step)| (*at, 1, step.clone())).collect();
    two.steps.extend(steps);
    two.evidence = vec![(0, proof("sessions lost with the server", 4, true))];
    let verdict = two.verdict();
    assert_eq!((verdict.verdict, verdict.unmet), (VerdictKind::Unknown, 1), "{:?}", verdict.doubts);
    assert_eq!(verdict.kind_for_schedule(), VerdictKind::Pass);
    two.fail(|op| op.began >= HEAL, &refused());
    assert_eq!(two.verdict().kind_for_schedule(), VerdictKind::Fail, "one effective fault suffices for a failure");
    two.doubts.push("the disk was full".into());
    assert_eq!(two.verdict().kind_for_schedule(), VerdictKind::Unknown, "a doubt about the whole run");
}
