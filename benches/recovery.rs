//! Measures the time to recover of two built-in clients in virtual time, where only the client's own waiting counts,
//! and of the reference on a real server, if one is available.
//!
//! ```text
//! cargo bench --bench recovery
//! ```

use std::time::Duration;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use pgsquall::environment::choice::ServerChoice;
use pgsquall::simulation::Simulation;
use pgsquall::{Experiment, RecoveryTimes};

fn simulated(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recovery in virtual time");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(2));
    for client in ["reference", "dawdles"] {
        let question = || {
            let question = Simulation::scenario("connection-reset").expect("it is built in");
            question.client_named(client).expect("it is built in")
        };
        let mut times = RecoveryTimes::of(question);
        group.bench_function(client, |bencher| bencher.iter_custom(|rounds| times.sum(rounds)));
    }
    group.finish();
}

fn real(criterion: &mut Criterion) {
    if let Err(why) = ServerChoice::Auto.resolve() {
        println!("skipped: recovery on a real server: {why}");
        return;
    }
    // README: begin
    let question = || Experiment::scenario("connection-reset").unwrap().client_named("reference").unwrap();
    let mut times = RecoveryTimes::of(question); // sweeps the moment of the fault
    let mut group = criterion.benchmark_group("recovery");
    group.sample_size(10).sampling_mode(SamplingMode::Flat); // a run takes seconds, however short the recovery
    group.bench_function("reference", |bencher| bencher.iter_custom(|rounds| times.sum(rounds)));
    // README: end
    group.finish();
}

criterion_group!(benches, simulated, real);
criterion_main!(benches);
