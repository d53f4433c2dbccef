//! Persistent faults beside a wrong password: what there is to be told of each, and one that nobody can mend.

use super::answers::wrong_password;
use crate::judge::samples::{HEAL, HIT, Sample, ms, proof};
use crate::judge::{Check, CheckResult, Recovery, VerdictKind};
use crate::model::fault::FaultKind;
use crate::model::history::{ErrorKind, OpError, Sessions};

/// Another persistent fault from the start, while which every operation fails so.
fn persistent(kind: FaultKind, error: &OpError) -> Sample {
    let mut sample = Sample::healthy();
    wrong_password(&mut sample);
    sample.header.faults[0].kind = kind;
    sample.fail(|op| op.began < HEAL, error);
    sample
}

/// A name that does not resolve, to the end.
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
fn findings_say_what_there_was_to_be_told_and_what_was_told_instead() {
    let cases = [
        (FaultKind::WrongDatabase, "the server said 3D000, but operations reported timeout × 232"),
        (FaultKind::ForbidLogin, "the server said 28000, but operations reported timeout × 232"),
        (FaultKind::RevokeConnect, "the server said 42501, but operations reported timeout × 232"),
        (FaultKind::DenyHost, "the server said 28000, but operations reported timeout × 232"),
        (FaultKind::Refuse, "connections were refused, but operations reported timeout × 232"),
    ];
    for (kind, expected) in cases {
        let finding = persistent(kind, &swallowed()).only_finding(Check::ErrorSurface);
        assert!(finding.starts_with(expected) && finding.contains("within 10.0 s"), "{kind}: {finding}");
    }
    let refused = OpError::new(ErrorKind::Refused, "refused");
    assert_eq!(persistent(FaultKind::Refuse, &refused).verdict().checks[&Check::ErrorSurface], CheckResult::Pass);
}

#[test]
fn another_code_than_the_servers_is_not_enough() {
    let other = OpError::new(ErrorKind::Server, "the connection was lost").with_sqlstate("08006");
    let finding = persistent(FaultKind::RevokeConnect, &other).only_finding(Check::ErrorSurface);
    assert!(finding.contains("operations reported 08006 × 232"), "{finding}");
}

#[test]
fn what_nobody_mends_asks_for_no_recovery() {
    let sample = wrong_host(&unresolved());
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::ErrorSurface], CheckResult::Pass);
    assert_eq!(verdict.measures.time_to_recover, Recovery::NotMeasured);
    for check in [Check::Recovered, Check::FullCapacity, Check::Throughput] {
        assert_eq!(not_applicable(&sample, check), "what is wrong cannot be mended while the client runs");
    }
    assert!(
        not_applicable(&sample, Check::ReconnectStorm).contains("had no address to go to, for 3.00 s of the 3.00 s")
    );
}

#[test]
fn a_name_that_does_not_resolve_is_told_in_time_or_not_at_all() {
    let finding = wrong_host(&swallowed()).only_finding(Check::ErrorSurface);
    assert!(finding.starts_with("the name of the host did not resolve, but operations reported timeout"), "{finding}");
    let mut late = wrong_host(&unresolved());
    late.header.budget.fail_fast = ms(1_000);
    late.fail(|op| op.began < HIT + ms(1_500), &swallowed());
    let finding = late.only_finding(Check::ErrorSurface);
    assert!(finding.starts_with("a name that does not resolve was reported only after 1.40 s"), "{finding}");
}

#[test]
fn a_client_that_found_its_server_all_the_same_has_not_met_it() {
    let mut sample = wrong_host(&unresolved());
    sample.succeed(|_| true);
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(verdict.doubts[0].contains("0 operations failed or held up meanwhile"), "{:?}", verdict.doubts);
}
