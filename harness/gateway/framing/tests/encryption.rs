//! Encryption requests and their answers.

use super::samples::*;
use super::*;

#[test]
fn accepted_tls_makes_both_directions_opaque() {
    let said = [up(ssl_request()), down("S"), up("\x16\x03\x01 hello"), down("Q\0\0\0\0 E"), up("Q\0\0\0\0")];
    assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", "Opaque Tls"]);
}

#[test]
fn accepted_gss_makes_both_directions_opaque() {
    let said = [up(gss_request()), down("G"), up("anything"), down("anything")];
    assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", "Opaque Gss"]);
}

#[test]
fn refused_encryption_allows_another_then_cleartext() {
    let said = [vec![up(gss_request()), down("N"), up(ssl_request()), down("N")], session(vec![])].concat();
    let request_started = ["EncryptionRequested", "@encryption-request"];
    assert_eq!(see(&said).lines, [&request_started[..], &request_started, &WELCOME].concat());
}

#[test]
fn a_server_may_answer_with_an_error() {
    let said = [up(ssl_request()), down(report(b'E', "FATAL", "0A000"))];
    assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", "Fatal 0A000"]);
}

#[test]
fn server_that_cannot_fork_answers_with_an_ancient_error() {
    let said = [up(ssl_request()), down("Ecould not fork new process for connection: no\n\0")];
    let ancient = r#"ancient "could not fork new process for connection: no\n""#;
    assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", ancient]);
}

#[test]
fn an_answer_to_something_else_is_none() {
    for (request, answer) in [(ssl_request(), "G"), (gss_request(), "S"), (ssl_request(), "?")] {
        let said = [up(request), down(answer), up(startup())];
        assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", "Opaque NotPostgres"]);
    }
}

#[test]
fn client_not_waiting_for_encryption_answer_is_opaque() {
    let said = [up([ssl_request(), startup()].concat()), down("N"), up(query("select 1"))];
    assert_eq!(see(&said).lines, ["EncryptionRequested", "@encryption-request", "Opaque NotPostgres"]);
}

#[test]
fn tls_may_begin_without_asking() {
    let said = [up("\x16\x03\x01\x02\0\x01"), down("\x16\x03\x03"), up("more")];
    assert_eq!(see(&said).lines, ["Opaque DirectTls"]);
}

#[test]
fn dropped_encryption_request_gets_no_answer() {
    let said = [up(ssl_request()), up(startup())];
    let outcome = strike(&said, Point::EncryptionRequest, 0, Strike::Drop);
    assert_eq!(outcome.upstream, startup());
    assert_eq!(outcome.notes(), ["EncryptionRequested", "startup 3.0 user=alice database=shop"]);
}
