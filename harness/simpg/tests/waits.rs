//! Waiting statements and sessions: timeouts, cancellation, locks; and asynchronous messages.

use super::raw::{Raw, query, startup};
use super::*;
use tokio::time::{Instant, sleep};

async fn within(bench: &Bench, settings: &[(&str, &str)]) -> Raw<MemorySocket> {
    for (name, value) in settings {
        bench.server.set_for_role(ROLE, name, Some(value));
    }
    let mut raw = Raw::new(bench.dial());
    raw.ask(&startup(ROLE, "")).await;
    raw
}

async fn trusting(major: u32) -> Bench {
    Bench::with(Settings { major, sign_in: SignIn::Trust, ..Settings::default() }).await
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_end_after_the_timeout_of_their_role_and_no_other() {
    let bench = trusting(17).await;
    for (setting, before, expected) in [
        ("idle_session_timeout", "", "E FATAL / 57P05 / terminating connection due to idle-session timeout"),
        (
            "idle_in_transaction_session_timeout",
            "BEGIN",
            "E FATAL / 25P03 / terminating connection due to idle-in-transaction timeout",
        ),
        ("transaction_timeout", "BEGIN", "E FATAL / 25P04 / terminating connection due to transaction timeout"),
        (
            "transaction_timeout",
            "BEGIN; SELECT pg_sleep(9)",
            "E FATAL / 25P04 / terminating connection due to transaction timeout",
        ),
    ] {
        let mut raw = within(&bench, &[(setting, "2s")]).await;
        raw.send(&query(before)).await;
        let began = Instant::now();
        let mut said = vec![raw.next().await];
        while said.last().is_some_and(|last| last != "FIN") {
            said.push(raw.next().await);
        }
        assert_eq!(said[said.len() - 2], expected);
        assert_eq!(began.elapsed().as_secs(), 2, "{setting}");
        bench.server.set_for_role(ROLE, setting, None);
    }
    let mut raw = within(&bench, &[]).await;
    assert_eq!(raw.next().await, "nothing", "no timeout is left");
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_times_out_fails_and_the_session_lives() {
    let bench = Bench::new().await;
    bench.server.set_for_role(ROLE, "statement_timeout", Some("300ms"));
    let signed = bench.client().await;
    bench.server.lock_ledger(true);
    let expected = "ERROR 57014 canceling statement due to statement timeout";
    for sql in ["SELECT 1 FROM pgsquall_ledger", "INSERT INTO pgsquall_ledger (id) VALUES (1)", "SELECT pg_sleep(1)"] {
        let began = Instant::now();
        assert_eq!(signed.simple(sql).await, expected);
        assert_eq!(began.elapsed().as_millis(), 300);
    }
    let error = signed.client.query("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[&1_i64]).await.unwrap_err();
    assert_eq!(told(&error), expected);
    signed.simple("SET lock_timeout = 100").await;
    let locked = signed.simple("SELECT 1 FROM pgsquall_ledger").await;
    assert_eq!(locked, "ERROR 55P03 canceling statement due to lock timeout");
    bench.server.lock_ledger(false);
    assert_eq!(signed.simple("SELECT count(*) FROM pgsquall_ledger").await, "0 #1");
}

#[tokio::test(start_paused = true)]
async fn a_statement_is_cancelled_by_whoever_knows_its_key_alone() {
    let bench = Bench::new().await;
    let signed = bench.client().await;
    let cancel = async {
        sleep(ms(50)).await;
        let mut wrong = Raw::new(bench.dial());
        assert_eq!(wrong.ask(&raw::packet(80_877_102, &[0, 0, 0, 101, 1, 2, 3, 4])).await, ["FIN"]);
        sleep(ms(50)).await;
        let token = signed.client.cancel_token();
        token.cancel_query_raw(bench.dial(), NoTls).await.unwrap();
    };
    let began = Instant::now();
    let (said, ()) = tokio::join!(signed.simple("SELECT pg_sleep(10)"), cancel);
    assert_eq!(said, "ERROR 57014 canceling statement due to user request");
    assert_eq!(began.elapsed().as_millis(), 100);
    // A cancellation without a running statement has no effect.
    signed.client.cancel_token().cancel_query_raw(bench.dial(), NoTls).await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(signed.simple("SELECT pg_sleep(1)").await, " #1");
}

#[tokio::test(start_paused = true)]
async fn the_second_of_two_with_one_key_waits_for_the_first() {
    let bench = Bench::new().await;
    let (first, second) = (bench.client().await, bench.client().await);
    let insert = "INSERT INTO pgsquall_ledger VALUES (1, 1) ON CONFLICT (idempotency_key) DO NOTHING";
    for (end, expected) in [("ROLLBACK", "#1"), ("COMMIT", "#0")] {
        bench.client().await;
        first.simple(&format!("BEGIN; {}", insert.replace('1', "2"))).await;
        let other = insert.replace('1', "2");
        let ends = async {
            sleep(ms(700)).await;
            first.simple(end).await
        };
        let began = Instant::now();
        let waits = async {
            second.simple("BEGIN").await;
            let said = second.simple(&other).await;
            second.simple("ROLLBACK").await;
            said
        };
        let (said, _) = tokio::join!(waits, ends);
        assert_eq!((said.as_str(), began.elapsed().as_millis()), (expected, 700));
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_wait_for_each_other_are_told_apart_after_a_second() {
    let bench = Bench::new().await;
    let (one, two) = (bench.client().await, bench.client().await);
    one.simple("BEGIN; INSERT INTO pgsquall_ledger VALUES (1, 1)").await;
    two.simple("BEGIN; INSERT INTO pgsquall_ledger VALUES (2, 2)").await;
    let began = Instant::now();
    let (a, b) = tokio::join!(
        one.simple("INSERT INTO pgsquall_ledger VALUES (2, 2)"),
        two.simple("INSERT INTO pgsquall_ledger VALUES (1, 1)")
    );
    assert_eq!(began.elapsed().as_secs(), 1);
    let mut said = [a, b];
    said.sort();
    assert_eq!(said[0], "#1");
    assert!(said[1].starts_with("ERROR 40P01 deadlock detected"), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_in_a_transaction_leaves_nothing_behind() {
    let bench = Bench::new().await;
    let (gone, next) = (bench.client().await, bench.client().await);
    gone.simple("BEGIN; INSERT INTO pgsquall_ledger VALUES (1, 1)").await;
    assert_eq!(bench.server.sessions(ROLE).idle_in_transaction, 1);
    assert_eq!(bench.server.sessions_idle_for(ROLE, ms(10)).idle_in_transaction, 0);
    let waits = next.simple("INSERT INTO pgsquall_ledger VALUES (1, 1)");
    let (said, ()) = tokio::join!(waits, async {
        sleep(ms(10)).await;
        drop(gone);
    });
    assert_eq!(said, "#1");
    assert_eq!(bench.server.ledger(), [(1, 1, 1)]);
    assert_eq!(bench.server.sessions(ROLE).open, 1);
}

#[tokio::test(start_paused = true)]
async fn notifications_reach_whoever_listens_and_is_idle() {
    let bench = Bench::new().await;
    let mut listener = bench.client().await;
    listener.simple("LISTEN pgsquall_news").await;
    bench.server.notify("pgsquall_news", "1");
    bench.server.notify("other_news", "2");
    assert_eq!(listener.next().await, Said::News("pgsquall_news: 1".into()));
    listener.simple("BEGIN").await;
    bench.server.notify("pgsquall_news", "3");
    listener.hears_nothing().await;
    listener.simple("COMMIT").await;
    assert_eq!(listener.next().await, Said::News("pgsquall_news: 3".into()));
    listener.simple("UNLISTEN pgsquall_news").await;
    bench.server.notify("pgsquall_news", "4");
    listener.hears_nothing().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_said_with_its_text() {
    let bench = Bench::new().await;
    let signed = bench.client().await;
    let said = signed.simple("SELECT 1; DROP TABLE pgsquall_ledger CASCADE;").await;
    let expected = "ERROR 0A000 the simulated server does not know this statement: DROP TABLE pgsquall_ledger CASCADE";
    assert!(said.starts_with(expected), "{said}");
}
