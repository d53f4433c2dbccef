//! Tests the conformance cases: the reference client passes all; each planted defect of an adapter fails exactly the
//! case that is about it.

#[allow(unused_imports, reason = "of what the tests of the binary share this crate uses a part")]
mod common;

use std::path::Path;
use std::process::Command;

use common::{BINARY, Output, Workspace};

/// The printed result of one case.
struct CaseLine {
    word: String,
    case: String,
    text: String,
}

/// Whether Python, which runs the bad adapters, is installed; prints a message otherwise.
fn python_is_here() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: no python3 here");
    }
    found
}

/// Returns the command line of an adapter that adds a defect to a built-in client.
fn bad(defect: &str, client: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/bad_adapter.py");
    format!("python3 '{}' {defect} '{BINARY}' {client}", script.display())
}

fn check(clients: &[&str]) -> Output {
    let mut words = vec!["conformance"];
    clients.iter().for_each(|client| words.extend(["--client", client]));
    Workspace::new().run(&words)
}

fn cases(output: &Output) -> Vec<CaseLine> {
    let lines = output.stdout.lines().filter_map(|line| line.strip_prefix("  "));
    let split = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (word, case) = (words.next().unwrap(), words.next().unwrap());
        CaseLine { word, case, text: words.collect::<Vec<_>>().join(" ") }
    };
    lines.map(split).collect()
}

/// Asserts that exactly this case fails, with these texts in its line, and that every case has a line.
#[track_caller]
fn fails_of(client: &str, defect: &str, case: &str, texts: &[&str]) {
    if !python_is_here() {
        return;
    }
    let output = check(&[&bad(defect, client)]);
    assert_eq!(output.code, Some(1), "{output}");
    let cases = cases(&output);
    assert_eq!(cases.len(), pgsquall::conformance::CASES.len(), "{output}");
    let failed: Vec<_> = cases.iter().filter(|cases| cases.word == "FAIL").collect();
    assert!(failed.len() == 1 && failed[0].case == case, "{output}");
    for text in texts {
        assert!(failed[0].text.contains(text), "{text:?} is not in:\n{output}");
    }
}

#[track_caller]
fn fails(defect: &str, case: &str, texts: &[&str]) {
    fails_of("reference", defect, case, texts);
}

#[test]
fn reference_passes_every_case() {
    let adapter = format!("'{BINARY}' adapter reference");
    let output = check(&[&adapter, "reference"]);
    let cases = cases(output.succeeds());
    let (process, in_process) = cases.split_at(cases.len() / 2);
    assert!(process.iter().all(|cases| cases.word == "pass"), "{output}");
    let skipped: Vec<_> = in_process.iter().filter(|cases| cases.word != "pass").collect();
    assert!(skipped.len() == 1 && skipped[0].word == "skip" && skipped[0].case == "end", "{output}");
    assert!(process[0].text.contains("4 "), "{output}");
    // Clients appear in the order of the command line.
    let heads: Vec<_> = output.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads, [adapter.as_str(), "reference"]);
}

#[test]
fn hello_with_an_unknown_capability() {
    fails("misspelt-capability", "hello", &["\"cancel\"", "deadline"]);
}

#[test]
fn hello_without_transactions() {
    fails("no-transactions", "hello", &["\"transaction\""]);
}

#[test]
fn missing_hello_skips_all_other_cases() {
    if !python_is_here() {
        return;
    }
    let output = check(&[&bad("no-hello", "reference")]);
    assert_eq!(output.code, Some(1), "{output}");
    let cases = cases(&output);
    assert!(cases[0].word == "FAIL" && cases[0].text.contains("line 1"), "{output}");
    assert!(cases[1..].iter().all(|cases| cases.word == "skip"), "{output}");
}

#[test]
fn write_acknowledged_but_missing() {
    fails("acknowledges-without-writing", "write", &["ledger", "bigint"]);
}

#[test]
fn read_finds_a_missing_row() {
    fails("finds-everything", "read", &["\"found\":false"]);
}

#[test]
fn stray_line_fails_the_case_it_appears_in() {
    fails("logs-to-stdout", "read", &["DEBUG reading", "stderr"]);
}

#[test]
fn transaction_of_a_single_statement() {
    fails("writes-instead-of-transactions", "transaction", &["INSERT"]);
}

#[test]
fn error_without_its_code() {
    fails("drops-sqlstate", "error", &["23505", "\"sqlstate\""]);
}

#[test]
fn operations_run_one_by_one() {
    fails("one-by-one", "concurrency", &["\"concurrency\":4", "only 1 "]);
}

#[test]
fn excess_operations_are_refused() {
    fails("refuses-to-wait", "concurrency", &["8 operations", "too many operations"]);
}

#[test]
fn adapter_with_its_own_timeout() {
    fails("own-timeout", "slow", &["300 ms", "timeouts"]);
}

#[test]
fn success_while_the_server_is_silent() {
    fails("acknowledges-in-silence", "hang", &["answer ok"]);
}

#[test]
fn two_answers_to_one_request() {
    fails("answers-twice", "hang", &["exactly once"]);
}

#[test]
fn answer_with_an_unknown_id() {
    fails("invents-ids", "hang", &["operation 10", "id"]);
}

#[test]
fn deadlines_that_are_ignored() {
    fails("ignores-deadlines", "cancel", &["\"deadline_ms\":300"]);
}

#[test]
fn deadlines_reported_as_another_kind() {
    fails("calls-deadlines-timeouts", "cancel", &["\"kind\":\"deadline\""]);
}

#[test]
fn no_answer_after_session_end() {
    fails_of("gives-up", "never-answers-after-termination", "restart", &["answer every request"]);
}

#[test]
fn exit_after_an_error() {
    let texts = ["exit status 3", "Traceback: terminated"];
    fails_of("gives-up", "exits-at-termination", "restart", &texts);
}

#[test]
fn no_answer_after_connection_reset() {
    fails_of("gives-up", "never-answers-after-reset", "cut", &["answer every request"]);
}

#[test]
fn gaps_not_reported() {
    fails("swallows-gaps", "listen", &["{\"gap\":true}"]);
}

#[test]
fn notifications_passed_on_twice() {
    fails("hears-twice", "listen", &["more than once"]);
}

#[test]
fn notifications_not_passed_on() {
    fails("hears-nothing", "listen", &["20.0 s"]);
}

#[test]
fn adapter_keeps_running_after_stdin_ends() {
    fails("stays-at-the-end", "end", &["2.00 s", "stdin"]);
}

#[test]
fn adapter_exits_with_an_error() {
    fails("fails-at-the-end", "end", &["exit status 1", "Traceback: the pool is closed already"]);
}

#[test]
fn pool_slot_never_recovers() {
    let output = check(&["loses-a-slot"]);
    assert_eq!(output.code, Some(1), "{output}");
    let cases = cases(&output);
    for case in ["restart", "cut"] {
        let found = cases.iter().find(|cases| cases.case == case).unwrap();
        assert!(found.word == "FAIL" && found.text.contains("1 of 4 "), "{output}");
    }
}

#[test]
fn missing_programs_are_errors_not_failures() {
    check(&["no-such-program-of-pgsquall"]).refuses(64, &["no-such-program-of-pgsquall", "PATH"]);
    check(&["sh -c 'echo no module named psycopg >&2; exit 3'"]).refuses(69, &["no module named psycopg"]);
    let place = Workspace::new();
    place.run(&["conformance", "--client", "reference", "--server", "local:/nowhere"]).refuses(69, &["/nowhere"]);
    place.run(&["conformance"]).refuses(64, &["--client"]);
}
