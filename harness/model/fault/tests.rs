//! Tests of faults: their displayed names, their stored form, and the table of kinds.

use std::collections::BTreeSet;

use super::*;
use crate::model::plane::Fidelity;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[test]
fn kinds_are_told_apart_in_words() {
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    let latency = Toxic::from(ToxicKind::Latency { delay: ms(200), jitter: ms(50) });
    let stall = Toxic::from(ToxicKind::Stall { close_after: None });
    let some = Toxic { scope: Scope::Established, toxicity: Share::new(0.5).unwrap(), ..stall };
    let slicer = ToxicKind::Slicer { average: 64, variation: 16, pause: ms(10) };
    let expected = [
        (FaultKind::Restart(StopMode::Immediate), "restart (immediate)"),
        (FaultKind::Reset, "reset"),
        (FaultKind::ResetRepeatedly { every: ms(500) }, "reset (every 500ms)"),
        (FaultKind::CutPoint(cut), "cut-point (commit-reply, reset)"),
        (FaultKind::CutPoint(CutPoint { times: Some(3), ..cut }), "cut-point (commit-reply, reset, 3 times)"),
        (FaultKind::Toxic(latency), "latency (200ms ± 50ms)"),
        (FaultKind::Toxic(Toxic { stream: Stream::Upstream, ..latency }), "latency (200ms ± 50ms, upstream)"),
        (FaultKind::Toxic(stall), "stall"),
        (FaultKind::Toxic(some), "stall (established connections, 0.5 of them)"),
        (slicer.into(), "slicer (64 ± 16 bytes, 10ms apart)"),
        (FaultKind::IdleClose { after: ms(2_000) }, "idle-close (2s)"),
    ];
    for (kind, words) in expected {
        assert_eq!(kind.to_string(), words);
    }
}

#[test]
fn what_is_stored_is_readable_and_is_read() {
    let latency = Toxic::from(ToxicKind::Latency { delay: ms(200), jitter: ms(50) });
    let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
    let expected = [
        (FaultKind::HalfOpen, r#""half-open""#),
        (FaultKind::ResetRepeatedly { every: ms(500) }, r#"{"reset-repeatedly":{"every_us":500000}}"#),
        (FaultKind::CutPoint(cut), r#"{"cut-point":{"point":"commit-reply","strike":"reset"}}"#),
        (
            FaultKind::Toxic(latency),
            r#"{"toxic":{"kind":{"latency":{"delay_us":200000,"jitter_us":50000}},"stream":"both","scope":"every","toxicity":1000000}}"#,
        ),
        (FaultKind::IdleReset { after: ms(2_000) }, r#"{"idle-reset":{"after_us":2000000}}"#),
    ];
    for (kind, stored) in expected {
        assert_eq!(serde_json::to_string(&kind).unwrap(), stored);
        assert_eq!(serde_json::from_str::<FaultKind>(stored).unwrap(), kind);
    }
}

/// One kind built from each row, with a value for every key of the row.
fn kinds() -> Vec<FaultKind> {
    let mut kinds = Vec::new();
    for spec in FaultSpec::all() {
        let mut values = Values::default();
        for key in spec.shape.keys {
            // Optional keys get a value too, so that a key that `FaultKind::values` omits is noticed.
            let value = match key.form {
                Form::Time { least, .. } => Value::Time(least.max(ms(2_000))),
                Form::Count { least, .. } => Value::Count((u64::from(least) + 1).min(2)),
                Form::Share { .. } => Value::Share(Share::new(0.5).unwrap()),
                Form::Word { words, .. } => Value::Word(words()[0]),
            };
            values.0.push((key, value));
        }
        kinds.push((spec.shape.build)(&values).unwrap_or_else(|error| panic!("{}: {error:?}", spec.word)));
    }
    kinds
}

#[test]
fn rows_have_words_of_their_own() {
    let words: BTreeSet<_> = FaultSpec::all().map(|spec| spec.word).collect();
    assert_eq!(words.len(), FaultSpec::all().count());
    for (spec, kind) in FaultSpec::all().zip(kinds()) {
        // `idle-device` builds one of the other faults of idle connections.
        assert!(kind.word() == spec.word || spec.word == "idle-device", "{} builds {kind}", spec.word);
    }
}

#[test]
fn values_of_a_kind_build_it_again() {
    for kind in kinds() {
        assert_eq!((kind.spec().shape.build)(&kind.values()), Ok(kind), "{kind}");
    }
}

#[test]
fn columns_agree_with_each_other() {
    for kind in kinds() {
        let spec = kind.spec();
        let is_blocked = spec.entry == Entry::Blocked;
        assert!(!is_blocked || spec.failures == Failures::Evidence, "{kind}: no attempt can succeed");
        assert!(spec.memory == Memory::Kept || spec.acts == Acts::Server, "{kind}: the path loses no memory");
        assert!(spec.memory == Memory::Kept || spec.operations == Operations::Interrupted, "{kind}");
        assert!(spec.fidelity == Fidelity::Alike || !matches!(spec.acts, Acts::Server | Acts::Middlebox), "{kind}");
    }
}

#[test]
fn rows_that_a_value_chooses() {
    let memory = |mode| FaultKind::Restart(mode).spec().memory;
    assert_eq!(
        [StopMode::Smart, StopMode::Fast, StopMode::Immediate].map(memory),
        [Memory::Kept, Memory::Kept, Memory::Lost]
    );
    assert!(!FaultKind::CloseRepeatedly { every: ms(10) }.is_instant());
    let fidelity = |after| FaultKind::IdleReset { after }.fidelity();
    assert_eq!([ms(1_000), ms(1_500)].map(fidelity), [Fidelity::TruerInKernel, Fidelity::Alike]);
    let dead = Toxic { scope: Scope::Established, ..ToxicKind::Stall { close_after: None }.into() };
    assert_eq!(FaultKind::Toxic(dead).fidelity(), Fidelity::TruerInKernel);
    assert_eq!(FaultKind::from(ToxicKind::Stall { close_after: None }).fidelity(), Fidelity::Alike);
}
