//! Requests and their answers, one by one, as noted for an observer of all of them.

use super::samples::*;
use super::*;

/// Returns the notes of a session once it is ready: requests, answers and errors.
fn notes_once_ready(rest: Vec<Said>) -> Vec<String> {
    let witness = || Witness { blind: true, observes: true, ..Witness::default() };
    let said = session(rest);
    let whole = play(&said, witness());
    let bytes: Vec<_> = said.iter().flat_map(|(way, bytes)| bytes.iter().map(|byte| (*way, vec![*byte]))).collect();
    let single = play(&bytes, witness());
    assert_eq!(whole, single, "left: in whole pieces; right: byte by byte");
    let words = |line: &String| line.starts_with("asked") || line.starts_with("answered") || line.starts_with("Error");
    whole.lines.into_iter().filter(words).collect()
}

fn batch() -> Vec<u8> {
    [bind(), execute(), sync()].concat()
}

fn answer() -> Vec<u8> {
    [bind_complete(), complete("SELECT 0"), ready(b'I')].concat()
}

#[test]
fn each_query_and_each_batch_has_its_answer() {
    let said =
        vec![up(query("select 1")), down([complete("SELECT 1"), ready(b'I')].concat()), up(batch()), down(answer())];
    assert_eq!(notes_once_ready(said), ["asked", "answered, idle", "asked", "answered, idle"]);
}

#[test]
fn answers_of_a_pipeline_come_in_the_order_of_asking() {
    let said =
        vec![up([batch(), batch(), query("select")].concat()), down(answer()), down([answer(), answer()].concat())];
    assert_eq!(notes_once_ready(said), ["asked", "asked", "asked", "answered", "answered", "answered, idle"]);
}

#[test]
fn an_error_comes_before_the_answer_that_it_belongs_to() {
    let said =
        vec![up(query("selekt")), down([error("42601"), ready(b'I')].concat()), up(query("select")), down(answer())];
    assert_eq!(notes_once_ready(said), ["asked", "Error 42601", "answered, idle", "asked", "answered, idle"]);
}

#[test]
fn closing_a_statement_is_no_request() {
    let close = [message(b'C', b"Ss\0"), sync()].concat();
    let said = vec![up(close), down([message(b'3', b""), ready(b'I')].concat()), up(query("select")), down(answer())];
    assert_eq!(notes_once_ready(said), ["asked", "answered, idle"]);
}

#[test]
fn a_copy_from_the_client_is_one_request() {
    let said = vec![
        up(batch()),
        down([bind_complete(), message(b'G', b"\0\0\0")].concat()),
        up([message(b'd', b"1"), message(b'c', b""), sync()].concat()),
        down([complete("COPY 1"), ready(b'I')].concat()),
    ];
    assert_eq!(notes_once_ready(said), ["asked", "answered, idle"]);
}
