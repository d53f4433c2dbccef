//! From the call to steady state: how long somebody waits before anything happens. Target: at most a second, local, with
//! the template made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use pgsquall::Experiment;
use pgsquall::history::{Event, Phase};
use tokio::sync::Notify;

async fn until_steady() -> Duration {
    let steady = Arc::new(Notify::new());
    let seen = Arc::clone(&steady);
    let began = Instant::now();
    let run = Experiment::scenario("connection-reset")
        .expect("it is built in")
        .client_named("reference")
        .expect("it is built in")
        .observe(move |event| {
            if matches!(event, Event::Phase { phase: Phase::SteadyState, .. }) {
                seen.notify_one();
            }
        })
        .run();
    tokio::select! {
        // Dropping the run takes everything down; that is not timed.
        () = steady.notified() => began.elapsed(),
        ended = run => panic!("ended before its steady state: {:?}", ended.map(|run| run.to_string())),
    }
}

fn cold_start(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The first run may have to make the template.
    runtime.block_on(until_steady());
    let mut group = criterion.benchmark_group("cold start");
    group.sample_size(20).measurement_time(Duration::from_secs(12));
    group.bench_function("local server, to steady state", |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| runtime.block_on(until_steady())).sum());
    });
    group.finish();
}

criterion_group!(benches, cold_start);
criterion_main!(benches);
