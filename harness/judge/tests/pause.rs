//! A pause of the workload is the harness's own doing: no figure of the client may suffer from it.

use crate::judge::samples::{HEAL, HIT, STEADY, Sample, ms, proof, refused};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::budget::RecoveryFrom;
use crate::model::fault::FaultKind;
use crate::model::pace::Pause;
use std::time::Duration;

/// A client whose connections a middlebox closes while nothing is asked of it; the fault lasts from 3 s to 6 s.
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
fn a_pause_is_no_doubt_and_no_failure() {
    for (from, to) in [(HIT, HIT + ms(2_000)), (HIT - ms(500), HEAL + ms(500)), (HEAL, HEAL + ms(2_000))] {
        let sample = paused(from, to);
        let verdict = sample.verdict();
        assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
        assert_eq!(verdict.measures.time_to_detect, None, "nothing was slow");
    }
}

#[test]
fn the_steady_rate_is_that_before_the_pause() {
    // From 2 s to 5 s: of the two seconds before the fault one is silent.
    let mut sample = paused(HIT - ms(1_000), HIT + ms(2_000));
    assert_eq!(sample.verdict().checks[&Check::Throughput], CheckResult::Pass);
    // Half the speed afterwards is half the speed, though it equals what the silent window shows.
    sample.ops.retain(|op| op.began < HEAL || op.began.as_millis() / 50 % 2 == 0);
    let finding = sample.only_finding(Check::Throughput);
    assert!(finding.contains("50 % of the 80 before"), "{finding}");
}

#[test]
fn recovery_is_not_timed_while_nothing_is_asked() {
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
fn what_fails_after_the_pause_counts() {
    let mut sample = paused(HIT, HEAL + ms(1_000));
    sample.fail(|op| op.began >= HEAL && op.began < HEAL + ms(2_000), &refused());
    assert_eq!(sample.recovery(), crate::judge::Recovery::Recovered { after: ms(1_032) });
}
