//! Measures the judge: a verdict on a million operations (target: one second) and on runs of ordinary length, and
//! reading a stored history.
//!
//! ```text
//! cargo bench --bench judge
//! ```

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pgsquall::judge::{VerdictKind, judge};
use pgsquall::model::budget::Budget;
use pgsquall::model::fault::{Class, Fault, FaultKind};
use pgsquall::model::history::{
    ClientFacts, ConnectionChange, ErrorKind, Event, Evidence, FORMAT, FaultStep, Header, History, Op, OpError, OpKind,
    Outcome, Phase, RunSetup,
};
use pgsquall::model::pace::Pace;
use pgsquall::model::seed::Seed;

/// The default workload; a million operations of it take three and a half hours.
const WORKERS: u32 = 4;
const INTERVAL: Duration = Duration::from_millis(50);

/// Returns the history of a run with this many operations. In its middle third, every operation fails, and the client
/// connects again and again.
fn history(ops: u64) -> History {
    let length = INTERVAL * (ops / u64::from(WORKERS)) as u32;
    let (hit, heal) = (length / 3, length * 2 / 3);
    let fault = Fault { kind: FaultKind::Reset, at: hit, lasts: Duration::ZERO };
    let header = Header {
        format: FORMAT,
        pgsquall: "bench".into(),
        setup: RunSetup::new("bench", "bench", Seed(1)),
        title: "Bench".into(),
        class: Class::Transient,
        faults: vec![fault],
        precedes_client: false,
        budget: Budget { time_to_recover: length, ..Budget::default() },
        load: Pace { workers: WORKERS, interval: INTERVAL, ..Pace::default() },
        middlebox: None,
        layout: Default::default(),
    };
    let client = ClientFacts {
        name: "bench".into(),
        version: "1".into(),
        concurrency: WORKERS,
        capabilities: Vec::new(),
        timeout: None,
    };
    let mut events = vec![Event::Client(client), Event::Phase { at: Duration::ZERO, phase: Phase::SteadyState }];
    let mut steps = [(hit, FaultStep::Injecting), (heal, FaultStep::Healed)].into_iter().peekable();
    let mut runs: Vec<(i64, i64, u64)> = Vec::new();
    for id in 1..=ops {
        let began = INTERVAL * ((id - 1) / u64::from(WORKERS)) as u32;
        let at = began + Duration::from_millis(1);
        if let Some((at, step)) = steps.next_if(|(at, _)| *at <= began) {
            events.push(Event::Fault { at, fault: 0, step });
        }
        let well = began < hit || began >= heal;
        let (kind, key) = if id % 4 == 1 { (OpKind::Read, 2) } else { (OpKind::Write, id as i64) };
        if well && kind.writes() {
            match runs.last_mut() {
                Some((_, last, _)) if *last + 1 == key => *last = key,
                _ => runs.push((key, key, 1)),
            }
        }
        if !well && id % 16 == 0 {
            events.push(Event::Connection { at, id, change: ConnectionChange::Opened });
        }
        events.push(Event::Op(Op {
            id,
            worker: ((id - 1) % u64::from(WORKERS)) as u32,
            kind: kind.into(),
            key,
            intended: began,
            began,
            ended: Some(at),
            outcome: if well { Outcome::Ok } else { Outcome::Info },
            found: (well && kind == OpKind::Read).then_some(true),
            error: (!well).then(|| OpError::new(ErrorKind::Reset, "connection reset by peer")),
            count: 1,
        }));
    }
    events.push(Event::WorkloadEnded { at: length });
    events.push(Event::Ledger { runs });
    events.push(Event::Evidence {
        fault: 0,
        found: Evidence { what: "sockets reset".into(), count: 16, decisive: true },
    });
    History { header, events }
}

fn stored(history: &History) -> String {
    let header = Event::Run(Box::new(history.header.clone()));
    let lines = std::iter::once(&header).chain(&history.events);
    lines.map(|event| serde_json::to_string(event).expect("it can be stored") + "\n").collect()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    for ops in [5_000, 100_000, 1_000_000] {
        let history = history(ops);
        let verdict = judge(&history);
        assert_eq!(verdict.verdict, VerdictKind::Pass, "{verdict:#?}");
        group.throughput(Throughput::Elements(ops));
        group.bench_function(format!("verdict on {ops} operations"), |bencher| {
            bencher.iter(|| judge(black_box(&history)));
        });
    }
    let ops = 100_000;
    let text = stored(&history(ops));
    group.throughput(Throughput::Elements(ops));
    group.bench_function(format!("reading {ops} operations"), |bencher| {
        bencher.iter_batched(
            || text.as_bytes(),
            |text| History::read(text).expect("it can be read"),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
