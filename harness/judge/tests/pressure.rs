//! Reconnect storms, connection leaks and throughput.

use crate::judge::samples::{HEAL, HIT, Sample, ms};
use crate::judge::{Check, CheckResult, VerdictKind, judge};
use crate::model::history::{ConnectionChange, Event, Sessions};
use crate::model::topology::Host;

/// Adds connection attempts, `apart_ms` milliseconds apart.
fn attempts(sample: &mut Sample, from_ms: u64, count: u64, apart_ms: u64) {
    sample.opened.extend((0..count).map(|n| ms(from_ms + n * apart_ms)));
}

/// Holds every worker in one operation through the outage, so that no operation needs a connection.
fn wait_through(sample: &mut Sample) {
    for worker in 0..4 {
        let id = sample.answer_at(worker, HIT, HEAL);
        sample.succeed(|op| op.id == id);
    }
}

#[test]
fn hot_reconnect_loop_is_a_storm() {
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    attempts(&mut sample, 3_100, 200, 10);
    let finding = sample.only_finding(Check::ReconnectStorm);
    for part in [
        "100 connection attempts in one second",
        "(from 100 ms after the fault)",
        "96 above the 4",
        "limit is 40 above",
    ] {
        assert!(finding.contains(part), "{part}: {finding}");
    }
}

#[test]
fn attempts_without_backoff_are_a_storm() {
    // 34 a second from four workers: below the limit for one second, above that for later ones.
    let mut sample = Sample::healthy();
    sample.refusing = None;
    wait_through(&mut sample);
    attempts(&mut sample, 3_000, 100, 29);
    let finding = sample.finding(Check::ReconnectStorm);
    assert!(finding.contains("in 2.00 s") && finding.contains("the limit is 40 above"), "{finding}");
    // A fixed delay of 200 ms, 20 a second from four workers, is just within the limit.
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    attempts(&mut sample, 3_000, 60, 50);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
}

#[test]
fn listener_has_attempts_like_a_worker() {
    // 24 a second: five of each of the four workers, the limit with backoff, and about as many of the listener.
    let verdict = |listen| {
        let mut sample = Sample::healthy();
        sample.header.load.listen = listen;
        wait_through(&mut sample);
        attempts(&mut sample, 4_100, 100, 41);
        sample.verdict().checks[&Check::ReconnectStorm].clone()
    };
    assert!(matches!(verdict(false), CheckResult::Fail { .. }), "{:?}", verdict(false));
    assert_eq!(verdict(true), CheckResult::Pass);
}

#[test]
fn attempts_of_operations_are_no_storm() {
    let mut sample = Sample::healthy();
    // 83 a second: little more than the 80 operations a second.
    attempts(&mut sample, 3_000, 240, 12);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn attempt_at_two_addresses_counts_once() {
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    // 34 a second, as above.
    attempts(&mut sample, 3_000, 100, 29);
    assert!(sample.verdict().fails(Check::ReconnectStorm));
    sample.header.layout.hosts = vec![Host::Primary, Host::Standby];
    assert!(!sample.verdict().fails(Check::ReconnectStorm));
    attempts(&mut sample, 3_000, 300, 10);
    assert!(sample.verdict().fails(Check::ReconnectStorm));
}

#[test]
fn storm_window_may_cross_seconds() {
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    // 30 at the end of one second of the clock and 30 at the start of the next.
    attempts(&mut sample, 3_850, 60, 5);
    assert!(sample.finding(Check::ReconnectStorm).contains("60 connection attempts"));
    // The same number, more than a second apart.
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    attempts(&mut sample, 3_100, 30, 1);
    attempts(&mut sample, 4_200, 30, 1);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
}

#[test]
fn attempts_before_the_fault_do_not_count() {
    let mut sample = Sample::healthy();
    attempts(&mut sample, 100, 500, 1);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
}

#[test]
fn persistent_fault_allows_one_attempt_per_second() {
    let mut sample = Sample::healthy();
    super::answers::wrong_password(&mut sample);
    wait_through(&mut sample);
    attempts(&mut sample, 3_500, 8, 10);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass, "4 for operations, 4 above");
    attempts(&mut sample, 3_600, 1, 1);
    let finding = sample.finding(Check::ReconnectStorm);
    assert!(finding.contains("9 connection attempts") && finding.contains("the limit is 4 above"), "{finding}");
}

#[test]
fn large_pool_may_be_refilled_at_once() {
    let mut sample = Sample::healthy();
    wait_through(&mut sample);
    sample.client.concurrency = 100;
    sample.steady = Some(Sessions { open: 100, idle_in_transaction: 0 });
    attempts(&mut sample, 4_000, 100, 1);
    assert_eq!(sample.verdict().checks[&Check::ReconnectStorm], CheckResult::Pass);
    attempts(&mut sample, 4_100, 100, 1);
    assert!(sample.verdict().fails(Check::ReconnectStorm));
}

#[test]
fn refused_attempts_make_storm_not_applicable() {
    let mut sample = Sample::healthy();
    sample.refusing = Some((HIT + ms(100), HEAL));
    let verdict = sample.verdict();
    let CheckResult::NotApplicable { reason } = &verdict.checks[&Check::ReconnectStorm] else { panic!("{verdict:#?}") };
    assert!(reason.contains("2.90 s of the 3.00 s"), "{reason}");
    // Unanswered SYNs are not counted either.
    let mut hanging = Sample::healthy();
    hanging.header.faults[0].kind = crate::model::fault::FaultKind::Hang;
    let verdict = hanging.verdict();
    let CheckResult::NotApplicable { reason } = &verdict.checks[&Check::ReconnectStorm] else { panic!("{verdict:#?}") };
    assert!(reason.contains("3.00 s of the 3.00 s"), "{reason}");
    // A storm that is counted nevertheless fails.
    attempts(&mut sample, 6_000, 500, 1);
    assert!(sample.verdict().fails(Check::ReconnectStorm));
}

#[test]
fn sessions_over_steady_state_and_slots_are_a_leak() {
    let mut sample = Sample::healthy();
    sample.settled = Some(Sessions { open: 7, idle_in_transaction: 0 });
    let finding = sample.only_finding(Check::ConnectionLeak);
    assert!(finding.contains("7 sessions") && finding.contains("3 too many"), "{finding}");
    sample.client.concurrency = 7;
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "a pool may grow to its size");
}

#[test]
fn connections_without_session_are_a_leak() {
    let mut sample = Sample::healthy();
    sample.lingering = 3;
    let finding = sample.only_finding(Check::ConnectionLeak);
    assert!(finding.contains("7 connections are open") && finding.contains("3 of them without a session"), "{finding}");
    sample.lingering = 0;
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}

#[test]
fn cancel_request_is_no_connection_attempt() {
    let mut sample = Sample::healthy();
    let mut history = sample.history();
    let id = 99;
    let at = ms(3_000);
    for change in [ConnectionChange::Opened, ConnectionChange::CancelRequested] {
        history.events.insert(0, Event::Connection { at, id, change });
    }
    history.events.swap(0, 1);
    let plain = judge(&sample.history()).measures.connections_opened;
    assert_eq!(judge(&history).measures.connections_opened, plain);
    sample.opened.push(at);
    assert_eq!(judge(&sample.history()).measures.connections_opened, plain + 1);
}

#[test]
fn session_idle_in_transaction_is_a_leak() {
    let mut sample = Sample::healthy();
    sample.settled = Some(Sessions { open: 4, idle_in_transaction: 1 });
    assert!(sample.only_finding(Check::ConnectionLeak).contains("1 sessions are idle in transaction"));
}

#[test]
fn half_the_rate_after_recovery_fails() {
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.began < HEAL || op.began.as_millis() / 50 % 2 == 0);
    let finding = sample.only_finding(Check::Throughput);
    for part in ["40 operations a second", "50 % of the 80 before", "at least 90 % is required"] {
        assert!(finding.contains(part), "{part}: {finding}");
    }
}

#[test]
fn late_harness_makes_throughput_unknown() {
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.began < HEAL || op.began.as_millis() / 50 % 2 == 0);
    // Half the rate, because each operation was started when the next one was due.
    let late_by = |sample: &mut Sample, late| {
        sample.change(|op| op.began >= HEAL, |op| op.intended = op.began - ms(late));
    };
    late_by(&mut sample, 4);
    assert!(sample.verdict().fails(Check::Throughput), "4 ms are the timers'");
    late_by(&mut sample, 45);
    let verdict = sample.verdict();
    let CheckResult::Unknown { reason } = &verdict.checks[&Check::Throughput] else { panic!("{verdict:#?}") };
    assert!(reason.contains("45.0 ms late"), "{reason}");
    assert_eq!(verdict.verdict, VerdictKind::Unknown);
}

#[test]
fn cpu_saturation_makes_throughput_unknown() {
    let mut sample = Sample::healthy();
    sample.ops.retain(|op| op.began < HEAL || op.began.as_millis() / 50 % 2 == 0);
    let machine = |from: u64, to: u64, busy, waited| {
        let mut history = sample.history();
        history.events.extend((from..to).map(|second| Event::Machine { at: ms(1_000 * second), busy, waited }));
        judge(&history)
    };
    let busy = |from, to, busy| machine(from, to, busy, None);
    // Saturated during the outage only, and busy with capacity left.
    assert!(busy(0, 6, 100).fails(Check::Throughput) && busy(0, 12, 94).fails(Check::Throughput));
    let verdict = busy(6, 12, 95);
    let CheckResult::Unknown { reason } = &verdict.checks[&Check::Throughput] else { panic!("{verdict:#?}") };
    assert!(reason.contains("CPU use was 95 %"), "{reason}");
    // Less use, but with pressure; neither suffices alone. Pressure during the outage does not count, and with the processors
    // saturated pressure is not needed.
    let waited = |from, to, busy, waited| machine(from, to, busy, Some(waited));
    assert!(waited(6, 12, 74, 100).fails(Check::Throughput) && waited(6, 12, 94, 24).fails(Check::Throughput));
    assert!(waited(0, 6, 94, 100).fails(Check::Throughput));
    assert!(!waited(6, 12, 95, 0).fails(Check::Throughput));
    let verdict = waited(6, 12, 85, 40);
    let CheckResult::Unknown { reason } = &verdict.checks[&Check::Throughput] else { panic!("{verdict:#?}") };
    assert!(reason.contains("CPU use was 85 % and CPU pressure 40 %"), "{reason}");
}

#[test]
fn throughput_ignores_the_end_of_the_workload() {
    let mut sample = Sample::healthy();
    // One operation is slow at the very end, and the run waits for it.
    sample.answer_at(0, ms(11_900), ms(12_100));
    // And a pause of the machine in the last window.
    sample.ops.retain(|op| op.began < ms(10_500) || op.began >= ms(11_500));
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "{:#?}", sample.verdict());
}
