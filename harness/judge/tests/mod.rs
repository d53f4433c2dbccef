//! The judge judged. Each file takes one sample that is well and changes what one verdict must depend on.

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
fn a_healthy_run_passes_every_check() {
    let verdict = Sample::healthy().verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(verdict.checks.len(), super::CHECKS.len());
    for (check, result) in &verdict.checks {
        // The sample's fault makes operations impossible, nobody listens, and no call has a deadline.
        let applies = ![Check::Undisturbed, Check::Subscription, Check::Deadline].contains(check);
        assert_eq!(*result == CheckResult::Pass, applies, "{check}");
    }
}

#[test]
fn a_healthy_run_against_a_persistent_fault_passes() {
    let mut sample = Sample::healthy();
    answers::wrong_password(&mut sample);
    let verdict = sample.verdict();
    assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
    assert_eq!(sample.header.class, Class::Persistent);
    assert_eq!(verdict.checks[&Check::ErrorSurface], CheckResult::Pass);
}

#[test]
fn the_figures_of_a_healthy_run() {
    let measures = Sample::healthy().verdict().measures;
    let us = std::time::Duration::from_micros;
    assert_eq!(measures.time_to_detect, Some(us(2_000)));
    assert_eq!(measures.time_to_first_success, Some(us(2_000)));
    assert_eq!(measures.gateway_overhead, Some(us(25)));
    assert_eq!((measures.connections_opened, measures.connections_per_second_peak), (8, 4));
    assert_eq!((measures.ok, measures.fail, measures.info), (956 - 240, 240, 0));
    assert_eq!(measures.errors.into_iter().collect::<Vec<_>>(), [("refused".to_owned(), 240)]);
}
