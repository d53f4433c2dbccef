//! Persistent faults other than a wrong password: the error expected for each, and a fault that cannot be healed.

use super::answers::wrong_password;
use crate::judge::samples::{HEAL, HIT, Sample, ms, proof};
use crate::judge::{Check, CheckResult, Recovery, VerdictKind};
use crate::model::fault::FaultKind;
use crate::model::history::{ErrorKind, OpError, Sessions};

/// A persistent fault from the start, under which every operation fails with this error.
fn persistent(kind: FaultKind, error: &OpError) -> Sample {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.faults[0].kind = kind;
    sample.fail(|op| op.began < HEAL, error);
    sample
}

/// A host name that does not resolve, until the end.
fn wrong_host(error: &OpError) -> Sample {
    let mut sample = persistent(FaultKind::WrongHost, error);
    sample.fail(|_| true, error);
    sample.evidence = vec![(0, proof("names that do not resolve", 1, false))];
    (sample.opened, sample.settled) = (Vec::new(), Some(Sessions { open: 0, idle_in_transaction: 0 }));
    sample
}

fn unresolved() -> OpError {
    OpError::new(ErrorKind::Other, "failed to lookup address information: Name or service not known")
}

fn swallowed() -> OpError {
    OpError::new(ErrorKind::Timeout, "timed out")
}

#[track_caller]
fn not_applicable(sample: &Sample, check: Check) -> String {
    match &sample.verdict().checks[&check] {
        CheckResult::NotApplicable { reason } => reason.clone(),
        other => panic!("{check}: {other:?}"),
    }
}

#[test]
fn finding_names_expected_and_reported_error() {
    let cases = [
        (FaultKind::WrongDatabase, "the server reported 3D000, but the client reported timeout × 232"),
        (FaultKind::ForbidLogin, "the server reported 28000, but the client reported timeout × 232"),
        (FaultKind::RevokeConnect, "the server reported 42501, but the client reported timeout × 232"),
        (FaultKind::DenyHost, "the server reported 28000, but the client reported timeout × 232"),
        (FaultKind::Refuse, "connections were refused, but the client reported timeout × 232"),
    ];
    for (kind, expected) in cases {
        let finding = persistent(kind, &swallowed()).only_finding(Check::ErrorSurface);
        assert!(finding.starts_with(expected) && finding.contains("within 10.0 s"), "{kind}: {finding}");
    }
    let refused = OpError::new(ErrorKind::Refused, "refused");
    assert_eq!(persistent(FaultKind::Refuse, &refused).verdict().checks[&Check::ErrorSurface], CheckResult::Pass);
}

#[test]
fn different_sqlstate_fails() {
    let other = OpError::new(ErrorKind::Server, "the connection was lost").with_sqlstate("08006");
    let finding = persistent(FaultKind::RevokeConnect, &other).only_finding(Check::ErrorSurface);
    assert!(finding.contains("the client reported 08006 × 232"), "{finding}");
}

#[test]
fn unhealable_fault_needs_no_recovery() {
    let sample = wrong_host(&unresolved());
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::ErrorSurface], CheckResult::Pass);
    assert_eq!(verdict.measures.time_to_recover, Recovery::NotMeasured);
    for check in [Check::Recovered, Check::FullCapacity, Check::Throughput] {
        assert_eq!(not_applicable(&sample, check), "the fault cannot be healed while the client runs");
    }
    assert!(not_applicable(&sample, Check::ReconnectStorm).contains("cannot be counted for 3.00 s of the 3.00 s"));
}

#[test]
fn unresolved_name_must_be_reported_in_time() {
    let finding = wrong_host(&swallowed()).only_finding(Check::ErrorSurface);
    assert!(finding.starts_with("the host name did not resolve, but the client reported timeout"), "{finding}");
    let mut late = wrong_host(&unresolved());
    late.header.budget.fail_fast = ms(1_000);
    late.fail(|op| op.began < HIT + ms(1_500), &swallowed());
    let finding = late.only_finding(Check::ErrorSurface);
    assert!(finding.starts_with("the client reported a name that does not resolve only after 1.40 s"), "{finding}");
}

#[test]
fn client_that_resolves_the_name_is_a_doubt() {
    let mut sample = wrong_host(&unresolved());
    sample.succeed(|_| true);
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts[0].contains("0 operations failed or held up meanwhile"), "{:?}", verdict.doubts);
}
