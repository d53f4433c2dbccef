//! Measures the time from the call to the steady state, which users wait for at every run. Target: at most one second
//! with a local server and an existing template.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use pgsquall::Experiment;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::environment::docker_availability;
use pgsquall::model::history::{Event, Phase};
use tokio::sync::Notify;

const IMAGE: &str = "pgsquall/postgres:15";

async fn until_steady(server: ServerChoice) -> Duration {
    let steady = Arc::new(Notify::new());
    let seen = Arc::clone(&steady);
    let began = Instant::now();
    let run = Experiment::scenario("connection-reset")
        .expect("it is built in")
        .client_named("reference")
        .expect("it is built in")
        .server(server)
        .observe(move |event| {
            if matches!(event, Event::Phase { phase: Phase::SteadyState, .. }) {
                seen.notify_one();
            }
        })
        .run();
    tokio::select! {
        // Dropping the run ends server and client; this is not part of the measured time.
        () = steady.notified() => began.elapsed(),
        ended = run => panic!("ended before its steady state: {:?}", ended.map(|run| run.to_string())),
    }
}

fn cold_start(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut servers = vec![("local server", ServerChoice::Local(None))];
    match runtime.block_on(docker_availability()) {
        Ok(found) if found.contains(IMAGE) => servers.push(("container", ServerChoice::Docker(Some(IMAGE.into())))),
        found => println!("skipped: the container; needs Docker and {IMAGE}, found: {found:?}"),
    }
    let mut group = criterion.benchmark_group("cold start");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for (name, server) in servers {
        // Not measured: the first run may create the template.
        runtime.block_on(until_steady(server.clone()));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| (0..rounds).map(|_| runtime.block_on(until_steady(server.clone()))).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, cold_start);
criterion_main!(benches);
