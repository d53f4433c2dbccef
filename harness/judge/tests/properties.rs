//! Properties that hold for every history, plausible or not.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use crate::judge::samples::{Sample, ms, proof, refused};
use crate::judge::{Check, Facts, VerdictKind, judge, recovered_at};
use crate::model::budget::RecoveryFrom;
use crate::model::fault::{Class, Fault, FaultKind};
use crate::model::history::{
    ConnectionChange, Ended, Event, FaultStep, History, Op, OpKind, Outcome, Phase, Sessions, SupervisionStep,
};
use crate::model::pace::Pause;

/// Instants up to 15 s, and occasionally an absurdly late one.
fn instant() -> impl Strategy<Value = Duration> {
    prop_oneof![20 => (0..15_000_u64).prop_map(ms), 1 => Just(Duration::from_micros(u64::MAX)), 1 => Just(Duration::ZERO)]
}

fn op() -> impl Strategy<Value = Op> {
    let kind = prop::sample::select(vec![OpKind::Write, OpKind::Read, OpKind::Transaction]);
    let outcome = prop::sample::select(vec![Outcome::Ok, Outcome::Fail, Outcome::Info]);
    let times = (instant(), instant(), prop::option::weighted(0.9, instant()));
    (0..2_000_u64, 0..6_u32, kind, any::<i64>(), times, outcome, any::<Option<bool>>(), any::<bool>()).prop_map(
        |(id, worker, kind, key, (intended, began, ended), outcome, found, error)| {
            let error = error.then(refused);
            Op { id, worker, kind: kind.into(), key, intended, began, ended, outcome, found, error, count: 1 }
        },
    )
}

fn supervision() -> impl Strategy<Value = SupervisionStep> {
    let exited = |lived| SupervisionStep::Exited { status: "exit status 1".into(), stderr: String::new(), lived };
    prop_oneof![
        instant().prop_map(exited),
        Just(SupervisionStep::Failed { reason: "no".into() }),
        instant().prop_map(|took| SupervisionStep::Restarted { took })
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let step = prop_oneof![
        Just(FaultStep::Injecting),
        Just(FaultStep::Healed),
        Just(FaultStep::Failed { reason: "no".into() })
    ];
    let phase = prop::sample::select(vec![Phase::SteadyState, Phase::Settle, Phase::Audit]);
    let run = (any::<i64>(), any::<i64>(), 0..4_u64);
    prop_oneof![
        40 => op().prop_map(Event::Op),
        2 => (instant(), phase).prop_map(|(at, phase)| Event::Phase { at, phase }),
        4 => (instant(), 0..3_usize, step).prop_map(|(at, fault, step)| Event::Fault { at, fault, step }),
        4 => (instant(), 0..9_u64).prop_map(|(at, id)| Event::Connection { at, id, change: ConnectionChange::Opened }),
        1 => (instant(), any::<bool>()).prop_map(|(at, on)| Event::Refusing { at, on }),
        1 => (0..9_u32, 0..3_u32).prop_map(|(open, idle_in_transaction)| {
            Event::SettledSessions(Sessions { open, idle_in_transaction })
        }),
        1 => (prop::collection::vec(run, 0..5), any::<bool>()).prop_map(|(runs, beside)| match beside {
            false => Event::Ledger { runs },
            true => Event::LedgerBeside { runs },
        }),
        1 => (0..3_usize, 0..3_u64, any::<bool>())
            .prop_map(|(fault, count, decisive)| Event::Evidence { fault, found: proof("things", count, decisive) }),
        1 => instant().prop_map(|at| Event::ClientEnded { at, how: Ended::Panicked { message: "x".into() } }),
        1 => instant().prop_map(|at| Event::WorkloadEnded { at }),
        1 => (instant(), supervision()).prop_map(|(at, step)| Event::Supervision { at, step }),
    ]
}

/// Any history that the reader accepts.
fn any_history() -> impl Strategy<Value = History> {
    let events = prop::collection::vec(event(), 0..200);
    (events, any::<bool>(), any::<bool>(), any::<bool>(), 0..3_usize, 0..5_u32).prop_map(
        |(events, whole, persistent, inject, faults, workers)| {
            let mut history = Sample::healthy().history();
            let kind = if persistent { FaultKind::WrongPassword } else { FaultKind::Reset };
            history.header.class = if persistent { Class::Persistent } else { Class::Transient };
            history.header.budget.from = if inject { RecoveryFrom::Inject } else { RecoveryFrom::Heal };
            history.header.faults = vec![Fault { kind, at: ms(1), lasts: ms(1) }; faults];
            history.header.load.workers = workers;
            history.header.load.pause = inject.then_some(Pause { at: ms(1), lasts: ms(2_000) });
            history.header.budget.undisturbed = persistent;
            history.header.setup.supervised = inject;
            match whole {
                true => history.events.extend(events),
                false => history.events = events,
            }
            history
        },
    )
}

/// A sample with a few deviations, each of which may cause a finding or a doubt.
fn spoilt() -> impl Strategy<Value = Sample> {
    let picks = prop::collection::vec((any::<prop::sample::Index>(), 0..5_u8), 0..4);
    picks.prop_map(|picks| {
        let mut sample = Sample::healthy();
        for (which, how) in picks {
            let op = which.get(&sample.ops).clone();
            match how {
                0 => _ = sample.fail(|other| other.id == op.id, &refused()),
                1 => _ = sample.copies.insert(op.key, 0),
                2 => _ = sample.copies.insert(op.key, 2),
                3 => _ = sample.hang(op.worker, op.began),
                _ => sample.evidence.clear(),
            }
        }
        sample
    })
}

fn stored(history: &History) -> String {
    let header = Event::Run(Box::new(history.header.clone()));
    let lines =
        std::iter::once(&header).chain(&history.events).map(|event| serde_json::to_string(event).unwrap() + "\n");
    lines.collect()
}

proptest! {
    // Each case judges a whole run, some several times: a hundred take a second unoptimised.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn judging_never_panics_and_never_passes_on_doubt(history in any_history()) {
        let verdict = judge(&history);
        prop_assert!(!verdict.doubts.iter().any(|doubt| doubt.contains("panicked")), "{:?}", verdict.doubts);
        prop_assert_eq!(verdict.verdict == VerdictKind::Unknown, !verdict.doubts.is_empty());
        if verdict.failures().next().is_some() {
            prop_assert_ne!(verdict.verdict, VerdictKind::Pass);
        }
    }

    #[test]
    fn a_stored_history_gets_the_same_verdict_to_the_byte(history in any_history()) {
        let read = History::read(stored(&history).as_bytes()).unwrap();
        prop_assert_eq!(&read, &history);
        let verdict = judge(&history).to_json();
        prop_assert_eq!(&judge(&read).to_json(), &verdict);
        prop_assert_eq!(&judge(&history).to_json(), &verdict);
    }

    #[test]
    fn one_more_wrong_never_helps(sample in spoilt(), which: prop::sample::Index, how in 0..3_u8) {
        let before = sample.verdict();
        let mut worse = sample.clone();
        let candidates: Vec<Op> =
            sample.ops.iter().filter(|op| op.outcome == Outcome::Ok && op.kind.writes()).cloned().collect();
        let op = which.get(&candidates);
        match how {
            0 => _ = worse.copies.insert(op.key, 0),
            1 => _ = worse.copies.insert(op.key, 2),
            _ => {
                // The row in the ledger stays: only the answer gets worse.
                worse.copies.entry(op.key).or_insert(1);
                worse.fail(|other| other.id == op.id, &refused());
            }
        }
        let after = worse.verdict();
        if before.verdict != VerdictKind::Pass {
            prop_assert_ne!(after.verdict, VerdictKind::Pass, "{:#?}", after);
        }
        let expected = match how { 0 => Some(Check::LostWrite), 1 => Some(Check::DuplicatedWrite), _ => None };
        prop_assert!(expected.is_none_or(|check| after.fails(check)));
    }

    /// A run ends as soon as the client has recovered; later events must not change that result.
    #[test]
    fn what_is_recovered_while_it_runs_is_recovered_at_the_end(sample in spoilt(), seen: prop::sample::Index) {
        let whole = sample.history();
        let mut part = whole.clone();
        part.events.truncate(seen.index(whole.events.len()) + 1);
        if let Some(at) = recovered_at(&Facts::gather(&part)) {
            prop_assert_eq!(recovered_at(&Facts::gather(&whole)), Some(at));
        }
    }

    #[test]
    fn the_order_of_recording_does_not_matter(sample in spoilt(), seed: u64) {
        let history = sample.history();
        let mut shuffled = history.clone();
        // Only operations move; for other events the order counts: of several ledgers, for example, the last.
        let (ops, mut rest): (Vec<_>, Vec<_>) = shuffled.events.drain(..).partition(|event| matches!(event, Event::Op(_)));
        let keyed: BTreeMap<u64, Event> =
            (0_u64..).zip(ops).map(|(index, op)| (index.wrapping_mul(seed | 1), op)).collect();
        rest.extend(keyed.into_values());
        shuffled.events = rest;
        prop_assert_eq!(judge(&history).verdict, judge(&shuffled).verdict);
        prop_assert_eq!(judge(&history).measures.time_to_recover, judge(&shuffled).measures.time_to_recover);
    }
}
