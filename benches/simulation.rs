//! Measures simulations per second on one core with the reference client: random schedules of a minute, each with its
//! own seed, and a scenario of the catalogue.
//!
//! `cargo bench --bench simulation`; the figure to look at is "elem/s", minutes per second for the schedules.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mimalloc::MiMalloc;
use pgsquall::model::seed::Seed;
use pgsquall::simulation::{Simulation, schedule_of};

/// The program `pgsquall` uses the same allocator.
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
            let simulation = simulation.client_named("reference").expect("a built-in name").seed(Seed(seed));
            black_box(simulation.run().expect("the simulation runs"))
        });
    });
    let reset = Simulation::scenario("connection-reset").expect("a built-in name");
    let reset = reset.client_named("reference").expect("a built-in name");
    group.bench_function("connection-reset", |bencher| {
        bencher.iter(|| black_box(reset.run().expect("the simulation runs")));
    });
    group.finish();
}

criterion_group!(benches, schedules);
criterion_main!(benches);
