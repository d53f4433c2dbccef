//! Sign-ins that are refused, and the texts of the refusals.

use super::raw::{Raw, packet, startup};
use super::*;
use crate::model::fault::StopMode;
use crate::server::bootstrap::OCCUPANT;
use crate::server::control::AddressRange;
use crate::simpg::Admission;

const BAD_PASSWORD: &str = "FATAL 28P01 password authentication failed for user \"squall\"";

#[tokio::test(start_paused = true)]
async fn each_denial_has_its_words_and_ends_with_heal() {
    let bench = Bench::new().await;
    let server = &bench.server;
    let mut old = bench.client().await;
    server.set_password(ROLE, "another");
    assert_eq!(bench.refusal().await, BAD_PASSWORD);
    server.set_password(ROLE, PASSWORD);
    server.set_role_present(ROLE, false);
    assert_eq!(bench.refusal().await, BAD_PASSWORD);
    server.set_role_present(ROLE, true);
    server.permit_login(ROLE, false);
    assert_eq!(bench.refusal().await, "FATAL 28000 role \"squall\" is not permitted to log in");
    server.permit_login(ROLE, true);
    server.set_database_present(DATABASE, false);
    assert_eq!(bench.refusal().await, "FATAL 3D000 database \"squall\" does not exist");
    server.set_database_present(DATABASE, true);
    server.allow_connections(DATABASE, false);
    assert_eq!(bench.refusal().await, "FATAL 55000 database \"squall\" is not currently accepting connections");
    server.allow_connections(DATABASE, true);
    server.permit_connect(DATABASE, false);
    assert_eq!(
        bench.refusal().await,
        "FATAL 42501 permission denied for database \"squall\" / User does not have CONNECT privilege."
    );
    server.permit_connect(DATABASE, true);
    for (whom, text) in [
        (Admission::Nobody, "no pg_hba.conf entry for"),
        (Admission::TlsOnly { certificate: false }, "no pg_hba.conf entry for"),
        (Admission::Rejected, "pg_hba.conf rejects connection for"),
    ] {
        server.admit(whom);
        let who = "host \"10.0.0.9\", user \"squall\", database \"squall\", no encryption";
        assert_eq!(bench.refusal().await, format!("FATAL 28000 {text} {who}"));
    }
    server.admit(Admission::Everybody);
    assert_eq!(old.simple("SELECT 1").await, "1 #1", "an open session goes on");
    old.hears_nothing().await;
    assert_eq!(bench.client().await.simple("SELECT 1").await, "1 #1");
    let errors = server.errors(ROLE);
    let expected = [("28000", 4), ("28P01", 2), ("3D000", 1), ("42501", 1), ("55000", 1)];
    assert_eq!(errors, expected.map(|(code, count)| (code.to_owned(), count)).into());
    assert_eq!(server.told(ROLE, "28P01"), 2);
}

#[tokio::test(start_paused = true)]
async fn slots_that_others_have_taken_are_refused_in_the_words_of_the_version() {
    for (major, text) in [
        (15, "remaining connection slots are reserved for non-replication superuser connections"),
        (16, "remaining connection slots are reserved for roles with the SUPERUSER attribute"),
    ] {
        let bench = Bench::of(major).await;
        let mut old = bench.client().await;
        assert_eq!(bench.server.occupy(ROLE, true).await.unwrap(), 1);
        assert!(matches!(old.next().await, Said::End(end) if end.starts_with("FATAL 57P01")));
        assert_eq!(bench.refusal().await, format!("FATAL 53300 {text}"));
        assert_eq!(bench.server.occupy(ROLE, false).await.unwrap(), 0);
        assert_eq!(bench.refusal().await, "FATAL 53300 sorry, too many clients already");
        bench.server.vacate();
        bench.client().await;
        bench.server.limit_role(ROLE, Some(0));
        assert_eq!(bench.refusal().await, "FATAL 53300 too many connections for role \"squall\"");
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_lets_in_whoever_is_in_it() {
    let bench = Bench::new().await;
    let client = Ipv4Addr::new(10, 0, 0, 9);
    bench.server.admit(Admission::From(AddressRange::beside(client)));
    assert!(bench.refusal().await.starts_with("FATAL 28000 no pg_hba.conf entry for host \"10.0.0.9\""));
    for range in [AddressRange::ALL, AddressRange::only(client)] {
        bench.server.admit(Admission::From(range));
        bench.client().await;
    }
}

#[tokio::test(start_paused = true)]
async fn others_leave_one_slot_after_the_other() {
    let settings = Settings { max_connections: 5, superuser_reserved_connections: 2, ..Settings::default() };
    let bench = Bench::with(settings).await;
    assert_eq!(bench.server.occupy_ordinary(), 3);
    assert!(bench.refusal().await.contains("reserved for non-replication superuser"));
    let mut superuser = bench.config();
    superuser.user("postgres");
    drop(bench.sign_in(&superuser).await.unwrap());
    tokio::time::sleep(ms(1)).await;
    bench.server.vacate_one();
    let _one = bench.client().await;
    assert!(bench.refusal().await.contains("reserved for non-replication superuser"));
    bench.server.vacate();
    bench.client().await;
}

#[tokio::test(start_paused = true)]
async fn real_sessions_use_up_real_slots() {
    let settings = Settings { max_connections: 5, superuser_reserved_connections: 2, ..Settings::default() };
    let bench = Bench::with(settings).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(bench.client().await);
    }
    assert!(bench.refusal().await.contains("reserved for non-replication superuser"));
    let mut superuser = bench.config();
    superuser.user("postgres");
    for _ in 0..2 {
        kept.push(bench.sign_in(&superuser).await.unwrap());
    }
    assert_eq!(bench.refusal().await, "FATAL 53300 sorry, too many clients already");
    kept.clear();
    tokio::time::sleep(ms(1)).await;
    bench.client().await;
    bench.server.limit_role(OCCUPANT, Some(1));
    let mut occupant = bench.config();
    occupant.user(OCCUPANT);
    let _one = bench.sign_in(&occupant).await.unwrap();
    let refused = bench.sign_in(&occupant).await.map(drop).unwrap_err();
    assert_eq!(refused, "FATAL 53300 too many connections for role \"squall_occupant\"");
}

#[tokio::test(start_paused = true)]
async fn encryption_is_declined_and_a_newer_protocol_talked_down() {
    let bench = Bench::with(Settings { sign_in: SignIn::Trust, ..Settings::default() }).await;
    let mut raw = Raw::new(bench.dial());
    for code in [80_877_103, 80_877_104] {
        raw.send(&packet(code, b"")).await;
        let mut answer = [0; 1];
        tokio::io::AsyncReadExt::read_exact(&mut raw.stream, &mut answer).await.unwrap();
        assert_eq!(&answer, b"N");
    }
    let newer = packet((3 << 16) + 2, b"user\0squall\0_pq_.odd\0x\0\0");
    let said = raw.ask(&newer).await;
    assert_eq!((said[0].as_str(), said[1].as_str()), ("v 0 1", "R 0"));
    let mut raw = Raw::new(bench.dial());
    assert!(raw.ask(&packet(2 << 16, b"")).await[0].starts_with("E FATAL / 0A000"));
    let mut raw = Raw::new(bench.dial());
    assert!(raw.ask(&packet(3 << 16, b"user\0\0\0")).await[0].contains("28000 / no PostgreSQL user name"));
    let mut raw = Raw::new(bench.dial());
    let options = startup("squall", "options\0-c statement_timeout=70 --lock-timeout=9s\0");
    raw.ask(&options).await;
    let said = raw.ask(&super::raw::query("SHOW statement_timeout; SHOW lock_timeout")).await;
    assert_eq!((said[1].as_str(), said[4].as_str()), ("D 70ms", "D 9s"));
    let mut raw = Raw::new(bench.dial());
    let said = raw.ask(&startup("squall", "no_such\0x\0")).await;
    assert_eq!(said[1], "E FATAL / 42704 / unrecognized configuration parameter \"no_such\"");
}

#[tokio::test(start_paused = true)]
async fn a_sign_in_that_stalls_ends_after_a_minute_without_a_word() {
    let bench = Bench::new().await;
    for said_first in [&b""[..], &startup(ROLE, "")] {
        let mut raw = Raw::new(bench.dial());
        raw.send(said_first).await;
        let began = tokio::time::Instant::now();
        while raw.next().await != "FIN" {}
        assert_eq!(began.elapsed().as_secs(), 60);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_ready_says_so_in_the_words_of_the_version() {
    let starting = "FATAL 57P03 the database system is starting up";
    let replaying = "FATAL 57P03 the database system is not yet accepting connections / Consistent recovery state has \
                     not been yet reached.";
    for (major, later) in [(14, starting), (15, replaying)] {
        let bench = Bench::of(major).await;
        bench.server.stop(StopMode::Immediate).await.unwrap();
        assert_eq!(bench.refusal().await, "connection refused");
        bench.server.launch().unwrap();
        assert_eq!(bench.refusal().await, starting);
        tokio::time::sleep(ms(35)).await;
        assert_eq!(bench.refusal().await, later);
        bench.server.ready().await.unwrap();
        bench.client().await;
    }
}
