//! A supervised client: an exit that a fault explains is no failure, repeated exits without a fault are.

use std::time::Duration;

use crate::judge::samples::{END, HEAL, HIT, STEADY, STOP, Sample, ms, refused};
use crate::judge::verdict::Restarts;
use crate::judge::{Check, CheckResult, Facts, VerdictKind, is_proved, judge};
use crate::model::fault::FaultKind;
use crate::model::history::{Ended, SupervisionStep};

/// Duration of each launch in these tests.
const TOOK: Duration = ms(50);

fn exited(at: Duration) -> (Duration, SupervisionStep) {
    let (status, stderr) = ("exit status 1".into(), "connection lost\n".into());
    (at, SupervisionStep::Exited { status, stderr, lived: ms(1_500) })
}

fn failed(at: Duration) -> (Duration, SupervisionStep) {
    (at, SupervisionStep::Failed { reason: "ended before its hello".into() })
}

fn restarted(at: Duration) -> (Duration, SupervisionStep) {
    (at, SupervisionStep::Restarted { took: TOOK })
}

/// A healthy run of a supervised client with these exits and restarts.
fn supervised(steps: impl IntoIterator<Item = (Duration, SupervisionStep)>) -> Sample {
    let mut sample = Sample::healthy();
    sample.header.setup.supervised = true;
    sample.supervision.extend(steps);
    sample
}

/// A run of a supervised client that fails from the fault to the end.
fn lost(steps: impl IntoIterator<Item = (Duration, SupervisionStep)>) -> Sample {
    let mut sample = supervised(steps);
    sample.fail(|op| op.began >= HIT, &refused());
    sample
}

#[test]
fn exit_during_fault_passes_with_figures() {
    let steps = [exited(HIT + ms(350)), failed(HIT + ms(1_400)), restarted(HIT + ms(3_500))];
    let sample = supervised(steps);
    let verdict = sample.verdict();
    assert_eq!((verdict.verdict, verdict.setup.supervised), (VerdictKind::Pass, true), "{verdict:#?}");
    assert_eq!(verdict.checks[&Check::Process], CheckResult::Pass);
    let expected = Restarts {
        restarted: 1,
        failed: 1,
        first_exit: Some(ms(350)),
        first_status: Some("exit status 1".into()),
        away: ms(3_150),
        is_away: false,
    };
    assert_eq!(verdict.measures.restarts, Some(expected));
    assert_eq!(judge(&sample.history().as_stored().unwrap()), verdict, "a stored history is judged the same");
    assert_eq!(Sample::healthy().verdict().measures.restarts, None);
}

#[test]
fn client_without_exit_has_zero_restarts() {
    let verdict = supervised([]).verdict();
    let none = Restarts {
        restarted: 0,
        failed: 0,
        first_exit: None,
        first_status: None,
        away: Duration::ZERO,
        is_away: false,
    };
    assert_eq!((verdict.verdict, verdict.measures.restarts), (VerdictKind::Pass, Some(none)));
}

#[test]
fn second_exit_after_recovery_fails() {
    let mut sample =
        supervised([exited(HIT + ms(10)), restarted(HIT + ms(1_010)), exited(HEAL + ms(3_000)), restarted(STOP)]);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    sample.supervision.insert(3, restarted(HEAL + ms(4_000)));
    sample.supervision.insert(4, exited(HEAL + ms(5_500)));
    let finding = sample.only_finding(Check::Process);
    for text in ["without a fault", "2 times", "first 6.00 s after the fault", "1.50 s, 1.50 s", "connection lost"] {
        assert!(finding.contains(text), "{text:?} is not in {finding}");
    }
}

#[test]
fn exits_during_outage_are_tolerated() {
    let steps = (0..5).flat_map(|turn| {
        let from = HIT + ms(500 * turn);
        [exited(from), restarted(from + ms(200))]
    });
    // The last process was launched while the server was still down, so its exit is tolerated.
    let sample = supervised(steps.chain([exited(HEAL + ms(1)), restarted(HEAL + ms(1_000))]));
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
}

#[test]
fn exits_without_recovery_fail() {
    let looping = |from: Duration| {
        (0..3).flat_map(move |turn| {
            let from = from + ms(1_500 * turn);
            [restarted(from), exited(from + ms(1_000))]
        })
    };
    let sample = lost([exited(HIT)].into_iter().chain(looping(HEAL + TOOK)));
    assert!(sample.finding(Check::Process).contains("3 times"));
    sample.finding(Check::Recovered);
    // Launched just before the heal.
    let sample = lost([exited(HIT)].into_iter().chain(looping(HEAL + TOOK - ms(1)).take(4)));
    assert!(!sample.verdict().fails(Check::Process), "the first of two was launched before");
}

#[test]
fn exits_under_unhealable_fault_are_tolerated() {
    let mut sample = lost((0..4).flat_map(|turn| {
        let from = HEAL + TOOK + ms(1_000 * turn);
        [restarted(from), exited(from + ms(500))]
    }));
    sample.header.precedes_client = true;
    assert!(sample.verdict().fails(Check::Process));
    sample.header.faults[0].kind = FaultKind::WrongHost;
    assert!(!sample.verdict().fails(Check::Process));
}

#[test]
fn exit_before_the_fault_is_a_doubt() {
    let mut sample = supervised([exited(HIT - ms(1_000)), restarted(HIT - ms(500))]);
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert_eq!(verdict.doubts.len(), 1, "{:?}", verdict.doubts);
    assert!(verdict.doubts[0].contains("exited 1.00 s before the fault (exit status 1)"), "{:?}", verdict.doubts);
    assert_eq!(verdict.measures.restarts.unwrap().first_exit, None, "none has followed the fault");
    sample.supervision = vec![exited(HIT), restarted(HIT + ms(500))];
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn unrestarted_client_has_not_recovered() {
    let sample = lost([exited(HIT + ms(100)), failed(HEAL + ms(1_000))]);
    let finding = sample.only_finding(Check::Recovered);
    assert!(finding.contains("no process was running, because the last restart had failed: ended before"), "{finding}");
    let restarts = sample.verdict().measures.restarts.unwrap();
    assert_eq!((restarts.restarted, restarts.away, restarts.is_away), (0, END - HIT - ms(100), true));
    let finding = lost([exited(HIT + ms(100))]).only_finding(Check::Recovered);
    assert!(finding.contains("at the end no process was running (exit status 1)"), "{finding}");
}

#[test]
fn protocol_violation_outweighs_supervision() {
    let mut sample = supervised([exited(HIT), restarted(HIT + ms(1_000))]);
    sample.ended = Some((HEAL, Ended::Violated { reason: "answered twice".into() }));
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
    assert!(matches!(verdict.checks[&Check::Process], CheckResult::NotApplicable { .. }));
}

#[test]
fn process_is_proved_after_some_time() {
    let proved = |steps: Vec<(Duration, SupervisionStep)>, until: Duration| {
        let history = supervised(steps).history();
        let mut facts = Facts::gather(&history);
        facts.until = until;
        is_proved(&facts)
    };
    assert!(proved(vec![], STEADY), "it was never restarted");
    let once = || vec![exited(HIT), restarted(HIT + ms(1_000))];
    assert!(!proved(once(), HIT + ms(5_999)));
    assert!(proved(once(), HIT + ms(6_000)));
    let away = || [once(), vec![exited(HEAL + ms(1_000))]].concat();
    assert!(!proved(away(), STOP), "it is away");
    let looping = [away(), vec![restarted(HEAL + ms(1_500)), exited(HEAL + ms(2_000))]].concat();
    assert!(proved(looping, STOP), "nothing more is to be learned of it");
}
