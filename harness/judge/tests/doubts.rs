//! Every doubt makes the verdict unknown, never pass.

use crate::judge::samples::{END, HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, VerdictKind, judge};
use crate::model::fault::{CutPoint, Fault, FaultKind, Point, Strike, ToxicKind};
use crate::model::history::{ConnectionChange, Ended, ErrorKind, Event, FaultStep, OpError};

/// Unknown, for this reason only.
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

/// With a fault whose only proof is what the nemesis brings.
fn exhausted(change: impl FnOnce(&mut Sample)) -> Sample {
    changed(|sample| {
        sample.header.faults[0].kind = FaultKind::ExhaustConnections;
        change(sample);
    })
}

#[test]
fn a_fault_without_evidence() {
    doubted(&exhausted(|sample| sample.evidence.clear()), "had no effect that was seen (no evidence)");
    let none = vec![(0, proof("sessions lost", 0, true)), (0, proof("log lines", 0, false))];
    doubted(&exhausted(|sample| sample.evidence = none), "(0 sessions lost)");
}

#[test]
fn evidence_that_is_only_supporting_lets_nobody_pass_but_does_not_excuse_a_failure() {
    let done = vec![(0, proof("sessions lost", 0, true)), (0, proof("log lines", 1, false))];
    let mut sample = exhausted(|sample| sample.evidence = done);
    doubted(&sample, "so surviving it proves nothing");
    sample.fail(|op| op.began >= HIT, &refused());
    assert_eq!((sample.verdict().verdict, sample.verdict().doubts.len()), (VerdictKind::Fail, 0));
}

#[test]
fn a_server_that_was_away_is_felt_by_a_client_that_held_no_connection() {
    let none = vec![(0, proof("sessions lost", 0, true))];
    let mut sample = changed(|sample| sample.evidence = none);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "operations failed meanwhile");
    sample.succeed(|_| true);
    doubted(&sample, "0 operations failed or held up meanwhile");
}

#[test]
fn each_of_two_faults_needs_its_own_evidence() {
    let mut sample = exhausted(|_| ());
    sample.header.faults.push(Fault {
        kind: ToxicKind::Stall { close_after: None }.into(),
        at: ms(4_000),
        lasts: ms(500),
    });
    sample.fault_at(1, ms(5_000), ms(5_500));
    doubted(&sample, "the fault stall had no effect");
}

#[test]
fn a_cut_point_in_what_nobody_could_read() {
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    let mut sample = changed(|sample| sample.header.faults[0].kind = FaultKind::CutPoint(cut));
    sample.evidence = vec![(0, proof("cut points hit", 0, true))];
    sample.succeed(|_| true);
    doubted(&sample, "0 cut points hit");
    let mut history = sample.history();
    let change = ConnectionChange::Opaque { why: "TLS".into() };
    history.events.insert(0, Event::Connection { at: ms(60), id: 0, change });
    let doubts = judge(&history).doubts.join("; ");
    assert!(doubts.contains("1 of them could not be read (TLS)") && doubts.contains("sslmode=disable"), "{doubts}");
}

#[test]
fn a_fault_that_failed_was_never_injected_or_never_healed() {
    let failed = |step: &str| FaultStep::Failed { reason: format!("it could not be {step}: no") };
    let sample = changed(|sample| sample.steps[1].2 = failed("injected"));
    doubted(&sample, "could not be injected: no");
    let sample = changed(|sample| sample.steps[3].2 = failed("healed"));
    doubted(&sample, "could not be healed: no");
    let sample = changed(|sample| (sample.steps[1].2, sample.steps[3].2) = (failed("injected"), failed("healed")));
    assert_eq!(sample.verdict().doubts.len(), 2, "both are told");
    doubted(&changed(|sample| sample.steps.truncate(3)), "restart (fast) was never seen healed");
    let mut sample = changed(|sample| sample.steps.clear());
    sample.succeed(|_| true);
    doubted(&sample, "restart (fast) was never injected");
}

#[test]
fn no_fault_at_all() {
    let mut sample = changed(|sample| sample.header.faults.clear());
    sample.evidence.clear();
    sample.succeed(|_| true);
    doubted(&sample, "no fault was asked for");
}

#[test]
fn a_failure_in_steady_state() {
    let error = OpError::new(ErrorKind::Server, "no").with_sqlstate("42P01");
    let mut sample = changed(|sample| _ = sample.fail(|op| op.worker == 1 && op.began == ms(2_010), &error));
    doubted(&sample, "1 operations failed in the 2.00 s before the fault (42P01 × 1; operations [");
    sample.succeed(|op| op.began < HIT);
    sample.fail(|op| op.began < STEADY - ms(50), &error);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "a client may take its time to start");
}

#[test]
fn no_steady_state() {
    doubted(&changed(|sample| sample.steady_since = None), "no operation succeeded on every worker");
    let mut sample = changed(|sample| sample.steady_since = None);
    sample.fail(|op| op.began < HIT, &refused());
    doubted(&sample, "refused × ");
    // A fault can be judged only with workers that worked.
    doubted(&changed(|sample| sample.ops.retain(|op| op.worker != 2 || op.began >= HIT)), "worker 2");
    let sample = changed(|sample| _ = sample.hang(1, HIT - ms(1_100)));
    doubted(&sample, "stuck in an operation: worker 1");
    let sample = changed(|sample| _ = sample.hang(1, HIT - ms(900)));
    assert_eq!(sample.verdict().verdict, VerdictKind::Fail, "what is under way when the fault comes is its prey");
}

#[test]
fn a_run_without_an_end_or_an_audit() {
    let verdict = exhausted(|sample| sample.audited = false).verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts[0].contains("the audit did not happen"), "{:?}", verdict.doubts);
    assert!(verdict.doubts[1].contains("no evidence"), "it comes with the audit: {:?}", verdict.doubts);
    assert_eq!((verdict.unmet, verdict.of_what_was_met()), (1, VerdictKind::Unknown));
    doubted(&changed(|sample| (sample.finished, sample.audited) = (false, false)), "the run did not finish");
}

#[test]
fn what_the_harness_itself_doubts() {
    doubted(&changed(|sample| sample.doubts.push("the disk was full".into())), "the disk was full");
}

#[test]
fn an_adapter_that_breaks_its_protocol_whatever_else_it_says() {
    let violated = Ended::Violated { reason: "answered twice".into() };
    let mut sample = changed(|sample| sample.ended = Some((END, violated)));
    doubted(&sample, "answered twice");
    sample.fail(|op| op.began >= HIT, &refused());
    assert_eq!(sample.verdict().verdict, VerdictKind::Unknown);
    assert!(sample.verdict().fails(Check::Recovered), "its checks are still told");
}

#[test]
fn a_harness_that_does_not_keep_its_pace() {
    let mut sample = Sample::healthy();
    let late = sample.op(3, ms(9_000)).id;
    sample.change(|op| op.id == late, |op| op.intended -= ms(1_100));
    // Its worker was idle from the end of the operation before.
    sample.ops.retain(|op| op.worker != 3 || op.id == late || op.began < ms(7_800) || op.began > ms(9_000));
    doubted(&sample, "did not keep its pace");
}

#[test]
fn a_client_that_died_of_the_first_fault_is_not_excused_by_the_second() {
    let mut sample = Sample::healthy();
    sample.header.faults.push(Fault { kind: FaultKind::Reset, at: ms(9_000), lasts: ms(0) });
    doubted(&sample, "reset was never injected");
    sample.ended = Some((HEAL, Ended::Exited { status: "signal 11".into(), stderr: String::new() }));
    let verdict = sample.verdict();
    assert_eq!((verdict.verdict, verdict.doubts.len()), (VerdictKind::Fail, 0), "{verdict:#?}");
}

/// Twice as many callers as the client can carry, four of which are held up for a second from the fault on.
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
fn where_callers_are_to_wait_some_must_have_waited() {
    let waited = crowded(3).verdict();
    assert_eq!(waited.verdict, VerdictKind::Pass, "{waited:#?}");
    doubted(&crowded(1), "no caller had to wait for a connection: at most 2 operations were open at once");
    let mut without = crowded(1);
    (without.header.load.callers_per_connection, without.client.concurrency) = (1, 4);
    assert_eq!(without.verdict().verdict, VerdictKind::Pass, "where nobody is to wait nobody need");
}

#[test]
fn of_several_faults_not_each_has_to_meet_the_client_of_a_schedule() {
    let whole = changed(|_| {});
    assert_eq!((whole.verdict().unmet, whole.verdict().of_what_was_met()), (0, VerdictKind::Pass));
    // A second one, at the same time, that leaves no trace.
    let mut two = exhausted(|_| {});
    two.header.faults.insert(0, whole.header.faults[0]);
    let steps: Vec<_> = two.steps.iter().map(|(at, _, step)| (*at, 1, step.clone())).collect();
    two.steps.extend(steps);
    two.evidence = vec![(0, proof("sessions lost with the server", 4, true))];
    let verdict = two.verdict();
    assert_eq!((verdict.verdict, verdict.unmet), (VerdictKind::Unknown, 1), "{:?}", verdict.doubts);
    assert_eq!(verdict.of_what_was_met(), VerdictKind::Pass);
    two.fail(|op| op.began >= HEAL, &refused());
    assert_eq!(two.verdict().of_what_was_met(), VerdictKind::Fail, "what it met is enough to fail it");
    two.doubts.push("the disk was full".into());
    assert_eq!(two.verdict().of_what_was_met(), VerdictKind::Unknown, "that is about all of it");
}
