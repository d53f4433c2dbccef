//! Requests of the client.

use super::samples::*;
use super::*;

/// Plays a session that continues with `rest`; returns the outcome without the notes and points of its beginning.
pub fn seen(rest: Vec<Said>) -> Outcome {
    let mut outcome = see(&session(rest));
    outcome.lines.drain(..WELCOME.len());
    outcome
}

#[test]
fn a_query_is_a_request_until_the_server_is_ready() {
    let answer = || [message(b'T', b"\0\0"), row(b"1"), complete("SELECT 1"), ready(b'I')].concat();
    let once = ["@request", "@query-forwarded", "@first-reply", "@data-row", "@command-complete"];
    let outcome = seen(vec![up(query("select 1")), down(answer()), up(query("select 2")), down(answer())]);
    assert_eq!(outcome.lines, [&["FirstRequest"][..], &once, &once].concat());
}

#[test]
fn a_batch_of_the_extended_protocol_is_one_request() {
    let batch = [parse(), message(b'D', b"Ss\0"), bind(), execute(), sync()].concat();
    let answer = [parse_complete(), bind_complete(), row(b"1"), complete("SELECT 1"), ready(b'I')].concat();
    let points = seen(vec![up(batch), down(answer)]).lines;
    let forwarded = ["@parse-forwarded", "@bind-forwarded", "@execute-forwarded"];
    let answered = ["@first-reply", "@data-row", "@command-complete"];
    assert_eq!(points, [&["FirstRequest", "@request"][..], &forwarded, &answered].concat());
}

#[test]
fn a_pipeline_is_one_request_with_an_answer_for_each_sync() {
    let batch = || [bind(), execute(), sync()].concat();
    let answer = || [bind_complete(), complete("SELECT 0"), ready(b'I')].concat();
    let said = vec![up([batch(), batch()].concat()), down(answer()), up(batch()), down([answer(), answer()].concat())];
    let outcome = seen([said, vec![up(batch()), down(answer())]].concat());
    let count = |word: &str| outcome.points().iter().filter(|point| **point == word).count();
    assert_eq!((count("request"), count("first-reply"), count("execute-forwarded")), (2, 4, 4));
}

#[test]
fn flushed_batch_without_sync_stays_in_flight() {
    let said = vec![
        up([parse(), message(b'H', b"")].concat()),
        down(parse_complete()),
        up([bind(), execute(), sync()].concat()),
        down([bind_complete(), complete("SELECT 0"), ready(b'I')].concat()),
    ];
    let expected = ["request", "parse-forwarded", "first-reply", "bind-forwarded", "execute-forwarded"];
    assert_eq!(seen(said).points(), [&expected[..], &["command-complete"]].concat());
}

#[test]
fn closing_a_statement_is_no_request_and_hides_none() {
    let close = [message(b'C', b"Ss\0"), sync()].concat();
    let closed = [message(b'3', b""), ready(b'I')].concat();
    let said =
        vec![up([close, query("begin")].concat()), down(closed), down([complete("BEGIN"), ready(b'T')].concat())];
    let expected = ["request", "query-forwarded", "first-reply", "command-complete", "in-transaction"];
    assert_eq!(seen(said).points(), expected);
}

#[test]
fn a_function_call_is_a_request() {
    let said = vec![up(message(b'F', b"\0\0\0\x01")), down([message(b'V', b"\0\0\0\x01"), ready(b'I')].concat())];
    assert_eq!(seen([said.clone(), said].concat()).points(), ["request", "first-reply", "request", "first-reply"]);
}

#[test]
fn a_request_may_be_sent_before_the_session_is_ready() {
    let welcome = [authentication(0, b""), ready(b'I')].concat();
    let answer = [complete("SELECT 0"), ready(b'I')].concat();
    let said = [up([startup(), query("select")].concat()), down(welcome), down(answer), up(query("select"))];
    let expected = ["request", "query-forwarded", "first-reply", "command-complete", "request", "query-forwarded"];
    assert_eq!(see(&said).points()[2..], expected);
}

#[test]
fn a_password_or_a_goodbye_is_no_request() {
    assert!(seen(vec![up(message(b'p', b"secret\0")), up(message(b'X', b""))]).lines.is_empty());
}

#[test]
fn more_than_64_pipelined_batches_end_as_they_began() {
    let batch = [bind(), execute(), sync()].concat();
    let answer = [bind_complete(), complete("SELECT 0"), ready(b'I')].concat();
    let outcome = seen(vec![up(batch.repeat(200)), down(answer.repeat(200)), up(batch), down(answer)]);
    let count = |word: &str| outcome.points().iter().filter(|point| **point == word).count();
    assert_eq!((count("request"), count("first-reply")), (2, 201));
}
