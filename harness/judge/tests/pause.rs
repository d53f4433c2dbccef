//! A pause of the workload, which the harness causes, must not worsen any figure of the client.

use crate::judge::samples::{HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::budget::RecoveryFrom;
use crate::model::fault::FaultKind;
use crate::model::pace::Pause;
use std::time::Duration;

/// A client whose connections a middlebox closes during a pause of the workload; the fault lasts from 3 s to 6 s.
fn paused(from: Duration, to: Duration) -> Sample {
    let mut sample = Sample::healthy();
    sample.header.faults[0].kind = FaultKind::IdleClose { after: ms(1_000) };
    sample.header.load.pause = Some(Pause { at: from - STEADY, lasts: to - from });
    sample.evidence = vec![(0, proof("connections closed", 4, true))];
    sample.succeed(|_| true);
    sample.ops.retain(|op| op.began < from || op.began >= to);
    sample
}

#[test]
fn pause_is_no_doubt_and_no_failure() {
    for (from, to) in [(HIT, HIT + ms(2_000)), (HIT - ms(500), HEAL + ms(500)), (HEAL, HEAL + ms(2_000))] {
        let sample = paused(from, to);
        let verdict = sample.verdict();
        assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
        assert_eq!(verdict.measures.time_to_detect, None, "nothing was slow");
    }
}

#[test]
fn steady_rate_is_measured_before_the_pause() {
    // The pause is from 2 s to 5 s, so one of the two seconds before the fault has no operations.
    let mut sample = paused(HIT - ms(1_000), HIT + ms(2_000));
    assert_eq!(sample.verdict().checks[&Check::Throughput], CheckResult::Pass);
    // Half the rate afterwards is a failure, although a window with half a pause has the same rate.
    sample.ops.retain(|op| op.began < HEAL || op.began.as_millis() / 50 % 2 == 0);
    let finding = sample.only_finding(Check::Throughput);
    assert!(finding.contains("50 % of the 80 before"), "{finding}");
}

#[test]
fn recovery_is_not_timed_during_the_pause() {
    let sample = paused(HIT, HEAL + ms(1_000));
    assert_eq!(sample.recovered_at(), Some(HEAL + ms(1_032)));
    let measures = sample.verdict().measures;
    assert_eq!(measures.time_to_first_success, Some(ms(2)));
    assert_eq!(sample.recovery(), crate::judge::Recovery::Recovered { after: ms(32) });
    let mut sample = paused(HIT - ms(500), HIT + ms(1_000));
    sample.header.budget.from = RecoveryFrom::Inject;
    assert_eq!(sample.recovery(), crate::judge::Recovery::Recovered { after: ms(32) }, "from the end of the pause");
}

#[test]
fn failures_after_the_pause_count() {
    let mut sample = paused(HIT, HEAL + ms(1_000));
    sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(2_000), &refused());
    assert_eq!(sample.recovery(), crate::judge::Recovery::Recovered { after: ms(1_032) });
}
