//! Lost, duplicated and stale: the ledger compared with the acknowledged writes.

use crate::judge::samples::{HEAL, HIT, Sample, ms};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::history::{OpKind, Outcome};

fn write_of(sample: &Sample, kind: OpKind) -> (u64, i64) {
    let op = sample.ops.iter().find(|op| op.kind == kind.into() && op.began > HEAL).expect("there is one");
    (op.id, op.key)
}

#[test]
fn missing_acknowledged_write_is_lost() {
    for kind in [OpKind::Write, OpKind::Transaction] {
        let mut sample = Sample::healthy();
        let (id, key) = write_of(&sample, kind);
        sample.copies.insert(key, 0);
        let finding = sample.only_finding(Check::LostWrite);
        let expected = format!("1 of 538 acknowledged writes are not in the ledger: {kind} {id} [{id}]");
        assert_eq!(finding, expected);
    }
}

#[test]
fn unacknowledged_write_may_be_missing() {
    for (outcome, copies) in [(Outcome::Info, 0), (Outcome::Info, 1), (Outcome::Fail, 0)] {
        let mut sample = Sample::healthy();
        let op = sample.op(0, HIT).clone();
        assert!(op.kind.writes());
        sample.change(|other| other.id == op.id, |op| op.outcome = outcome);
        sample.copies.insert(op.key, copies);
        assert_eq!(sample.verdict().verdict, VerdictKind::Pass, "{outcome:?} {copies}");
    }
}

#[test]
fn write_stored_twice_is_duplicated() {
    for at in [HIT, HEAL + ms(50)] {
        let mut sample = Sample::healthy();
        let op = sample.ops.iter().find(|op| op.kind.writes() && op.began >= at).expect("there is one").clone();
        sample.copies.insert(op.key, 3);
        let finding = sample.only_finding(Check::DuplicatedWrite);
        assert_eq!(
            finding,
            format!("1 keys are in the ledger more than once: {} {} (3 times) [{}]", op.kind, op.id, op.id)
        );
    }
}

#[test]
fn foreign_key_stored_twice_is_duplicated() {
    let mut sample = Sample::healthy();
    sample.copies.insert(1_000_000, 2);
    assert!(sample.only_finding(Check::DuplicatedWrite).contains("none written by this run"));
}

#[test]
fn read_missing_acknowledged_write_is_stale() {
    let mut sample = Sample::healthy();
    let (id, key) = write_of(&sample, OpKind::Read);
    let began = crate::model::time::show(sample.ops.iter().find(|op| op.id == id).unwrap().began);
    sample.change(|op| op.id == id, |op| op.found = Some(false));
    let finding = sample.only_finding(Check::StaleRead);
    assert!(finding.contains(&format!("the first, read {id} at {began}, did not find key {key}")), "{finding}");
}

#[test]
fn reads_without_result_are_not_applicable() {
    let mut sample = Sample::healthy();
    sample.change(|_| true, |op| op.found = None);
    let result = &sample.verdict().checks[&Check::StaleRead];
    assert!(matches!(result, CheckResult::NotApplicable { .. }), "{result:?}");
}

#[test]
fn writes_need_an_audit() {
    let mut sample = Sample::healthy();
    sample.audited = false;
    let verdict = sample.verdict();
    for check in [Check::LostWrite, Check::DuplicatedWrite, Check::ConnectionLeak] {
        assert!(matches!(verdict.checks[&check], CheckResult::NotApplicable { .. }), "{check}");
    }
}

#[test]
fn acknowledged_write_on_old_primary_is_split_brain() {
    let mut sample = Sample::healthy();
    let (id, key) = write_of(&sample, OpKind::Write);
    sample.copies.insert(key, 0);
    sample.beside = Some(vec![key]);
    let finding = sample.finding(Check::StaleRead);
    let expected = format!("split brain: 1 acknowledged writes are only on the old primary; the first is write {id}");
    assert!(finding.starts_with(&expected) && finding.ends_with(&format!("[{id}]")), "{finding}");
    assert!(sample.verdict().fails(Check::LostWrite), "the write is lost on the new primary");
}

#[test]
fn unacknowledged_write_on_old_primary_is_tolerated() {
    let mut sample = Sample::healthy();
    // Not acknowledged: its commit waited for a standby that no longer answered.
    let op = sample.op(0, HIT).clone();
    sample.change(|other| other.id == op.id, |op| op.outcome = Outcome::Info);
    sample.copies.insert(op.key, 0);
    sample.beside = Some(vec![op.key]);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    // A write that both servers hold is no split brain.
    sample.beside = Some(sample.ops.iter().filter(|op| op.kind.writes()).map(|op| op.key).collect());
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}
