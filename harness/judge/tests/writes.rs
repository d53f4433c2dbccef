//! What is in the ledger against what was acknowledged.

use crate::judge::samples::{HEAL, HIT, Sample, ms};
use crate::judge::{Check, CheckResult, VerdictKind};
use crate::model::history::{OpKind, Outcome};

fn write_of(sample: &Sample, kind: OpKind) -> (u64, i64) {
    let op = sample.ops.iter().find(|op| op.kind == kind.into() && op.began > HEAL).expect("there is one");
    (op.id, op.key)
}

#[test]
fn an_acknowledged_write_that_is_absent_is_lost() {
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
fn a_write_that_was_not_acknowledged_may_be_absent_or_there() {
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
fn a_write_that_is_there_twice_is_duplicated_whether_acknowledged_or_not() {
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
fn a_key_of_nobody_that_is_there_twice_is_still_a_duplicate() {
    let mut sample = Sample::healthy();
    sample.copies.insert(1_000_000, 2);
    assert!(sample.only_finding(Check::DuplicatedWrite).contains("none of this run"));
}

#[test]
fn a_read_that_misses_an_acknowledged_write_is_stale() {
    let mut sample = Sample::healthy();
    let (id, key) = write_of(&sample, OpKind::Read);
    let began = crate::model::time::show(sample.ops.iter().find(|op| op.id == id).unwrap().began);
    sample.change(|op| op.id == id, |op| op.found = Some(false));
    let finding = sample.only_finding(Check::StaleRead);
    assert!(finding.contains(&format!("the first, read {id} at {began}, did not see key {key}")), "{finding}");
}

#[test]
fn reads_that_do_not_say_what_they_found_show_nothing() {
    let mut sample = Sample::healthy();
    sample.change(|_| true, |op| op.found = None);
    let result = &sample.verdict().checks[&Check::StaleRead];
    assert!(matches!(result, CheckResult::NotApplicable { .. }), "{result:?}");
}

#[test]
fn without_an_audit_no_write_is_judged() {
    let mut sample = Sample::healthy();
    sample.audited = false;
    let verdict = sample.verdict();
    for check in [Check::LostWrite, Check::DuplicatedWrite, Check::ConnectionLeak] {
        assert!(matches!(verdict.checks[&check], CheckResult::NotApplicable { .. }), "{check}");
    }
}

#[test]
fn an_acknowledged_write_that_only_the_old_primary_holds_is_split_brain() {
    let mut sample = Sample::healthy();
    let (id, key) = write_of(&sample, OpKind::Write);
    sample.copies.insert(key, 0);
    sample.beside = Some(vec![key]);
    let finding = sample.finding(Check::StaleRead);
    let expected = format!("split brain: 1 acknowledged writes are on the old primary alone; the first is write {id}");
    assert!(finding.starts_with(&expected) && finding.ends_with(&format!("[{id}]")), "{finding}");
    assert!(sample.verdict().fails(Check::LostWrite), "whoever reads from the new primary has lost it");
}

#[test]
fn what_else_only_the_old_primary_holds_is_nobodys_fault() {
    let mut sample = Sample::healthy();
    // Never acknowledged: its commit waited for a standby that did not answer any more.
    let op = sample.op(0, HIT).clone();
    sample.change(|other| other.id == op.id, |op| op.outcome = Outcome::Info);
    sample.copies.insert(op.key, 0);
    sample.beside = Some(vec![op.key]);
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
    // And what both hold is where it should be.
    sample.beside = Some(sample.ops.iter().filter(|op| op.kind.writes()).map(|op| op.key).collect());
    assert_eq!(sample.verdict().verdict, VerdictKind::Pass);
}
