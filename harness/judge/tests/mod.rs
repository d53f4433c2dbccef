//! Tests of the judge. Each file takes a healthy sample and changes one fact on which a verdict depends.

mod answers;
mod black_box;
mod certificates;
mod deadline;
mod disturbance;
mod doubts;
mod pause;
mod persistent;
mod pressure;
mod properties;
mod recovery;
mod subscription;
mod supervision;
mod writes;

use super::samples::Sample;
use super::{Check, CheckResult, VerdictKind};
use crate::model::fault::Class;

#[test]
fn healthy_run_passes_every_check() {
    let verdict = Sample::healthy().verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks.len(), super::CHECKS.len());
    for (check, result) in &verdict.checks {
        // The sample's fault makes operations impossible, and it has no subscription and no deadline.
        let applies = ![Check::Undisturbed, Check::Subscription, Check::Deadline].contains(check);
        assert_eq!(*result == CheckResult::Pass, applies, "{check}");
    }
}

#[test]
fn healthy_run_under_persistent_fault_passes() {
    let mut sample = Sample::healthy();
    answers::wrong_password(&mut sample);
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(sample.header.class, Class::Persistent);
    assert_eq!(verdict.checks[&Check::ErrorSurface], CheckResult::Pass);
}

#[test]
fn measures_of_healthy_run() {
    let measures = Sample::healthy().verdict().measures;
    let us = std::time::Duration::from_micros;
    assert_eq!(measures.time_to_detect, Some(us(2_000)));
    assert_eq!(measures.time_to_first_success, Some(us(2_000)));
    assert_eq!(measures.gateway_overhead, Some(us(25)));
    assert_eq!((measures.connections_opened, measures.connections_per_second_peak), (8, 4));
    assert_eq!((measures.ok, measures.fail, measures.info), (956 - 240, 240, 0));
    assert_eq!(measures.errors.into_iter().collect::<Vec<_>>(), [("refused".to_owned(), 240)]);
}
