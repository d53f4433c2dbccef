//! Tests of the reader with stored lines, which also pin the stored format.

use super::*;
use crate::model::fault::{FaultKind, StopMode};

const HEADER: &str = r#"{"run":{"format":1,"pgsquall":"0.1.0","scenario":"restart-fast","title":"Restart","class":"transient","client":"c","seed":7,"repeat":0,"repeats":1,"faults":[{"kind":{"restart":"fast"},"at_us":2000000,"for_us":3000000}],"precedes_client":false,"budget":{"time_to_recover_us":60000000,"from":"heal","op_deadline_us":60000000,"stability_us":2000000,"fail_fast_us":10000000,"stall_threshold_us":1000000,"attempts_per_worker":10,"throughput":0.9},"load":{"workers":4,"interval_us":50000}}}"#;
const OP: &str = r#"{"op":{"id":7,"worker":1,"kind":"write","key":7,"intended_us":50000,"began_us":50010,"ended_us":52000,"outcome":"info","error":{"message":"gone","kind":"server","sqlstate":"57P01","retryable":true}}}"#;
const END: &str = r#"{"workload-ended":{"at_us":60000}}"#;

fn read(lines: &[&str]) -> Result<History, HistoryError> {
    History::read(lines.join("\n").as_bytes())
}

#[track_caller]
fn refused(lines: &[&str], line: usize, reason: &str) {
    let error = read(lines).expect_err("it must be refused");
    assert!(error.line == line && error.reason.contains(reason), "{error}");
    assert!(error.to_string().starts_with(&format!("line {line}: ")), "{error}");
}

#[test]
fn what_is_stored_is_read() {
    for end in ["", "\n", "\r\n"] {
        let history = History::read(format!("{HEADER}\n{OP}\n{END}{end}").as_bytes()).unwrap();
        assert_eq!(history.header.faults[0].kind, FaultKind::Restart(StopMode::Fast));
        let [Event::Op(op), Event::WorkloadEnded { .. }] = history.events.as_slice() else { panic!("{history:?}") };
        assert_eq!((op.id, op.outcome, op.latency().unwrap().as_micros()), (7, Outcome::Info, 2_000));
        let written: Vec<_> = history.events.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
        assert_eq!(written, [OP, END], "byte for byte");
    }
}

#[test]
fn the_ledgers_of_both_servers_are_read() {
    let lines = [r#"{"ledger-beside":{"runs":[[1,2,1],[7,7,1]]}}"#, r#"{"ledger":{"runs":[[1,2,1]]}}"#];
    let history = read(&[HEADER, lines[0], lines[1]]).unwrap();
    let [Event::LedgerBeside { runs: beside }, Event::Ledger { runs }] = history.events.as_slice() else {
        panic!("{history:?}")
    };
    assert_eq!((beside.as_slice(), runs.as_slice()), ([(1, 2, 1), (7, 7, 1)].as_slice(), [(1, 2, 1)].as_slice()));
}

#[test]
fn another_format_is_refused_whatever_its_shape() {
    refused(&[&HEADER.replace("\"format\":1", "\"format\":2"), END], 1, "format 2, but this version reads format 1");
    refused(&[r#"{"run":{"format":9,"pgsquall":"7.0.0","question":"?"}}"#], 1, "judge it with pgsquall 7.0.0");
}

#[test]
fn one_header_and_only_at_the_start() {
    refused(&[], 1, "empty");
    refused(&[END, HEADER], 1, "the first line must be the \"run\" header");
    refused(&[HEADER, OP, HEADER], 3, "a second header");
}

#[test]
fn a_line_that_cannot_be_understood_is_named() {
    refused(&[HEADER, OP, "garbage", END], 3, "expected value");
    refused(&[HEADER, OP, "", END], 3, "EOF");
    refused(&[HEADER, r#"{"unheard-of":{}}"#], 2, "unknown variant");
    refused(&["not a history"], 1, "expected");
    let binary = [HEADER.as_bytes(), b"\n\xff\xfe\n"].concat();
    assert_eq!(History::read(binary.as_slice()).unwrap_err().line, 2);
}

#[test]
fn a_last_line_cut_short_anywhere_is_refused() {
    for cut in 1..OP.len() {
        refused(&[HEADER, END, &OP[..cut]], 3, "EOF");
    }
    for cut in 1..HEADER.len() {
        assert!(read(&[&HEADER[..cut]]).is_err(), "header cut at {cut}");
    }
}
