//! How many simulated minutes a core gets through in a second: random schedules of faults against the reference client,
//! each of a seed of its own; and a scenario of the catalogue.
//!
//! `cargo bench --bench simulation`; the figure to look at is "elem/s".

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use pgsquall::model::seed::Seed;
use pgsquall::simulation::{Simulation, schedule_of};

/// As `pgsquall sim` has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn schedules(c: &mut Criterion) {
    let mut group = c.benchmark_group("simulated minutes");
    group.throughput(Throughput::Elements(1)).sample_size(20);
    let mut seed = 0;
    group.bench_function("random schedules", |bencher| {
        bencher.iter(|| {
            seed += 1;
            let simulation = Simulation::schedule(&schedule_of(Seed(seed))).expect("a schedule is a scenario");
            let simulation = simulation.client_named("reference").expect("it is built in").seed(Seed(seed));
            black_box(simulation.run().expect("it can be asked"))
        });
    });
    let reset = Simulation::scenario("connection-reset").expect("it is built in");
    let reset = reset.client_named("reference").expect("it is built in");
    group.bench_function("connection-reset", |bencher| {
        bencher.iter(|| black_box(reset.run().expect("it can be asked")));
    });
    group.finish();
}

criterion_group!(benches, schedules);
criterion_main!(benches);
