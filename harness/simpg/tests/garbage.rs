//! Malformed input: the server answers or closes; it never panics or hangs.

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::raw::{bind, close, describe, execute, extended, message, parse, query, startup, sync};
use super::*;

/// A valid conversation, one message per element.
fn conversation() -> Vec<Vec<u8>> {
    let insert = "INSERT INTO pgsquall_ledger VALUES ($1, $1) ON CONFLICT DO NOTHING RETURNING id";
    vec![
        startup(ROLE, "application_name\0garbage\0options\0-c lock_timeout=5\0"),
        query("BEGIN; INSERT INTO pgsquall_ledger (id) VALUES (1); SAVEPOINT a; SELECT 'it''s' /* c */"),
        parse("s", insert, &[20]),
        bind("p", "s", &[Some("7")], true),
        describe(b'S', "s"),
        describe(b'P', "p"),
        execute("p", 1),
        close(b'P', "p"),
        sync(),
        extended("SELECT id, count(*) FROM pgsquall_ledger WHERE id = $1::int8 LIMIT 3", &[None], false),
        query("COMMIT; SHOW transaction_read_only; SET statement_timeout = '5s'; LISTEN a; NOTIFY a, 'b'"),
        message(b'F', b"\0"),
        message(b'd', b"copy"),
        message(b'X', b""),
    ]
}

/// Sends bytes, then FIN. The answer must end, and the server must serve another client.
fn survives(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bench = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
        let mut socket = bench.dial();
        // The server may close the connection before all is sent.
        let _ = socket.write_all(bytes).await;
        let _ = socket.shutdown().await;
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(1000), socket.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the server neither answers nor closes");
        assert_eq!(bench.client().await.simple("SELECT 1").await, "1 #1");
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn any_bytes_after_the_sign_in_are_survived(kind in proptest::sample::select(b"QPBDECHSXFdcf".to_vec()),
                                                body in vec(any::<u8>(), 0..200)) {
        survives(&[startup(ROLE, ""), message(kind, &body), sync()].concat());
    }

    #[test]
    fn a_conversation_that_breaks_off_anywhere_is_survived(share in 0.0..1.0_f64) {
        let bytes = conversation().concat();
        survives(&bytes[..(share * bytes.len() as f64) as usize]);
    }

    #[test]
    fn a_conversation_with_a_byte_changed_is_survived(share in 0.0..1.0_f64, byte in any::<u8>()) {
        let mut bytes = conversation().concat();
        let at = (share * bytes.len() as f64) as usize;
        bytes[at] = byte;
        survives(&bytes);
    }

    #[test]
    fn any_text_is_answered(sql in "\\PC{0,60}") {
        survives(&[startup(ROLE, ""), query(&sql.replace('\0', "")), extended(&sql.replace('\0', ""), &[], true)].concat());
    }

    #[test]
    fn statements_with_words_missing_or_moved_are_answered(
        words in vec(proptest::sample::select(vec![
            "SELECT", "1", "$1", "count(*)", "FROM", "pgsquall_ledger", "WHERE", "id", "=", "LIMIT", "INSERT", "INTO", "(",
            ")", "VALUES", ",", "ON CONFLICT", "DO NOTHING", "RETURNING", "::int8", "'x'", "BEGIN", "SET", "SHOW", ";",
            "pg_sleep(0)", "exists(", "-", "*", "ORDER BY id", "null", "TO", "SAVEPOINT", "a",
        ]), 0..12)
    ) {
        survives(&[startup(ROLE, ""), query(&words.join(" "))].concat());
    }
}

#[tokio::test(start_paused = true)]
async fn a_length_that_nobody_means_costs_no_memory_and_ends_the_session() {
    let bench = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
    for length in [0_i32, 3, -1, i32::MAX] {
        let mut raw = raw::Raw::new(bench.dial());
        raw.ask(&startup(ROLE, "")).await;
        raw.send(&[&b"Q"[..], &length.to_be_bytes()].concat()).await;
        assert_eq!(raw.next().await, "FIN");
    }
    let mut raw = raw::Raw::new(bench.dial());
    raw.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert_eq!(raw.next().await, "FIN", "a TLS handshake without asking for it");
}

#[tokio::test(start_paused = true)]
async fn a_message_of_no_kind_is_a_violation_of_the_protocol() {
    let bench = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
    let mut raw = raw::Raw::new(bench.dial());
    raw.ask(&startup(ROLE, "")).await;
    raw.send(&[query("SELECT 1"), message(b'?', b"")].concat()).await;
    assert_eq!(raw.answer().await[1], "D 1", "what came before is answered");
    assert_eq!(raw.next().await, "E FATAL / 08P01 / invalid frontend message type 63");
    assert_eq!(raw.next().await, "FIN");
}
