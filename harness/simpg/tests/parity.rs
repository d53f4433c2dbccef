//! The simulated server beside a real one: the same script, compared message by message. Skipped if no Postgres is
//! installed.

use std::time::Duration;

use rand::RngExt;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

use super::raw::{Raw, bind, close, describe, execute, extended, parse, query, startup, sync};
use super::*;
use crate::run_folder::RunFolder;
use crate::server::{Binaries, LocalServer, Readiness, Server};

/// Deadline for a script on a slow, busy machine; normally a script takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Seed of the random script.
const SEED: u64 = 1;

/// A step of one of two sessions. `Begin` sends a statement that waits for the other session; `Hear` reads its answer.
enum Step {
    Ask(usize, Vec<u8>),
    Begin(usize, Vec<u8>),
    Hear(usize),
}

use Step::{Ask, Begin, Hear};

fn ask(sql: &str) -> Step {
    Ask(0, query(sql))
}

fn other(sql: &str) -> Step {
    Ask(1, query(sql))
}

fn with(sql: &str, values: &[Option<&str>]) -> Vec<Step> {
    vec![Ask(0, extended(sql, values, false)), Ask(0, extended(sql, values, true))]
}

fn statements() -> Vec<Step> {
    let mut script = vec![
        ask(""),
        ask("  ; -- nothing\n ;"),
        ask("SELECT 1"),
        ask("SELECT 1 AS one, 'x', true, null, 9000000000, -5"),
        ask("SELECT 1::int8, '7'::int4, 'a'::text"),
        ask("SELECT pg_is_in_recovery(); SHOW transaction_read_only"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (1)"),
        ask("INSERT INTO pgsquall_ledger VALUES (2, 2), (3, 3) RETURNING id, idempotency_key"),
        ask("INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES (4, 2)"),
        ask("INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES (4, 2) ON CONFLICT DO NOTHING"),
        ask(
            "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES (4, '4') ON CONFLICT (idempotency_key) DO NOTHING",
        ),
        ask("INSERT INTO pgsquall_ledger (id) VALUES ('x')"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (null)"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (true)"),
        ask("INSERT INTO pgsquall_ledger (nope) VALUES (1)"),
        ask("SELECT 1 FROM pgsquall_ledger WHERE id = 'x'::text"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (99999999999999999999999999)"),
        ask("SELECT current_setting('lock_timeout'), current_database(), current_user"),
        ask("SELECT id, idempotency_key FROM pgsquall_ledger ORDER BY id"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 2 LIMIT 1"),
        ask("SELECT exists(SELECT 1 FROM pgsquall_ledger WHERE id = 9)"),
        ask("SELECT 1 FROM pgsquall_ledger LIMIT 1"),
        ask("SELECT id FROM public.pgsquall_ledger WHERE idempotency_key = 3"),
        ask("SELECT * FROM pgsquall_ledger WHERE id = 2"),
        // Transactions.
        ask("COMMIT"),
        ask("ROLLBACK"),
        ask("BEGIN; BEGIN"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (10)"),
        other("SELECT count(*) FROM pgsquall_ledger WHERE id = 10"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 10"),
        ask("ROLLBACK"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 10"),
        ask("BEGIN"),
        ask("INSERT INTO pgsquall_ledger VALUES (11, 2)"),
        ask("SELECT 1"),
        ask("COMMIT"),
        ask("BEGIN READ ONLY"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (12)"),
        ask("END"),
        ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pgsquall_ledger LIMIT 1"),
        other("INSERT INTO pgsquall_ledger VALUES (13, 13)"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 13"),
        ask("SHOW transaction_isolation"),
        ask("INSERT INTO pgsquall_ledger VALUES (13, 13) ON CONFLICT DO NOTHING"),
        ask("ABORT"),
        ask("START TRANSACTION ISOLATION LEVEL READ COMMITTED"),
        other("INSERT INTO pgsquall_ledger (id) VALUES (14)"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 14"),
        ask("COMMIT"),
        ask("SAVEPOINT a"),
        ask("BEGIN; INSERT INTO pgsquall_ledger VALUES (15, 15); SAVEPOINT a"),
        ask("INSERT INTO pgsquall_ledger VALUES (16, 15)"),
        ask("ROLLBACK TO SAVEPOINT b"),
        ask("ROLLBACK TO a"),
        ask("INSERT INTO pgsquall_ledger VALUES (16, 16)"),
        ask("RELEASE SAVEPOINT a"),
        ask("COMMIT"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 16"),
        // Several statements in one message are one transaction.
        ask("INSERT INTO pgsquall_ledger VALUES (17, 17); INSERT INTO pgsquall_ledger VALUES (18, 17); SELECT 1"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 17"),
        ask("INSERT INTO pgsquall_ledger VALUES (17, 17); COMMIT; INSERT INTO pgsquall_ledger VALUES (18, 17)"),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 17"),
        ask("SELECT 1; BEGIN; INSERT INTO pgsquall_ledger VALUES (19, 19)"),
        ask("ROLLBACK"),
        ask("INSERT INTO pgsquall_ledger VALUES (20, 20); ROLLBACK; SELECT 1"),
        // Two sessions claim the same key.
        ask("BEGIN; INSERT INTO pgsquall_ledger VALUES (30, 30)"),
        Begin(1, query("INSERT INTO pgsquall_ledger VALUES (30, 30) ON CONFLICT (idempotency_key) DO NOTHING")),
        ask("COMMIT"),
        Hear(1),
        ask("BEGIN; INSERT INTO pgsquall_ledger VALUES (31, 31)"),
        Begin(1, query("INSERT INTO pgsquall_ledger VALUES (31, 31)")),
        ask("COMMIT"),
        Hear(1),
        ask("BEGIN; INSERT INTO pgsquall_ledger VALUES (32, 32)"),
        Begin(1, query("INSERT INTO pgsquall_ledger VALUES (32, 32)")),
        ask("ROLLBACK"),
        Hear(1),
        ask("BEGIN; INSERT INTO pgsquall_ledger VALUES (33, 33)"),
        other("SET lock_timeout = 50; INSERT INTO pgsquall_ledger VALUES (33, 33)"),
        other("SET statement_timeout = '50ms'"),
        other("INSERT INTO pgsquall_ledger VALUES (33, 33)"),
        other("SET lock_timeout = 0"),
        other("INSERT INTO pgsquall_ledger VALUES (33, 33)"),
        other("RESET ALL"),
        ask("ROLLBACK"),
        // Settings.
        ask("SHOW statement_timeout; SET statement_timeout = 1500; SHOW statement_timeout"),
        ask("RESET statement_timeout; SHOW statement_timeout"),
        ask("SET application_name = 'an app'"),
        ask("BEGIN; SET LOCAL application_name TO 'local'; SHOW application_name"),
        ask("COMMIT; SHOW application_name"),
        ask("BEGIN; SET application_name TO 'gone'"),
        ask("ROLLBACK"),
        ask("SET no_such_setting = 1"),
        ask("SHOW no_such_setting"),
        ask("SET statement_timeout = 'soon'"),
        ask("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
        ask("INSERT INTO pgsquall_ledger (id) VALUES (21)"),
        ask("SHOW transaction_read_only"),
        ask("SET default_transaction_read_only = off"),
        ask("BEGIN; SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        ask("ROLLBACK"),
        ask("SET TRANSACTION READ ONLY"),
        ask("SET LOCAL statement_timeout = 5"),
        ask("DISCARD ALL"),
        ask("BEGIN; DISCARD ALL"),
        ask("ROLLBACK; DEALLOCATE ALL"),
        ask("DEALLOCATE nothing"),
        // Notifications.
        ask("LISTEN news"),
        ask("NOTIFY news, 'own'"),
        other("BEGIN; NOTIFY news, 'late'; NOTIFY news, 'late'; SELECT pg_notify('news', 'last')"),
        ask("SELECT 1"),
        ask("BEGIN"),
        other("COMMIT"),
        ask("SELECT 1"),
        ask("COMMIT"),
        ask("UNLISTEN *"),
        other("NOTIFY news"),
        ask("SELECT pg_sleep(0)"),
        ask("SELECT 1 FROM pgsquall_ledger WHERE id = $1"),
        ask("SELECT 'open"),
    ];
    script.extend(with("SELECT 1", &[]));
    script.extend(with("", &[]));
    script.extend(with("SELECT $1::int8", &[Some("5")]));
    script.extend(with("SELECT $1", &[Some("text")]));
    script.extend(with("SELECT $1::text", &[None]));
    script.extend(with("INSERT INTO pgsquall_ledger (id) VALUES ($1) RETURNING id", &[Some("50")]));
    script.extend(with("SELECT 1 FROM pgsquall_ledger WHERE id = $1 LIMIT 1", &[Some("50")]));
    script.extend(with("SELECT count(*) FROM pgsquall_ledger WHERE id = $1", &[Some("50")]));
    script.extend(with("SELECT count(*) FROM pgsquall_ledger WHERE id = $1", &[None]));
    script.extend(with("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[Some("no number")]));
    script.extend(with("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[]));
    script.extend(with("BEGIN", &[]));
    script.extend(with("SELECT pg_is_in_recovery()", &[]));
    script.extend(with("COMMIT", &[]));
    script.extend(with("SHOW transaction_read_only", &[]));
    let steps = |parts: &[Vec<u8>]| Ask(0, parts.concat());
    let insert = "INSERT INTO pgsquall_ledger (id, idempotency_key) VALUES ($1, $1)";
    script.extend([
        // Named statements and portals, used more than once.
        steps(&[parse("s", insert, &[20]), describe(b'S', "s"), sync()]),
        steps(&[parse("s", insert, &[20]), sync()]),
        steps(&[bind("", "s", &[Some("60")], false), execute("", 0), sync()]),
        steps(&[bind("", "s", &[Some("60")], false), execute("", 0), sync()]),
        steps(&[close(b'S', "s"), bind("", "s", &[Some("61")], false), execute("", 0), sync()]),
        steps(&[describe(b'P', "none"), execute("none", 0), sync()]),
        // One Sync, one transaction: an error skips the rest.
        steps(&[
            parse("s", insert, &[20]),
            bind("", "s", &[Some("70")], false),
            execute("", 0),
            bind("", "s", &[Some("70")], false),
            execute("", 0),
            bind("", "s", &[Some("71")], false),
            execute("", 0),
            sync(),
        ]),
        ask("SELECT count(*) FROM pgsquall_ledger WHERE id = 70"),
        // Row by row, with a limit.
        steps(&[
            parse("", "SELECT id FROM pgsquall_ledger WHERE id = 50", &[]),
            bind("p", "", &[], false),
            execute("p", 1),
            execute("p", 1),
            execute("p", 1),
            sync(),
        ]),
        // In a failed transaction.
        ask("BEGIN; SELECT 1 FROM pgsquall_ledger WHERE id = 'x'"),
        steps(&[parse("", "SELECT 1", &[]), sync()]),
        steps(&[parse("", "ROLLBACK", &[]), bind("", "", &[], false), execute("", 0), sync()]),
        steps(&[parse("", "SELECT 1; SELECT 2", &[]), sync()]),
        steps(&[parse("", "SELECT 1", &[]), bind("", "", &[Some("1")], false), sync()]),
        Ask(0, super::raw::message(b'B', b"\0\0\0")),
        steps(&[sync()]),
        Ask(0, super::raw::message(b'Q', b"SELECT 1")),
        Ask(0, super::raw::message(b'?', b"")),
    ]);
    script
}

/// Random statements in either session and either protocol; some fail, some wait for the other session and time out.
fn drawn(seed: u64) -> Vec<Step> {
    let mut rng = Seed(seed).rng();
    let impatient = "SET lock_timeout = '15ms'";
    let mut script = vec![ask(impatient), other(impatient)];
    for _ in 0..250 {
        let (id, who) = (rng.random_range(0..12), rng.random_range(0..2));
        let sql = match rng.random_range(0..20) {
            0..=2 => format!("INSERT INTO pgsquall_ledger VALUES ({id}, {id})"),
            3..=4 => format!("INSERT INTO pgsquall_ledger VALUES ({id}, {id}) ON CONFLICT DO NOTHING RETURNING id"),
            5 => format!("INSERT INTO pgsquall_ledger (id) VALUES ({id})"),
            6..=8 => "BEGIN".into(),
            9 => "BEGIN ISOLATION LEVEL REPEATABLE READ".into(),
            10 => "COMMIT".into(),
            11 => "ROLLBACK".into(),
            12 => format!("SAVEPOINT s{}", id % 2),
            13 => format!("ROLLBACK TO SAVEPOINT s{}", id % 2),
            14 => format!("RELEASE SAVEPOINT s{}", id % 2),
            15 => format!("SELECT count(*) FROM pgsquall_ledger WHERE id = {id}"),
            16 => format!("SELECT exists(SELECT 1 FROM pgsquall_ledger WHERE idempotency_key = {id})"),
            17 => "SELECT id, idempotency_key FROM pgsquall_ledger ORDER BY id LIMIT 5".into(),
            18 => format!("SET application_name = 'app {id}'"),
            _ => format!("INSERT INTO pgsquall_ledger VALUES ({id}, {id}); SELECT 1; COMMIT; SELECT 'x'"),
        };
        let several = sql.contains(';');
        let bytes = match rng.random_range(0..3) {
            0 if !several => extended(&sql, &[], rng.random()),
            _ => query(&sql),
        };
        script.push(Ask(who, bytes));
    }
    // An invalid message, which ends the session.
    script.push(Ask(0, super::raw::message(b'?', b"")));
    script
}

/// Plays a script on two sessions; returns the messages of each step.
async fn play<S, F>(script: Vec<Step>, connect: impl Fn() -> F) -> Vec<(String, Vec<String>)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    F: Future<Output = S>,
{
    let mut sessions = [Raw::new(connect().await), Raw::new(connect().await)];
    let mut transcript = Vec::new();
    for session in &mut sessions {
        transcript.push(("sign-in".into(), session.ask(&startup("postgres", "")).await));
    }
    for step in script {
        match step {
            Ask(who, bytes) => {
                let said = match bytes.first() {
                    // Without a Sync, the server answers up to the error.
                    Some(b'B' | b'?') => {
                        sessions[who].send(&bytes).await;
                        vec![sessions[who].next().await]
                    }
                    _ => sessions[who].ask(&bytes).await,
                };
                transcript.push((format!("{who}: {}", bytes.escape_ascii()), said));
            }
            Begin(who, bytes) => {
                sessions[who].send(&bytes).await;
                // Long enough that the statement waits for the other session.
                sleep(ms(50)).await;
            }
            Hear(who) => transcript.push((format!("{who}: …"), sessions[who].answer().await)),
        }
    }
    transcript.push(("end".into(), vec![sessions[0].next().await]));
    transcript
}

/// A real server, on which each script is compared with a simulated one.
struct Both {
    real: LocalServer,
    folder: RunFolder,
}

impl Both {
    /// `None`, with a note on stderr, if no Postgres is installed.
    async fn new() -> Option<Both> {
        let Ok(binaries) = Binaries::find() else {
            eprintln!("skipped: no Postgres is installed");
            return None;
        };
        let folder = RunFolder::create().unwrap();
        let real = LocalServer::create(&binaries, &folder, &[("timezone".into(), "UTC".into())]).await.unwrap();
        real.start().await.unwrap();
        real.wait(Readiness::AcceptingQueries, PATIENCE).await.unwrap();
        Some(Both { real, folder })
    }

    async fn agree_on(&self, script: impl Fn() -> Vec<Step>) {
        let socket = self.folder.path().join("socket").join(format!(".s.PGSQL.{}", self.real.address().port()));
        let connect = || async { UnixStream::connect(&socket).await.unwrap() };
        let expected = timeout(PATIENCE, play(script(), connect)).await.unwrap();
        let major = self.real.facts().version.split('.').next().unwrap().parse().unwrap();
        let bench = Bench::of(major).await;
        let found = timeout(PATIENCE, play(script(), async || bench.dial())).await.unwrap();
        let mut differences = Vec::new();
        for ((step, expected), (_, found)) in expected.iter().zip(&found) {
            let [expected, found] = [expected, found].map(|said| {
                let shown = said.iter().filter(|line| !line.starts_with("S server_version="));
                shown.cloned().collect::<Vec<_>>()
            });
            if expected != found {
                differences.push(format!("{step}\n  real      {expected:?}\n  simulated {found:?}"));
            }
        }
        assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
        assert_eq!(expected.len(), found.len());
    }
}

#[tokio::test]
async fn statements_get_the_answers_that_a_real_server_gives() {
    if let Some(both) = Both::new().await {
        both.agree_on(statements).await;
    }
}

#[tokio::test]
async fn statements_drawn_by_chance_get_the_answers_that_a_real_server_gives() {
    if let Some(both) = Both::new().await {
        both.agree_on(|| drawn(SEED)).await;
    }
}
