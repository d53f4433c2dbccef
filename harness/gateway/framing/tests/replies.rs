//! Answers of the server, and its asynchronous messages.

use super::requests::seen;
use super::samples::*;
use super::*;

#[test]
fn asynchronous_messages_answer_nothing() {
    let unasked =
        [report(b'N', "WARNING", "01000"), message(b'S', b"a\0b\0"), message(b'A', b"\0\0\0\x01c\0\0")].concat();
    let answer = [unasked.clone(), complete("SELECT 0"), unasked.clone(), ready(b'I')].concat();
    let outcome = seen(vec![down(unasked), up(query("select")), down(answer)]);
    assert_eq!(outcome.points(), ["request", "query-forwarded", "first-reply", "command-complete"]);
}

#[test]
fn multi_statement_query_has_one_first_reply() {
    let answer = [complete("INSERT 0 1"), row(b"1"), complete("SELECT 1"), ready(b'I')].concat();
    let outcome = seen(vec![up(query("insert; select")), down(answer)]);
    assert_eq!(outcome.points()[2..], ["first-reply", "command-complete", "data-row", "command-complete"]);
}

#[test]
fn only_the_reply_to_a_commit_is_one() {
    let tags = ["COMMIT", "ROLLBACK", "COMMIT PREPARED", "commit", "VACUUM", "UPDATE 6"];
    for tag in tags {
        let outcome = seen(vec![up(query("commit")), down([complete(tag), ready(b'I')].concat())]);
        let replies = outcome.points().iter().filter(|point| **point == "commit-reply").count();
        assert_eq!(replies, usize::from(tag == "COMMIT"), "{tag}");
    }
}

#[test]
fn a_commit_is_reached_before_its_completion_passes() {
    let outcome = seen(vec![up(query("commit")), down([complete("COMMIT"), ready(b'I')].concat())]);
    assert_eq!(outcome.points()[2..], ["first-reply", "commit-reply", "command-complete"]);
}

#[test]
fn transaction_status_changes_are_noted() {
    let step = |status| vec![up(query("x")), down([complete("X"), ready(status)].concat())];
    let outcome = seen([step(b'I'), step(b'T'), step(b'T'), step(b'E'), step(b'I')].concat());
    assert_eq!(outcome.notes(), ["FirstRequest", "ready T", "ready E", "ready I"]);
    assert_eq!(outcome.points().iter().filter(|point| **point == "in-transaction").count(), 2);
}

#[test]
fn errors_are_noted_with_severity_and_code() {
    let old = message(b'E', b"SPANIC\0CXX001\0Mold\0\0");
    let german = message(b'E', b"SFEHLER\0VERROR\0C42601\0M\0\0");
    let foreign = message(b'E', b"SFEHLER\0C42601\0M\0\0");
    let errors = [error("23505"), report(b'E', "FATAL", "57P01"), old, german, foreign, message(b'E', b"")].concat();
    let expected = ["Error 23505", "Fatal 57P01", "Panic XX001", "Error 42601", "Error 42601", "Error XX000"];
    assert_eq!(seen(vec![down(errors)]).lines, expected);
}

#[test]
fn a_long_error_is_noted_by_its_beginning() {
    let long = message(b'E', &[b"SERROR\0VERROR\0C54000\0M", &[b'x'; 100_000][..], b"\0\0"].concat());
    assert_eq!(seen(vec![down(long)]).lines, ["Error 54000"]);
}

#[test]
fn only_notices_of_a_crash_or_a_shutdown_are_noted() {
    let notices = [report(b'N', "NOTICE", "00000"), report(b'N', "WARNING", "57P02"), report(b'N', "WARNING", "25P01")];
    assert_eq!(seen(vec![down(notices.concat())]).lines, ["notice Warning 57P02"]);
}

#[test]
fn an_error_answers_a_request_that_is_under_way() {
    let outcome = seen(vec![up(query("x")), down([error("42601"), ready(b'I')].concat())]);
    assert_eq!(outcome.lines[1..], ["@request", "@query-forwarded", "@first-reply", "Error 42601"]);
}

#[test]
fn a_row_without_a_body_has_no_middle() {
    assert_eq!(seen(vec![down(message(b'D', b""))]).lines, [""; 0]);
}
