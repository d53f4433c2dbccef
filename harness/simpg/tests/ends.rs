//! How sessions end, and how the server answers new connections meanwhile.

use super::raw::{Raw, query, startup};
use super::*;
use crate::model::fault::StopMode;
use tokio::time::{Instant, sleep};

const ADMINISTRATOR: &str = "E FATAL / 57P01 / terminating connection due to administrator command";
const ORPHANED: &str = "E FATAL / 57P01 / terminating connection due to unexpected postmaster exit";
const IMMEDIATE: &str = "N WARNING / 57P01 / terminating connection due to immediate shutdown command";
const CRASH: &str = "N WARNING / 57P02 / terminating connection because of crash of another server process";

/// A server that trusts all clients, with an idle session and one that runs a statement.
async fn at_work(major: u32) -> (Bench, Raw<MemorySocket>, Raw<MemorySocket>) {
    let bench = Bench::with(Settings { major, sign_in: SignIn::Trust, ..Settings::default() }).await;
    let (mut idle, mut active) = (Raw::new(bench.dial()), Raw::new(bench.dial()));
    idle.ask(&startup(ROLE, "")).await;
    active.ask(&startup(ROLE, "")).await;
    active.send(&query("SELECT pg_sleep(1000)")).await;
    sleep(ms(1)).await;
    (bench, idle, active)
}

#[tokio::test(start_paused = true)]
async fn sessions_that_are_terminated_are_told_and_others_come_in() {
    let (bench, mut idle, mut active) = at_work(15).await;
    // An incomplete message stays unread: the connection must end by FIN all the same.
    idle.send(b"Q\0\0\0\x30SELECT").await;
    sleep(ms(1)).await;
    assert_eq!(bench.server.sessions(ROLE).open, 2);
    assert_eq!(bench.server.terminate_sessions(ROLE).await.unwrap(), 2);
    assert_eq!(bench.server.sessions(ROLE).open, 0);
    for session in [&mut idle, &mut active] {
        assert_eq!([session.next().await, session.next().await], [ADMINISTRATOR, "FIN"]);
    }
    assert_eq!(bench.server.told(ROLE, "57P01"), 2);
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn a_fast_stop_tells_all_and_then_nobody_listens() {
    let (bench, mut idle, mut active) = at_work(15).await;
    bench.server.request_stop(StopMode::Fast);
    sleep(ms(1)).await;
    assert_eq!(bench.refusal().await, "FATAL 57P03 the database system is shutting down");
    bench.server.ended(ms(1000)).await.unwrap();
    for session in [&mut idle, &mut active] {
        assert_eq!([session.next().await, session.next().await], [ADMINISTRATOR, "FIN"]);
    }
    assert_eq!(bench.refusal().await, "connection refused");
    let asked = bench.server.log(0).iter().any(|line| line.text.contains("received fast shutdown request"));
    assert!(asked);
    bench.server.restart().await.unwrap();
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn a_smart_stop_leaves_those_who_are_in_and_ends_with_the_last() {
    let bench = Bench::new().await;
    let mut stays = bench.client().await;
    bench.server.request_stop(StopMode::Smart);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(stays.simple("INSERT INTO pgsquall_ledger (id) VALUES (1)").await, "#1");
    assert_eq!(bench.refusal().await, "FATAL 57P03 the database system is shutting down");
    assert!(bench.server.ended(ms(100)).await.is_err());
    stays.hears_nothing().await;
    drop(stays);
    bench.server.ended(ms(100)).await.unwrap();
    assert_eq!(bench.refusal().await, "connection refused");
    bench.server.restart().await.unwrap();
    assert_eq!(bench.client().await.simple("SELECT count(*) FROM pgsquall_ledger").await, "1 #1");
}

#[tokio::test(start_paused = true)]
async fn a_smart_stop_is_overtaken_by_a_fast_one() {
    let (bench, mut idle, _active) = at_work(15).await;
    bench.server.request_stop(StopMode::Smart);
    bench.server.stop(StopMode::Fast).await.unwrap();
    assert_eq!(idle.next().await, ADMINISTRATOR);
}

#[tokio::test(start_paused = true)]
async fn an_immediate_stop_is_a_notice_in_the_words_of_the_version() {
    for (major, expected) in [(13, CRASH), (14, IMMEDIATE), (15, IMMEDIATE)] {
        let (bench, mut idle, mut active) = at_work(major).await;
        bench.server.stop(StopMode::Immediate).await.unwrap();
        for session in [&mut idle, &mut active] {
            let notice = session.next().await;
            assert!(notice.starts_with(expected), "{notice}");
            assert_eq!(session.next().await, "FIN");
        }
        assert_eq!(bench.refusal().await, "connection refused");
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_postmaster_leaves_orphans_that_notice_in_their_own_way() {
    let (bench, mut idle, mut active) = at_work(15).await;
    bench.server.kill().await.unwrap();
    assert_eq!([idle.next().await, idle.next().await], [ORPHANED, "FIN"]);
    assert_eq!(active.next().await, "FIN");
    assert_eq!(bench.refusal().await, "connection refused");
    bench.server.restart().await.unwrap();
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_dies_takes_all_with_it_and_the_server_recovers() {
    let (bench, mut victim, mut active) = at_work(15).await;
    assert!(bench.server.crash_backend(ROLE).await.unwrap());
    assert_eq!(victim.next().await, "FIN");
    let notice = active.next().await;
    assert!(
        notice.starts_with(CRASH) && notice.contains("possibly corrupted shared memory. / In a moment"),
        "{notice}"
    );
    assert_eq!(active.next().await, "FIN");
    assert_eq!(bench.refusal().await, "FATAL 57P03 the database system is in recovery mode");
    sleep(ms(15)).await;
    assert!(bench.refusal().await.contains("not yet accepting connections"));
    bench.server.ready().await.unwrap();
    bench.client().await;
    assert!(bench.server.log(0).iter().any(|line| line.text.contains("was terminated by signal 9")));
    assert!(!bench.server.crash_backend("nobody").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_dies_with_a_request_unread_resets_its_connection() {
    let (bench, mut victim, _active) = at_work(15).await;
    // The sleeping session does not read.
    let (_, mut busy) = (victim.ask(&query("SELECT 1")).await, Raw::new(bench.dial()));
    busy.ask(&startup("postgres", "")).await;
    busy.send(&query("SELECT pg_sleep(100)")).await;
    sleep(ms(1)).await;
    busy.send(&query("SELECT 1")).await;
    assert!(bench.server.crash_backend("postgres").await.unwrap());
    assert_eq!(busy.next().await, "ConnectionReset");
}

#[tokio::test(start_paused = true)]
async fn a_long_recovery_lasts_until_it_is_released() {
    let bench = Bench::new().await;
    let mut lost = bench.client().await;
    assert_eq!(lost.simple("INSERT INTO pgsquall_ledger (id) VALUES (1)").await, "#1");
    bench.server.crash_into_recovery().await.unwrap();
    assert!(matches!(lost.next().await, Said::Notice(notice) if notice.starts_with("WARNING 57P02")));
    sleep(Duration::from_secs(600)).await;
    assert!(bench.refusal().await.starts_with("FATAL 57P03 the database system is not yet accepting"));
    bench.server.release_recovery().await.unwrap();
    assert_eq!(bench.client().await.simple("SELECT count(*) FROM pgsquall_ledger").await, "1 #1");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_is_silent_and_answers_once_it_is_thawed() {
    let bench = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
    let mut session = Raw::new(bench.dial());
    session.ask(&startup(ROLE, "")).await;
    bench.server.freeze();
    let mut newcomer = Raw::new(bench.dial());
    newcomer.send(&startup(ROLE, "")).await;
    session.send(&query("SELECT 1")).await;
    assert_eq!([session.next().await, newcomer.next().await], ["nothing", "nothing"]);
    let thawed = Instant::now();
    bench.server.thaw();
    assert_eq!(session.answer().await[1], "D 1");
    // While the server was frozen, the connection was not even accepted.
    assert_eq!(newcomer.answer().await[0], "R 0");
    assert_eq!(thawed.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_server_can_be_killed() {
    let (bench, mut idle, _active) = at_work(15).await;
    bench.server.freeze();
    bench.server.kill().await.unwrap();
    assert_eq!(idle.next().await, ORPHANED);
    bench.server.restart().await.unwrap();
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn memory_and_disk_that_are_short_fail_statements_and_sessions_live() {
    let bench = Bench::new().await;
    let signed = bench.client().await;
    let insert = "INSERT INTO pgsquall_ledger (id) VALUES (1)";
    bench.server.fill_disk(true);
    let expected =
        "ERROR 53100 could not extend file \"base/16385/16388\": No space left on device / Check free disk space.";
    assert_eq!(signed.simple(insert).await, expected);
    assert_eq!(signed.simple("SELECT count(*) FROM pgsquall_ledger").await, "0 #1");
    bench.server.fill_disk(false);
    assert_eq!(signed.simple(insert).await, "#1");
    bench.server.exhaust_memory(true);
    assert!(signed.simple(insert).await.starts_with("ERROR 53200 out of memory / Failed on request of size"));
    assert!(bench.refusal().await.starts_with("FATAL 53200 out of memory"));
    bench.server.exhaust_memory(false);
    assert_eq!(signed.simple(insert).await, "#1");
}

#[tokio::test(start_paused = true)]
async fn a_commit_without_room_for_the_log_is_the_servers_end_until_there_is_room() {
    let (bench, mut idle, mut active) = at_work(15).await;
    let mut writer = bench.client().await;
    bench.server.fill_wal(true);
    assert_eq!(writer.simple("SELECT count(*) FROM pgsquall_ledger").await, "0 #1", "who writes nothing goes on");
    let told = writer.simple("INSERT INTO pgsquall_ledger (id) VALUES (1)").await;
    assert!(told.starts_with("PANIC 53100 could not write to file \"pg_wal/xlogtemp."), "{told}");
    assert!(matches!(writer.next().await, Said::End(_)));
    for session in [&mut idle, &mut active] {
        assert!(session.next().await.starts_with(CRASH));
        assert_eq!(session.next().await, "FIN");
    }
    assert_eq!(bench.refusal().await, "FATAL 57P03 the database system is in recovery mode");
    bench.server.ended(ms(1000)).await.unwrap();
    assert_eq!(bench.refusal().await, "connection refused");
    bench.server.launch().unwrap();
    bench.server.ended(ms(1000)).await.unwrap();
    bench.server.fill_wal(false);
    bench.server.restart().await.unwrap();
    assert_eq!(bench.server.ledger(), [], "it was never acknowledged");
    assert_eq!(bench.server.told(ROLE, "53100"), 1);
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn with_the_last_handle_all_of_it_ends() {
    let bench = Bench::new().await;
    let mut signed = bench.client().await;
    drop(bench.server.clone());
    assert_eq!(signed.simple("SELECT 1").await, "1 #1");
    let Bench { lan, server } = bench;
    let at = server.address();
    drop(server);
    assert_eq!(signed.next().await, Said::End("connection closed".into()));
    assert!(lan.connect(at).is_err());
}
