//! COPY, in every direction.

use super::requests::seen;
use super::samples::*;
use super::*;

fn data() -> Vec<u8> {
    [message(b'd', &[b'x'; 5_000]), message(b'd', b"")].concat()
}

/// The points of a query after the COPY: it must count as a request again.
const NEXT: [&str; 4] = ["request", "query-forwarded", "first-reply", "command-complete"];

fn next() -> Vec<Said> {
    vec![up(query("select")), down([complete("SELECT 0"), ready(b'I')].concat())]
}

#[test]
fn a_copy_to_the_client_is_one_answer() {
    let answer = [message(b'H', b"\0\0\0"), data(), message(b'c', b""), complete("COPY 2"), ready(b'I')].concat();
    let said = [vec![up(query("copy t to stdout")), down(answer)], next()].concat();
    assert_eq!(seen(said).points(), [NEXT, NEXT].concat());
}

#[test]
fn copy_in_by_simple_query_is_one_request() {
    let said = vec![
        up(query("copy t from stdin")),
        down(message(b'G', b"\0\0\0")),
        up([data(), message(b'c', b"")].concat()),
        down([complete("COPY 2"), ready(b'I')].concat()),
    ];
    assert_eq!(seen([said, next()].concat()).points(), [NEXT, NEXT].concat());
}

#[test]
fn a_sync_that_the_server_ignores_is_not_waited_for() {
    let batch = [bind(), execute(), sync()].concat();
    let invited = [bind_complete(), message(b'G', b"\0\0\0")].concat();
    let ends = [
        ([message(b'c', b""), sync()].concat(), [complete("COPY 2"), ready(b'I')].concat()),
        ([message(b'f', b"no\0"), sync()].concat(), [error("57014"), ready(b'I')].concat()),
    ];
    for (end, answer) in ends {
        let copy = vec![up(batch.clone()), down(invited.clone()), up(data()), up(end), down(answer)];
        let outcome = seen([copy, next()].concat());
        assert_eq!(outcome.points()[..4], ["request", "bind-forwarded", "execute-forwarded", "first-reply"]);
        assert!(outcome.points().ends_with(&NEXT), "{:?}", outcome.points());
    }
}

#[test]
fn sync_counts_again_after_a_failed_copy() {
    let said = vec![
        up([bind(), execute(), sync()].concat()),
        down([bind_complete(), message(b'G', b"\0\0\0")].concat()),
        up(data()),
        down(error("22P04")),
        up(sync()),
        down(ready(b'I')),
    ];
    let expected = ["request", "bind-forwarded", "execute-forwarded", "first-reply"];
    assert_eq!(seen([said, next()].concat()).points(), [expected, NEXT].concat());
}

#[test]
fn a_replication_stream_is_an_answer_without_end() {
    let stream = [message(b'W', b"\0\0\0"), message(b'd', b"w"), message(b'd', b"k")].concat();
    let said = vec![up(query("START_REPLICATION")), down(stream), up(message(b'd', b"r")), down(message(b'd', b"w"))];
    assert_eq!(seen(said).points(), ["request", "query-forwarded", "first-reply"]);
}

#[test]
fn a_server_that_is_ready_waits_for_no_data() {
    let said = vec![
        up([execute(), sync()].concat()),
        down([message(b'G', b"\0\0\0"), ready(b'I')].concat()),
        up([execute(), sync()].concat()),
        down([complete("SELECT 0"), ready(b'I')].concat()),
    ];
    assert!(seen([said, next()].concat()).points().ends_with(&NEXT));
}
