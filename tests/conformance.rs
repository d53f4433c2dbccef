//! The conformance cases are tested: the reference passes them, and each planted mistake fails the case that is about
//! it, and no other.

#[allow(unused_imports, reason = "of what the tests of the binary share this crate uses a part")]
mod common;

use std::path::Path;
use std::process::Command;

use common::{BINARY, Output, Workspace};

/// What one case came to, as it was printed.
struct Told {
    word: String,
    case: String,
    text: String,
}

/// Whether there is a Python to run the bad adapters with.
fn python_is_here() -> bool {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        println!("skipped: no python3 here");
    }
    found
}

/// The command line of an adapter with a defect, over a built-in client.
fn bad(defect: &str, client: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/bad_adapter.py");
    format!("python3 '{}' {defect} '{BINARY}' {client}", script.display())
}

fn check(clients: &[&str]) -> Output {
    let mut words = vec!["conformance"];
    clients.iter().for_each(|client| words.extend(["--client", client]));
    Workspace::new().run(&words)
}

fn told(said: &Output) -> Vec<Told> {
    let lines = said.stdout.lines().filter_map(|line| line.strip_prefix("  "));
    let split = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (word, case) = (words.next().unwrap(), words.next().unwrap());
        Told { word, case, text: words.collect::<Vec<_>>().join(" ") }
    };
    lines.map(split).collect()
}

/// Exactly this case fails, in a line that holds these texts; those after it have been asked all the same.
#[track_caller]
fn fails_of(client: &str, defect: &str, case: &str, texts: &[&str]) {
    if !python_is_here() {
        return;
    }
    let said = check(&[&bad(defect, client)]);
    assert_eq!(said.code, Some(1), "{said}");
    let told = told(&said);
    assert_eq!(told.len(), pgsquall::conformance::CASES.len(), "{said}");
    let failed: Vec<_> = told.iter().filter(|told| told.word == "FAIL").collect();
    assert!(failed.len() == 1 && failed[0].case == case, "{said}");
    for text in texts {
        assert!(failed[0].text.contains(text), "{text:?} is not in:\n{said}");
    }
}

#[track_caller]
fn fails(defect: &str, case: &str, texts: &[&str]) {
    fails_of("reference", defect, case, texts);
}

#[test]
fn the_reference_passes() {
    let adapter = format!("'{BINARY}' adapter reference");
    let said = check(&[&adapter, "reference"]);
    let told = told(said.succeeds());
    let (process, in_process) = told.split_at(told.len() / 2);
    assert!(process.iter().all(|told| told.word == "pass"), "{said}");
    let skipped: Vec<_> = in_process.iter().filter(|told| told.word != "pass").collect();
    assert!(skipped.len() == 1 && skipped[0].word == "skip" && skipped[0].case == "end", "{said}");
    assert!(process[0].text.contains("4 "), "{said}");
    // In the order in which they were named.
    let heads: Vec<_> = said.stdout.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(heads, [adapter.as_str(), "reference"]);
}

#[test]
fn hello_with_a_word_that_nobody_knows() {
    fails("misspelt-capability", "hello", &["\"cancel\"", "deadline"]);
}

#[test]
fn hello_without_transactions() {
    fails("no-transactions", "hello", &["\"transaction\""]);
}

#[test]
fn no_hello_and_nothing_else_is_asked() {
    if !python_is_here() {
        return;
    }
    let said = check(&[&bad("no-hello", "reference")]);
    assert_eq!(said.code, Some(1), "{said}");
    let told = told(&said);
    assert!(told[0].word == "FAIL" && told[0].text.contains("line 1"), "{said}");
    assert!(told[1..].iter().all(|told| told.word == "skip"), "{said}");
}

#[test]
fn write_that_is_acknowledged_and_is_not_there() {
    fails("acknowledges-without-writing", "write", &["ledger", "bigint"]);
}

#[test]
fn read_that_finds_what_is_not_there() {
    fails("finds-everything", "read", &["\"found\":false"]);
}

#[test]
fn a_stray_line_is_told_where_it_came() {
    fails("logs-to-stdout", "read", &["DEBUG reading", "stderr"]);
}

#[test]
fn transaction_that_is_none() {
    fails("writes-instead-of-transactions", "transaction", &["INSERT"]);
}

#[test]
fn error_without_its_code() {
    fails("drops-sqlstate", "error", &["23505", "\"sqlstate\""]);
}

#[test]
fn one_after_the_other() {
    fails("one-by-one", "concurrency", &["\"concurrency\":4", "only 1 "]);
}

#[test]
fn no_room_for_those_who_have_to_wait() {
    fails("refuses-to-wait", "concurrency", &["8 operations", "too many operations"]);
}

#[test]
fn a_timeout_of_the_adapters_own() {
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
fn an_answer_that_nobody_asked_for() {
    fails("invents-ids", "hang", &["operation 10", "id"]);
}

#[test]
fn deadlines_that_are_ignored() {
    fails("ignores-deadlines", "cancel", &["\"deadline_ms\":300"]);
}

#[test]
fn deadlines_that_are_called_something_else() {
    fails("calls-deadlines-timeouts", "cancel", &["\"kind\":\"deadline\""]);
}

#[test]
fn no_answer_once_the_session_was_ended() {
    fails_of("gives-up", "never-answers-after-termination", "restart", &["answer every request"]);
}

#[test]
fn an_exit_because_of_an_error() {
    let texts = ["exit status 3", "Traceback: terminated"];
    fails_of("gives-up", "exits-at-termination", "restart", &texts);
}

#[test]
fn no_answer_once_the_connection_was_reset() {
    fails_of("gives-up", "never-answers-after-reset", "cut", &["answer every request"]);
}

#[test]
fn gaps_that_nobody_is_told_of() {
    fails("swallows-gaps", "listen", &["{\"gap\":true}"]);
}

#[test]
fn notifications_that_come_twice() {
    fails("hears-twice", "listen", &["more than once"]);
}

#[test]
fn notifications_that_never_come() {
    fails("hears-nothing", "listen", &["20.0 s"]);
}

#[test]
fn an_adapter_that_stays() {
    fails("stays-at-the-end", "end", &["2.00 s", "stdin"]);
}

#[test]
fn an_adapter_that_ends_with_an_error() {
    fails("fails-at-the-end", "end", &["exit status 1", "Traceback: the pool is closed already"]);
}

#[test]
fn a_slot_that_does_not_come_back() {
    let said = check(&["loses-a-slot"]);
    assert_eq!(said.code, Some(1), "{said}");
    let told = told(&said);
    for case in ["restart", "cut"] {
        let found = told.iter().find(|told| told.case == case).unwrap();
        assert!(found.word == "FAIL" && found.text.contains("1 of 4 "), "{said}");
    }
}

#[test]
fn what_is_not_here_is_no_failure() {
    check(&["no-such-program-of-pgsquall"]).refuses(64, &["no-such-program-of-pgsquall", "PATH"]);
    check(&["sh -c 'echo no module named psycopg >&2; exit 3'"]).refuses(69, &["no module named psycopg"]);
    let place = Workspace::new();
    place.run(&["conformance", "--client", "reference", "--server", "local:/nowhere"]).refuses(69, &["/nowhere"]);
    place.run(&["conformance"]).refuses(64, &["--client"]);
}
