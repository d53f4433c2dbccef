//! Properties of every pipeline, for all toxics, bytes and rule changes.

use std::time::Duration;

use proptest::prelude::*;

use crate::gateway::chunk::Chunk;
use crate::gateway::toxic::samples::{ToxicBench, bytes};
use crate::gateway::types::Cut;
use crate::model::fault::ToxicKind;
use crate::model::seed::Seed;

/// An event on a link.
#[derive(Clone, Debug)]
enum Step {
    Send(Chunk),
    Impose(ToxicKind),
    /// Remove the rule at this index, if it exists.
    Remove(usize),
    /// Advance time; the link polls whenever a chunk is due.
    Run(Duration),
    /// Advance time without polling: the machine is busy.
    Oversleep(Duration),
}

impl Step {
    fn overslept(&self) -> Duration {
        match self {
            Step::Oversleep(time) => *time,
            _ => Duration::ZERO,
        }
    }
}

/// A byte, or a chunk without bytes.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Byte(u8),
    Other(Chunk),
}

fn items(chunks: impl IntoIterator<Item = Chunk>) -> Vec<Item> {
    let each = |chunk| match chunk {
        Chunk::Data(bytes) => bytes.into_iter().map(Item::Byte).collect(),
        other => vec![Item::Other(other)],
    };
    chunks.into_iter().flat_map(each).collect()
}

/// Zero to 30 ms, in microseconds, so that instants seldom coincide but sometimes do.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![1 => Just(0), 4 => 0..30_000_u64, 4 => (0..30_u64).prop_map(|n| n * 1_000)]
        .prop_map(Duration::from_micros)
}

/// Toxics that discard nothing.
fn harmless() -> impl Strategy<Value = ToxicKind> {
    let rate = prop::sample::select(vec![0, 1_000, 16_000, 1_000_003, 500_000_000]);
    prop_oneof![
        (time(), time()).prop_map(|(delay, jitter)| ToxicKind::Latency { delay, jitter }),
        rate.prop_map(|bytes_per_second| ToxicKind::Bandwidth { bytes_per_second }),
        (0..40_u32, 0..40_u32, time()).prop_map(|(average, variation, pause)| ToxicKind::Slicer {
            average,
            variation,
            pause
        }),
        time().prop_map(|delay| ToxicKind::SlowClose { delay }),
        Just(ToxicKind::Stall { close_after: None }),
    ]
}

fn destructive() -> impl Strategy<Value = ToxicKind> {
    prop_oneof![
        (0..400_u64).prop_map(|bytes| ToxicKind::Limit { bytes }),
        time().prop_map(|after| ToxicKind::Stall { close_after: Some(after) }),
        time().prop_map(|after| ToxicKind::Reset { after }),
    ]
}

fn chunk() -> impl Strategy<Value = Chunk> {
    prop_oneof![
        12 => (0..200_usize).prop_map(bytes),
        1 => Just(Chunk::End),
        1 => Just(Chunk::Failed),
        1 => (0..9_u64).prop_map(Chunk::Gate),
    ]
}

fn steps(kind: impl Strategy<Value = ToxicKind>) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => chunk().prop_map(Step::Send),
        2 => kind.prop_map(Step::Impose),
        1 => (0..4_usize).prop_map(Step::Remove),
        4 => time().prop_map(Step::Run),
        1 => time().prop_map(Step::Oversleep),
    ];
    prop::collection::vec(step, 0..60)
}

/// A link, and its output.
#[derive(Default)]
struct Trial {
    bench: ToxicBench,
    elapsed: Duration,
    sent: Vec<Chunk>,
    arrived: Vec<(Duration, Chunk)>,
}

impl Trial {
    /// Runs the steps. [`ToxicBench`] asserts that chunks are given when due, and that the next due time lies in the
    /// future.
    fn of(steps: &[Step], seed: Seed) -> Trial {
        let mut trial = Trial { bench: ToxicBench { seed, ..ToxicBench::default() }, ..Trial::default() };
        for step in steps {
            match step {
                Step::Send(chunk) => {
                    trial.sent.push(chunk.clone());
                    trial.bench.send([chunk.clone()]);
                }
                Step::Impose(kind) => {
                    trial.bench.install(*kind);
                }
                Step::Remove(index) if *index < trial.bench.rules.len() => {
                    trial.bench.rules.remove(*index);
                    trial.bench.adapt();
                }
                Step::Remove(_) => {}
                Step::Run(time) => {
                    trial.elapsed += *time;
                    trial.arrived.extend(trial.bench.run_until(trial.elapsed));
                }
                Step::Oversleep(time) => {
                    trial.elapsed += *time;
                    trial.bench.pass_time(trial.elapsed);
                }
            }
        }
        trial
    }

    /// Removes all rules, and polls once.
    fn heal(&mut self) {
        self.bench.heal();
        self.arrived.extend(self.bench.run_until(self.elapsed));
    }

    /// Polls as long as a chunk is due.
    fn finish(mut self) -> Trial {
        let rest = self.bench.arrivals();
        self.arrived.extend(rest);
        self
    }

    fn arrived(&self) -> Vec<Item> {
        items(self.arrived.iter().map(|(_, chunk)| chunk.clone()))
    }
}

/// Returns the steps with additional polls when nothing is due.
fn with_needless_looks(steps: &[Step]) -> Vec<Step> {
    let split = |step: &Step| match step {
        Step::Run(time) => vec![Step::Run(Duration::ZERO), Step::Run(*time / 3), Step::Run(*time - *time / 3)],
        step => vec![step.clone(), Step::Run(Duration::ZERO)],
    };
    steps.iter().flat_map(split).collect()
}

/// Returns the steps with the link always polled on time.
fn on_time(steps: &[Step]) -> Vec<Step> {
    let wake = |step: &Step| match step {
        Step::Oversleep(time) => Step::Run(*time),
        step => step.clone(),
    };
    steps.iter().map(wake).collect()
}

proptest! {
    #[test]
    fn order_and_content_are_kept_and_nothing_stays_behind(steps in steps(harmless())) {
        let mut trial = Trial::of(&steps, Seed(7));
        let (early, all) = (trial.arrived(), items(trial.sent.clone()));
        prop_assert_eq!(&early[..], &all[..early.len()]);
        trial.heal();
        prop_assert_eq!(trial.arrived(), all);
        prop_assert!(trial.bench.pipeline.is_empty());
    }

    #[test]
    fn destructive_toxics_destroy_the_rest_of_the_stream(steps in steps(prop_oneof![harmless(), destructive()])) {
        let mut trial = Trial::of(&steps, Seed(7));
        trial.heal();
        let (arrived, all) = (trial.arrived(), items(trial.sent.clone()));
        let is_cut = |item: &Item| matches!(item, Item::Other(Chunk::Cut(Cut::Close | Cut::Reset)));
        match arrived.iter().position(is_cut) {
            Some(cut) => prop_assert_eq!(&arrived[..cut], &all[..cut]),
            None => prop_assert_eq!(arrived, all),
        }
        prop_assert!(trial.bench.pipeline.is_empty());
    }

    #[test]
    fn equal_seeds_give_equal_schedules(
        steps in steps(prop_oneof![harmless(), destructive()]), seed in any::<u64>().prop_map(Seed),
    ) {
        let (first, second) = (Trial::of(&steps, seed).finish(), Trial::of(&steps, seed).finish());
        prop_assert_eq!(&first.arrived, &second.arrived);
        prop_assert_eq!(first.bench.counted(), second.bench.counted());
    }

    #[test]
    fn a_look_when_nothing_is_due_changes_nothing(steps in steps(prop_oneof![harmless(), destructive()])) {
        let steps = on_time(&steps);
        let plain = Trial::of(&steps, Seed(7)).finish();
        let looked = Trial::of(&with_needless_looks(&steps), Seed(7)).finish();
        prop_assert_eq!(&plain.arrived, &looked.arrived);
        prop_assert_eq!(plain.bench.counted(), looked.bench.counted());
    }

    #[test]
    fn late_polling_delivers_the_same_chunks(
        steps in steps(prop_oneof![harmless(), destructive()]),
    ) {
        let slept = Trial::of(&steps, Seed(7)).finish();
        let awake = Trial::of(&on_time(&steps), Seed(7)).finish();
        prop_assert_eq!(slept.arrived(), awake.arrived());
        prop_assert_eq!(slept.bench.counted(), awake.bench.counted());
        let overslept: Duration = steps.iter().map(Step::overslept).sum();
        for ((slept, _), (awake, _)) in slept.arrived.iter().zip(&awake.arrived) {
            prop_assert!(awake <= slept && *slept <= *awake + overslept);
        }
    }
}
