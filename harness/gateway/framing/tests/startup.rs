//! The startup of a session, and connections that never become one.

use super::samples::*;
use super::*;

#[test]
fn a_session_starts() {
    assert_eq!(see(&session(vec![])).lines, WELCOME);
}

#[test]
fn startup_packet_yields_user_database_and_replication() {
    let cases: [(u32, &[u8], &str); 6] = [
        (3 << 16 | 2, b"database\0shop\0user\0bob\0\0", "startup 3.2 user=bob database=shop"),
        (3 << 16, b"user\0bob\0replication\0database\0\0", "startup 3.0 user=bob database=- replication"),
        (3 << 16, b"user\0bob\0replication\0on\0\0", "startup 3.0 user=bob database=- replication"),
        (3 << 16, b"user\0bob\0replication\0off\0\0", "startup 3.0 user=bob database=-"),
        (3 << 16, b"user\0\xff\xfe\0database\0", "startup 3.0 user=- database=-"),
        (3 << 16 | 9999, b"", "startup 3.9999 user=- database=-"),
    ];
    for (version, body, note) in cases {
        assert_eq!(see(&[up(untyped(version, body))]).notes(), [note]);
    }
}

#[test]
fn startup_fields_beyond_the_prefix_are_not_read() {
    let body = [b"user\0bob\0options\0", &[b'-'; 9_000][..], b"\0database\0shop\0\0"].concat();
    let seen = see(&[up(untyped(3 << 16, &body))]);
    assert_eq!(seen.lines, ["@startup", "startup 3.0 user=bob database=-", "@startup-forwarded"]);
}

#[test]
fn the_server_asks_for_authentication_once() {
    let said = [
        up(startup()),
        down(authentication(10, b"SCRAM-SHA-256\0\0")),
        up(message(b'p', b"SCRAM-SHA-256\0\0\0\0\x04n,,r")),
        down(authentication(11, b"r=s=i=4096")),
        up(message(b'p', b"c=biws")),
        down([authentication(12, b"v="), authentication(0, b""), ready(b'I')].concat()),
    ];
    let seen = see(&said);
    assert_eq!(seen.points(), ["startup", "startup-forwarded", "authentication"]);
    assert_eq!(seen.notes()[1..], ["Authenticated", "ready I"]);
}

#[test]
fn a_server_may_negotiate_the_version() {
    let body = b"\0\x03\0\0\0\0\0\x01_pq_.something\0";
    let said = [up(startup()), down([message(b'v', body), authentication(0, b""), ready(b'I')].concat())];
    assert_eq!(see(&said).lines[3..], ["Authenticated", "ready I"]);
}

#[test]
fn a_key_may_be_long() {
    let key = message(b'K', &[&b"\0\0\0\x2a"[..], &[9; 256]].concat());
    let said = [up(startup()), down([authentication(0, b""), key, ready(b'I')].concat())];
    assert_eq!(see(&said).lines[3..], ["Authenticated", "pid 42", "ready I"]);
}

#[test]
fn a_cancel_request_has_a_key_of_either_protocol() {
    for key in [&[1; 4][..], &[2; 32], &[3; 256]] {
        assert_eq!(see(&[up(cancel_request(key))]).lines, ["CancelRequested"]);
    }
}

#[test]
fn a_refused_startup_is_an_error_of_the_server() {
    let said = [up(startup()), down(report(b'E', "FATAL", "53300"))];
    assert_eq!(see(&said).lines[3..], ["Fatal 53300"]);
}

#[test]
fn ancient_error_may_precede_the_startup_packet() {
    let text = "could not fork new process for connection: Resource temporarily unavailable\n";
    let ancient = format!("ancient {text:?}");
    let words = down(format!("E{text}\0"));
    assert_eq!(see(&[up(startup()), words.clone()]).lines[3..], [&*ancient]);
    assert_eq!(see(&[words, up(startup())]).lines, [ancient]);
}

#[test]
fn endless_ancient_error_is_noted_once_by_its_beginning() {
    let seen = see(&[down([b'E'; 700]), down([b'E'; 700])]);
    assert_eq!(seen.lines, [format!("ancient {:?}", "E".repeat(255))]);
}

#[test]
fn a_server_that_speaks_first_says_an_error_or_is_none() {
    assert_eq!(see(&[down(report(b'E', "FATAL", "57P03"))]).lines, ["Fatal 57P03"]);
    assert_eq!(see(&[down("SSH-2.0-server"), up(startup())]).lines, ["Opaque NotPostgres"]);
}
