//! A report with every feature of a page: several clients, repeats, every ending, a baseline, and hostile texts.

use std::time::Duration;

use pgsquall::model::history::{OpKind, Outcome, RecordedOp, Severed};
use pgsquall::report::html;
use pgsquall::report::model::{Entry, Report, ScenarioInfo};
use pgsquall::report::timeline::{Bar, Lifeline, Marks, Timeline, Window};
use pgsquall::scenario::catalogue;
use serde_json::{Value, json};

/// Client names: short, too long for a line and without spaces in the path, with markup, right to left.
const CLIENTS: [&str; 4] = [
    "reference",
    "python3 /srv/a/very/long/path/without/any/space/in/it/that/goes/on/and/on/and/on/and/on/client.py --pool=4",
    "<script>document.title='x'</script>\"'&",
    "\u{202e}שלום-לקוח\u{0}",
];

const SCENARIOS: [&str; 6] =
    ["connection-reset", "blackhole", "restart-fast", "wrong-password", "pgbouncer-idle", "stall"];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Renders the report as HTML.
pub fn page() -> String {
    html::page(&report(), |entry: &Entry| entry.folder.is_some().then(|| timeline(u64::from(entry.index))))
}

fn report() -> Report {
    let scenarios: Vec<ScenarioInfo> =
        catalogue().iter().filter(|one| SCENARIOS.contains(&one.name.as_str())).map(ScenarioInfo::from).collect();
    let mut runs: Vec<Value> = Vec::new();
    for client in CLIENTS {
        for (number, scenario) in scenarios.iter().enumerate() {
            let repeats = if number == 1 { 12 } else { 1 };
            for repeat in 0..repeats {
                let index = runs.len();
                let ending = match (number, client) {
                    (4, "reference") => {
                        json!({"state": "skipped", "reason": "PgBouncer is not installed: apt-get install pgbouncer"})
                    }
                    (4, _) => {
                        json!({"state": "not-carried-out", "error": "the client ended before it was ready: ".to_owned() + &"x".repeat(300)})
                    }
                    (5, _) if client != "reference" => json!({"state": "stopped"}),
                    _ => json!({"state": "judged", "verdict": verdict(client, &scenario.name, index, repeat, repeats)}),
                };
                runs.push(json!({
                    "index": index, "client": client, "scenario": scenario.name, "repeat": repeat, "repeats": repeats,
                    "folder": format!("results/{client}/{}", scenario.name), "took_us": 9_000_000, "ending": ending,
                }));
            }
        }
    }
    let figures = |censored: u64| json!({"runs": 20, "censored": censored, "median_us": 400_000});
    let times = json!({"before": figures(0), "now": figures(3), "shift": {"at_least_us": 1_200_000, "at_most_us": 1_200_000}, "interval": {"at_least_us": 300_000}, "superiority": 0.91, "p": 0.0004});
    let change = |client: &str, scenario: &str, kind: &str| json!({"client": client, "scenario": scenario, "kind": kind, "what": "fails 3 of 20 runs, before none", "times": times});
    serde_json::from_value(json!({
        "format": 1, "pgsquall": "0.1.0", "began": "2026-11-28T05:31:00Z", "seed": 1, "scenarios": scenarios, "runs": runs,
        "shards": {"here": [1, 3], "of": 4},
        "comparison": {
            "baseline": "a/very/long/path/".repeat(12), "began": "2026-11-20T05:31:00Z", "pgsquall": "0.0.9", "tolerance_us": 500_000, "confidence": 0.99,
            "changes": [change("reference", "restart-fast", "better"), change(CLIENTS[1], "blackhole", "worse"), change("gone", "stall", "gone")],
        },
    }))
    .unwrap()
}

fn verdict(client: &str, scenario: &str, index: usize, repeat: u32, repeats: u32) -> Value {
    let (kind, recovery) = match index % 5 {
        0 => ("fail", json!({"state": "censored", "beyond_us": 60_000_000})),
        3 => ("unknown", json!({"state": "not-measured"})),
        n => ("pass", json!({"state": "recovered", "ttr_us": 40_000 * (n + 1) + index * 3_000})),
    };
    let finding =
        json!({"what": "a".repeat(200) + " was not recovered", "advice": "replace what is lost", "ops": [1, 2, 3]});
    let recovered = if kind == "fail" {
        json!({"result": "fail", "findings": [finding, finding]})
    } else {
        json!({"result": "pass"})
    };
    json!({
        "format": 1, "scenario": scenario, "client": client, "server": "local 17.6", "plane": "proxy", "budget_us": 60_000_000,
        "seed": 1, "repeat": repeat, "repeats": repeats, "verdict": kind,
        "doubts": if kind == "unknown" { vec!["the fault had no effect"] } else { vec![] },
        "checks": {
            "recovered": recovered, "lost-write": {"result": "pass"}, "throughput": {"result": "unknown", "reason": "too short"},
            "subscription": {"result": "not-applicable", "reason": "the scenario has no subscription"},
        },
        "measures": {
            "time_to_detect_us": 12_000, "time_to_first_success_us": null, "time_to_recover": recovery, "errors": {"57P01": 8, "refused": 3},
            "ok": 300, "fail": 8, "info": 3, "worst_op": {"id": 7, "kind": "write", "took_us": 2_300_000, "ended": false},
            "connections_opened": 12, "connections_per_second_peak": 5, "gateway_overhead_us": 19,
        },
        "evidence": [{"fault": "restart (fast)", "found": [
            {"what": "sessions lost", "count": 4, "decisive": true}, {"what": "connects refused", "count": 0, "decisive": true},
            {"what": "shutdowns logged", "count": 1, "decisive": false},
        ]}],
    })
}

/// Returns the timeline of a run with every mark that a picture can have.
fn timeline(number: u64) -> Timeline {
    let outcomes = [Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Info, Outcome::Ok];
    let ops = (0..400).map(|id| {
        let outcome = if (2_000..5_000).contains(&(id * 25)) { outcomes[(id % 5) as usize] } else { Outcome::Ok };
        let took = Duration::from_micros(400 + (id * 7_919 + number) % 9_000);
        let error = (outcome != Outcome::Ok).then(|| "57P01".to_owned());
        let to = (id != 399).then(|| ms(id * 25) + took);
        Bar { id, worker: 0, kind: RecordedOp::from(OpKind::Write), from: ms(id * 25), to, outcome, error, count: 1 }
    });
    let ends = [
        Severed::ByClient,
        Severed::ByServer,
        Severed::ClientReset,
        Severed::ServerReset,
        Severed::Closed,
        Severed::Reset,
        Severed::Forgotten,
        Severed::Unreachable,
        Severed::Teardown,
    ];
    let connections = ends.iter().enumerate().flat_map(|(place, end)| (0..5).map(move |n| (place as u64, n, *end)));
    let connections = connections.map(|(place, n, end)| Lifeline {
        id: place * 5 + n,
        opened: ms(place * 900 + n * 10),
        signed_in: (n > 0).then(|| ms(place * 900 + n * 10 + 40)),
        ended: Some((ms(place * 900 + n * 200 + 700), end)),
        errors: vec![(ms(place * 900 + n * 100 + 100), "57P03".into())],
    });
    let what = if number.is_multiple_of(2) {
        "restart (fast)"
    } else {
        "blackhole (both ways, every connection, and so on, and so on, and so on)"
    };
    let at = |at: u64| Some(ms(at));
    let window = Window {
        what: what.into(),
        injecting: at(2_000),
        in_force: at(2_100),
        healing: at(4_900),
        healed: at(5_000),
        is_instant: false,
    };
    let instant = Window {
        what: "reset".into(),
        injecting: at(6_000),
        in_force: at(6_000),
        is_instant: true,
        ..Window::default()
    };
    Timeline {
        until: ms(10_000),
        steady: at(500),
        faults: vec![window, instant],
        pause: Some((ms(1_000), ms(1_600))),
        ops: ops.collect(),
        connections: connections.collect(),
        refusing: vec![(ms(2_100), ms(5_000))],
        marks: Marks {
            hit: at(2_000),
            detected: at(2_012),
            recovery_starts: at(5_000),
            first_success: at(5_040),
            recovered: at(5_300),
            budget_ends: at(65_000),
        },
        audit: at(9_900),
    }
}
