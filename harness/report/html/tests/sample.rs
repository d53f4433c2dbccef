//! Made-up reports and runs: small deterministic ones and large ones.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::judge::{Check, CheckResult, EvidenceSummary, Finding, Measures, Recovery, Verdict, VerdictKind, WorstOp};
use crate::model::history::{Evidence, OpKind, Outcome, RunSetup, Severed};
use crate::model::seed::Seed;
use crate::report::Report;
use crate::report::model::{Ending, Entry, FORMAT, ScenarioInfo};
use crate::report::timeline::{Bar, Lifeline, Marks, Timeline, Window};

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn verdict(scenario: &str, client: &str, kind: VerdictKind, recovery: Recovery) -> Verdict {
    let finding = Finding {
        what: "not recovered within 10.0 s of heal: of 40 operations 12 failed (57P01 × 8, refused × 4)".into(),
        advice: "replace a connection once it is lost".into(),
        ops: vec![157, 158],
    };
    let recovered =
        if kind == VerdictKind::Fail { CheckResult::Fail { findings: vec![finding] } } else { CheckResult::Pass };
    let listening = CheckResult::NotApplicable { reason: "the scenario has no subscription".into() };
    let checks = [
        (Check::Recovered, recovered),
        (Check::LostWrite, CheckResult::Pass),
        (Check::Throughput, CheckResult::Pass),
        (Check::Subscription, listening),
    ];
    let found = |count, what: &str, decisive| Evidence { what: what.into(), count, decisive };
    Verdict {
        format: crate::judge::FORMAT,
        setup: RunSetup::new(scenario, client, Seed(7)),
        server: Some("local 17.6".into()),
        budget: ms(10_000),
        verdict: kind,
        doubts: if kind == VerdictKind::Unknown { vec!["the fault had no effect".into()] } else { Vec::new() },
        unmet: 0,
        checks: checks.into(),
        measures: Measures {
            time_to_detect: Some(ms(12)),
            time_to_first_success: Some(ms(310)),
            time_to_recover: recovery,
            errors: BTreeMap::from([("57P01".to_owned(), 8), ("refused".to_owned(), 4)]),
            ok: 288,
            fail: 8,
            info: 4,
            worst_op: Some(WorstOp { id: 157, kind: OpKind::Write.into(), took: ms(2_300), ended: true }),
            connections_opened: 9,
            connections_per_second_peak: 5,
            gateway_overhead: Some(Duration::from_micros(19)),
            listening: None,
            restarts: None,
        },
        evidence: vec![EvidenceSummary {
            fault: "restart (fast)".into(),
            found: vec![
                found(4, "sessions lost with the server", true),
                found(0, "connects refused", true),
                found(1, "shutdown logged", false),
            ],
        }],
    }
}

pub fn entry(mut verdict: Verdict, repeat: u32, repeats: u32) -> Entry {
    (verdict.setup.repeat, verdict.setup.repeats) = (repeat, repeats);
    Entry {
        index: repeat,
        client: verdict.setup.client.clone(),
        scenario: verdict.setup.scenario.clone(),
        repeat,
        repeats,
        folder: Some(format!("{}/{}", verdict.setup.client, verdict.setup.scenario).into()),
        took: Some(ms(9_000)),
        ending: Ending::Judged { verdict: Box::new(verdict) },
    }
}

pub fn scenario(name: &str, group: &str) -> ScenarioInfo {
    ScenarioInfo {
        name: name.into(),
        title: format!("The scenario {name}"),
        group: group.into(),
        cause: "maintenance".into(),
        why: "Does the client come back?\n\nServers are restarted.\n\nSource: a manual.".into(),
    }
}

pub fn report(scenarios: Vec<ScenarioInfo>, runs: Vec<Entry>) -> Report {
    let (pgsquall, began) = ("0.1.0".into(), "2026-11-28T05:31:00Z".into());
    Report { format: FORMAT, pgsquall, began, seed: Seed(7), scenarios, runs, shards: None, comparison: None }
}

/// One client in one scenario, repeated.
pub fn repeated(runs: &[(VerdictKind, Recovery)]) -> Report {
    let entries = runs.iter().enumerate().map(|(repeat, (kind, recovery))| {
        entry(verdict("restart-fast", "reference", *kind, *recovery), repeat as u32, runs.len() as u32)
    });
    report(vec![scenario("restart-fast", "restart")], entries.collect())
}

fn bar(id: u64, from: Duration, took: Duration, outcome: Outcome) -> Bar {
    let error = (outcome != Outcome::Ok).then(|| "57P01".to_owned());
    Bar { id, worker: id as u32 % 4, kind: OpKind::Write.into(), from, to: Some(from + took), outcome, error, count: 1 }
}

/// A restart: of its operations one fails, one is indeterminate, and one is still open at the end.
pub fn timeline() -> Timeline {
    let mut ops: Vec<_> = (0..20).map(|n| bar(n, ms(n * 100), ms(2), Outcome::Ok)).collect();
    ops.extend([bar(20, ms(2_010), ms(40), Outcome::Fail), bar(21, ms(2_020), ms(900), Outcome::Info)]);
    ops.extend((30..50).map(|n| bar(n, ms(1_500 + n * 100), ms(3), Outcome::Ok)));
    ops.push(Bar { to: None, ..bar(50, ms(5_000), ms(0), Outcome::Info) });
    let line = |id, opened, ended| Lifeline {
        id,
        opened: ms(opened),
        signed_in: Some(ms(opened + 20)),
        ended,
        errors: Vec::new(),
    };
    let first =
        Lifeline { errors: vec![(ms(2_005), "57P01".into())], ..line(1, 5, Some((ms(2_010), Severed::ByServer))) };
    let restart = Window {
        what: "restart (fast)".into(),
        injecting: Some(ms(2_000)),
        in_force: Some(ms(2_050)),
        healing: Some(ms(3_000)),
        healed: Some(ms(3_300)),
        is_instant: false,
    };
    Timeline {
        until: ms(7_000),
        steady: Some(ms(500)),
        faults: vec![restart],
        pause: Some((ms(1_000), ms(1_500))),
        ops,
        connections: vec![first, line(2, 3_350, None), line(3, 3_360, Some((ms(7_000), Severed::Teardown)))],
        refusing: vec![(ms(2_060), ms(3_310))],
        marks: Marks {
            hit: Some(ms(2_000)),
            detected: Some(ms(2_050)),
            recovery_starts: Some(ms(3_300)),
            first_success: Some(ms(4_503)),
            recovered: Some(ms(4_600)),
            budget_ends: Some(ms(13_300)),
        },
        audit: Some(ms(6_900)),
    }
}

/// Half a minute with this number of operations, each of another duration; a tenth of them did not succeed.
pub fn busy(count: u64) -> Timeline {
    let chance = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let ops = (0..count).map(|n| {
        let took = Duration::from_micros(200 + (1 << (chance(n) % 16)) + chance(n + 7) % 3_000);
        let outcome = match chance(n + 3) % 20 {
            0 => Outcome::Fail,
            1 => Outcome::Info,
            _ => Outcome::Ok,
        };
        bar(n, ms(n * 30_000 / count), took, outcome)
    });
    let ends = [Severed::ByClient, Severed::ByServer, Severed::Reset, Severed::Forgotten, Severed::ClientReset];
    let lines = (0..count / 30).map(|n| Lifeline {
        id: n,
        opened: ms(n * 900_000 / count),
        signed_in: (chance(n) % 3 > 0).then(|| ms(n * 900_000 / count + 3)),
        ended: Some((ms(n * 900_000 / count + 5 + chance(n) % 900), ends[chance(n + 1) as usize % ends.len()])),
        errors: vec![(ms(n * 900_000 / count + 4), ["57P01", "57P03", "53300"][chance(n) as usize % 3].to_owned())],
    });
    Timeline { until: ms(30_100), ops: ops.collect(), connections: lines.collect(), ..timeline() }
}
