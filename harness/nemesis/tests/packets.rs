//! Packets that are dropped or rejected, as clients notice it: faults that only the kernel plane has, and others as
//! it carries them out.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::{PATIENCE, Stage};
use crate::environment::choice::ServerSource;
use crate::model::fault::IcmpCode;
use crate::model::history::Severed;
use crate::model::topology::Host;
use crate::netns::{ClientNetns, available};

/// Longer than an answer takes, and shorter than the second after which a SYN is sent again.
const SILENCE: Duration = Duration::from_millis(700);

/// A request that the server answers with one byte, without sign-in: `SSLRequest`.
const QUESTION: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// Returns the servers to test with; none, with a message, if an in-process client cannot be on the kernel plane.
async fn servers() -> Vec<ServerSource> {
    if let Err(reason) = &available().await.in_process {
        println!("skipped: {reason}");
        return Vec::new();
    }
    super::servers().await
}

/// Sets up a stage on the kernel plane, with these faults a second apart.
async fn stage(source: &ServerSource, faults: &[&str]) -> Stage {
    let mut text = "schema = 1\ntitle = \"t\"\n".to_owned();
    for (index, keys) in faults.iter().enumerate() {
        text += &format!("[[fault]]\nat = \"{}s\"\n{keys}\n", 2 + index);
    }
    Stage::set_on(Some(ClientNetns::Machine), source, &text).await
}

/// Opens a connection, and sends nothing.
async fn opened(stage: &Stage) -> TcpStream {
    timeout(PATIENCE, stage.environment.dial()).await.expect("no answer").expect("no connection")
}

/// Returns the result of a connect; `None` if there is none within [`SILENCE`].
async fn connecting(stage: &Stage) -> Option<io::Result<()>> {
    timeout(SILENCE, stage.environment.dial()).await.ok().map(|tried| tried.map(drop))
}

/// Returns the number of the error with which a connect fails.
async fn refusal(stage: &Stage) -> Option<i32> {
    let tried = timeout(PATIENCE, stage.environment.dial()).await.expect("silence");
    tried.expect_err("connected").raw_os_error()
}

/// Waits until received data is acknowledged, which a kernel delays by about 40 ms.
async fn settled() {
    sleep(Duration::from_millis(300)).await;
}

async fn ask(stream: &mut TcpStream) {
    stream.write_all(&QUESTION).await.unwrap();
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read_u8()).await.is_err()
}

async fn hears(stream: &mut TcpStream) -> io::Result<u8> {
    timeout(PATIENCE, stream.read_u8()).await.expect("silence")
}

/// Returns the count of one piece of evidence of the first fault.
async fn count(stage: &mut Stage, what: &str, decisive: bool) -> u64 {
    let found = stage.evidence(0).await;
    let named = found.iter().find(|found| found.what == what).unwrap_or_else(|| panic!("no {what} in {found:?}"));
    assert_eq!(named.decisive, decisive, "{what}");
    named.count
}

#[tokio::test]
async fn a_blackhole_takes_everything_and_gives_the_same_connections_back() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"blackhole\"\nfor = \"5s\""]).await;
        let mut old = opened(&stage).await;
        let session = stage.sign_in().await.unwrap();
        settled().await;
        stage.inject(0).await;
        assert_eq!(count(&mut stage, "packets dropped", true).await, 0, "{source}: evidence before any client met it");
        ask(&mut old).await;
        assert!(is_silent(&mut old).await && connecting(&stage).await.is_none(), "{source}");
        assert!(count(&mut stage, "packets dropped", true).await >= 2, "{source}");
        stage.heal(0).await;
        assert_eq!(hears(&mut old).await.unwrap(), b'N', "{source}");
        session.client.batch_execute("SELECT 1").await.unwrap();
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}

#[tokio::test]
async fn one_way_decides_whether_a_write_happens() {
    for source in servers().await {
        for (stream, happens) in [("downstream", 1_i64), ("upstream", 0)] {
            let mut stage =
                stage(&source, &[&format!("kind = \"blackhole\"\nfor = \"5s\"\nstream = \"{stream}\"")]).await;
            let session = stage.sign_in().await.unwrap();
            let superuser =
                stage.environment.server().superuser().unwrap().in_database(&stage.environment.address.database);
            let look = superuser.connect().await.unwrap();
            stage.inject(0).await;
            let write = session.client.batch_execute("INSERT INTO pgsquall_ledger (id) VALUES (1)");
            tokio::pin!(write);
            assert!(timeout(SILENCE, &mut write).await.is_err(), "{source}: {stream}");
            let rows = look.rows("SELECT count(*) FROM pgsquall_ledger", &[]).await.unwrap();
            assert_eq!(rows[0].get::<_, i64>(0), happens, "{source}: {stream}");
            assert!(connecting(&stage).await.is_none(), "{source}: {stream}");
            assert!(count(&mut stage, "packets dropped", true).await >= 2, "{source}: {stream}");
            stage.heal(0).await;
            timeout(PATIENCE, write).await.expect("silence").unwrap();
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn lost_packets_are_sent_again() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"packet-loss\"\nshare = 0.3\nfor = \"5s\""]).await;
        let session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        for _ in 0..20 {
            let asked = session.client.batch_execute("SELECT 1");
            timeout(PATIENCE, asked).await.expect("silence").unwrap();
        }
        stage.heal(0).await;
        // Of about sixty packets.
        let dropped = count(&mut stage, "packets dropped", true).await;
        assert!((3..60).contains(&dropped), "{source}: {dropped}");
        stage.close().await;
    }
}

#[tokio::test]
async fn who_is_in_goes_on_while_nobody_new_comes_in() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"blackhole\"\nconnections = \"new\"\nfor = \"5s\""]).await;
        let session = stage.sign_in().await.unwrap();
        stage.inject(0).await;
        for _ in 0..20 {
            timeout(PATIENCE, session.client.batch_execute("SELECT 1")).await.expect("silence").unwrap();
        }
        assert_eq!(count(&mut stage, "SYNs dropped", true).await, 0, "{source}");
        assert!(count(&mut stage, "packets let through", false).await >= 40, "{source}");
        assert!(connecting(&stage).await.is_none(), "{source}");
        assert!(count(&mut stage, "SYNs dropped", true).await >= 1, "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}

#[tokio::test]
async fn dead_flows_are_counted_one_by_one_and_new_ones_live() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"stall\"\nconnections = \"established\"\nfor = \"5s\""]).await;
        let (mut first, _second) = (opened(&stage).await, opened(&stage).await);
        stage.inject(0).await;
        assert_eq!(count(&mut stage, "flows withheld", true).await, 0, "{source}: none has tried to move");
        ask(&mut first).await;
        assert!(is_silent(&mut first).await, "{source}");
        let session = stage.sign_in().await.unwrap();
        session.client.batch_execute("SELECT 1").await.unwrap();
        assert_eq!(count(&mut stage, "flows withheld", true).await, 1, "{source}");
        stage.heal(0).await;
        assert_eq!(hears(&mut first).await.unwrap(), b'N', "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_reject_by_icmp_fails_connects_and_tears_nothing_down() {
    let codes = IcmpCode::ALL.map(|(word, _)| format!("kind = \"reject-icmp\"\ncode = \"{word}\"\nfor = \"1s\""));
    for source in servers().await {
        let mut stage = stage(&source, &codes.each_ref().map(String::as_str)).await;
        for (index, (word, code)) in IcmpCode::ALL.into_iter().enumerate() {
            let mut old = opened(&stage).await;
            stage.inject(index).await;
            let errno = match code {
                IcmpCode::PortUnreachable => libc::ECONNREFUSED,
                IcmpCode::NetUnreachable => libc::ENETUNREACH,
                _ => libc::EHOSTUNREACH,
            };
            assert_eq!(refusal(&stage).await, Some(errno), "{source}: {word}");
            ask(&mut old).await;
            assert!(is_silent(&mut old).await, "{source}: {word}");
            stage.heal(index).await;
            assert_eq!(hears(&mut old).await.unwrap(), b'N', "{source}: {word}");
        }
        assert!(count(&mut stage, "rejects sent", true).await >= 2, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn connects_hang_and_those_inside_are_reset() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"hang\"\nfor = \"5s\""]).await;
        let mut old = opened(&stage).await;
        stage.inject(0).await;
        assert_eq!(hears(&mut old).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{source}");
        assert_eq!(count(&mut stage, "SYNs dropped", true).await, 0, "{source}");
        assert!(connecting(&stage).await.is_none(), "{source}");
        assert!(count(&mut stage, "SYNs dropped", true).await >= 1, "{source}");
        assert_eq!(count(&mut stage, "sockets reset", false).await, 1, "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}

#[tokio::test]
async fn a_reject_answers_the_next_packet_also_a_keepalive_probe() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"reject\"\nfor = \"5s\""]).await;
        let (mut speaks, mut probes, mut silent) = (opened(&stage).await, opened(&stage).await, opened(&stage).await);
        let second = Duration::from_secs(1);
        let keepalive = TcpKeepalive::new().with_time(second).with_interval(second);
        SockRef::from(&probes).set_tcp_keepalive(&keepalive).unwrap();
        stage.inject(0).await;
        assert_eq!(refusal(&stage).await, Some(libc::ECONNREFUSED), "{source}");
        ask(&mut speaks).await;
        assert_eq!(hears(&mut speaks).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{source}");
        assert_eq!(hears(&mut probes).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{source}: a probe");
        assert_eq!(count(&mut stage, "RSTs sent", true).await, 3, "{source}");
        stage.heal(0).await;
        ask(&mut silent).await;
        assert_eq!(hears(&mut silent).await.unwrap(), b'N', "{source}: who was silent lives on");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_connection_half_open_is_told_nothing_until_it_speaks() {
    for source in servers().await {
        let mut stage = stage(&source, &["kind = \"half-open\""]).await;
        let (mut speaks, mut silent) = (opened(&stage).await, opened(&stage).await);
        let session = stage.sign_in().await.unwrap();
        settled().await;
        stage.inject(0).await;
        assert_eq!(stage.end_of(session.id).await, Severed::Reset, "{source}: the server's side is gone");
        assert!(is_silent(&mut speaks).await && !session.client.is_closed(), "{source}");
        assert_eq!(count(&mut stage, "connections half open", false).await, 3, "{source}");
        assert_eq!(count(&mut stage, "RSTs sent", true).await, 0, "{source}");
        ask(&mut speaks).await;
        assert_eq!(hears(&mut speaks).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{source}");
        assert_eq!(count(&mut stage, "RSTs sent", true).await, 1, "{source}");
        stage.sign_in().await.unwrap();
        // After ten seconds the filter's table has forgotten a connection that was reset.
        sleep(Duration::from_secs(11)).await;
        ask(&mut silent).await;
        assert_eq!(hears(&mut silent).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{source}");
        assert_eq!(count(&mut stage, "RSTs sent", true).await, 2, "{source}");
        stage.close().await;
    }
}

#[tokio::test]
async fn a_dead_address_is_silent_and_the_other_answers() {
    let text = "schema = 1\ntitle = \"t\"\n[client]\nhosts = [\"nobody\", \"primary\"]\n\
                [[fault]]\nkind = \"dead-address-hangs\"\nat = \"0s\"\nfor = \"1s\"\n";
    for source in servers().await {
        let mut stage = Stage::set_on(Some(ClientNetns::Machine), &source, text).await;
        stage.inject(0).await;
        assert!(connecting(&stage).await.is_none(), "{source}");
        let second = stage.environment.gateway_of(Host::Primary).unwrap().address();
        let _session = stage.sign_in_at(second).await.unwrap();
        stage.heal(0).await;
        assert!(connecting(&stage).await.is_none(), "{source}: nothing is mended");
        assert!(count(&mut stage, "SYNs dropped", true).await >= 2, "{source}");
        stage.close().await;
    }
}
