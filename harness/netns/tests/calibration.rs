//! Which socket option notices which fault, after what time, and with which error: the plane is compared with
//! measurements of Linux by raw sockets.
//!
//! The tests mostly wait. Times count from the last packet that arrived, or from the connect; upper bounds leave room
//! for a busy machine, lower ones do not.

use std::io;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::{PacketRule, Way};
use super::{NetnsBench, assert_passes, blackhole, rule};

/// The value of `TCP_USER_TIMEOUT`.
const USER_TIMEOUT: Duration = Duration::from_secs(2);

/// Sets keepalive: a probe after one idle second, then one each second; after two without an answer the connection
/// ends.
fn keepalive(socket: &SockRef<'_>) {
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new().with_time(second).with_interval(second).with_retries(2);
    socket.set_tcp_keepalive(&keepalive).unwrap();
}

fn user_timeout(socket: &SockRef<'_>) {
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT)).unwrap();
}

/// Returns how a connection ends; `None` if it does not end within this time.
async fn end(stream: &mut TcpStream, within: Duration) -> Option<io::Result<usize>> {
    timeout(within, stream.read(&mut [0; 16])).await.ok()
}

/// Returns the number of the error; `None` if there was none.
fn number(ended: Option<io::Result<usize>>) -> Option<i32> {
    ended.and_then(|read| read.err()).and_then(|error| error.raw_os_error())
}

#[track_caller]
fn within(took: Duration, least: f64, most: f64) {
    assert!((least..most).contains(&took.as_secs_f64()), "after {took:?}, not {least} s to {most} s");
}

/// Returns rules that reject the client's packets, and drop those of the server.
fn reject(verdict: &'static str) -> [PacketRule; 2] {
    [rule(Way::Up, "ip protocol tcp", verdict), rule(Way::Down, "", "drop")]
}

#[tokio::test]
async fn keepalive_finds_an_idle_connection_dead() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(keepalive).await;
    assert_passes(&mut server, &mut client).await;
    let last = Instant::now();
    bench.kernel.install(&blackhole()).await.unwrap();
    assert_eq!(number(end(&mut client, Duration::from_secs(20)).await), Some(libc::ETIMEDOUT));
    within(last.elapsed(), 2.5, 8.0);
}

#[tokio::test]
async fn user_timeout_ends_connections_with_unacked_data() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(user_timeout).await;
    assert_passes(&mut client, &mut server).await;
    bench.kernel.install(&blackhole()).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    let sent = Instant::now();
    assert_eq!(number(end(&mut client, Duration::from_secs(20)).await), Some(libc::ETIMEDOUT));
    within(sent.elapsed(), 1.5, 6.0);
}

#[tokio::test]
async fn user_timeout_alone_finds_no_idle_connection() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(user_timeout).await;
    assert_passes(&mut server, &mut client).await;
    bench.kernel.install(&blackhole()).await.unwrap();
    assert!(end(&mut client, Duration::from_secs(6)).await.is_none(), "it sends nothing that could be missed");
}

#[tokio::test]
async fn keepalive_is_silent_while_data_is_in_flight() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(keepalive).await;
    assert_passes(&mut server, &mut client).await;
    bench.kernel.install(&blackhole()).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    assert!(end(&mut client, Duration::from_secs(10)).await.is_none(), "retransmission has its own, long patience");
}

#[tokio::test]
async fn a_dropped_connect_hangs() {
    let Some(bench) = NetnsBench::new().await else { return };
    bench.kernel.install(&blackhole()).await.unwrap();
    let began = Instant::now();
    let (plain, limited) = tokio::join!(timeout(Duration::from_secs(3), bench.dial(|_| {})), async {
        let connected = timeout(Duration::from_secs(20), bench.dial(user_timeout)).await;
        (connected.unwrap(), began.elapsed())
    });
    assert!(plain.is_err(), "it has an answer: {plain:?}");
    assert_eq!(limited.0.unwrap_err().raw_os_error(), Some(libc::ETIMEDOUT));
    within(limited.1, 1.5, 6.0);
}

#[tokio::test]
async fn rejected_connect_fails_at_once() {
    let Some(bench) = NetnsBench::new().await else { return };
    for (verdict, told) in [
        ("reject with tcp reset", libc::ECONNREFUSED),
        ("reject with icmp type port-unreachable", libc::ECONNREFUSED),
        ("reject with icmp type host-unreachable", libc::EHOSTUNREACH),
        ("reject with icmp type admin-prohibited", libc::EHOSTUNREACH),
        ("reject with icmp type host-prohibited", libc::EHOSTUNREACH),
        ("reject with icmp type net-unreachable", libc::ENETUNREACH),
    ] {
        let filter = bench.kernel.install(&reject(verdict)).await.unwrap();
        let began = Instant::now();
        let connected = timeout(Duration::from_secs(20), bench.dial(|_| {})).await.unwrap();
        assert_eq!(connected.unwrap_err().raw_os_error(), Some(told), "{verdict}");
        println!("{verdict}: {:?}", began.elapsed());
        // The SYN would be sent again after a second, so the first one was answered.
        within(began.elapsed(), 0.0, 0.9);
        assert!(bench.kernel.count(&filter).await.unwrap()[0].1 >= 1);
        bench.kernel.remove(&filter).await.unwrap();
    }
    drop(bench.connect(|_| {}).await);
}

#[tokio::test]
async fn reset_ends_a_connection_with_its_next_packet() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut busy, mut at_busy) = bench.connect(|_| {}).await;
    let (mut idle, mut at_idle) = bench.connect(|_| {}).await;
    let (mut probing, mut at_probing) = bench.connect(keepalive).await;
    assert_passes(&mut at_busy, &mut busy).await;
    assert_passes(&mut at_idle, &mut idle).await;
    assert_passes(&mut at_probing, &mut probing).await;
    let last = Instant::now();
    bench.kernel.install(&reject("reject with tcp reset")).await.unwrap();
    busy.write_all(b"lost").await.unwrap();
    let sent = Instant::now();
    assert_eq!(number(end(&mut busy, Duration::from_secs(20)).await), Some(libc::ECONNRESET));
    within(sent.elapsed(), 0.0, 1.0);
    // A keepalive probe is a packet as well; a connection without probes notices nothing.
    let probed = async { (end(&mut probing, Duration::from_secs(20)).await, last.elapsed()) };
    let ((probed, after), silent) = tokio::join!(probed, end(&mut idle, Duration::from_secs(4)));
    assert_eq!(number(probed), Some(libc::ECONNRESET));
    assert!(silent.is_none());
    within(after, 0.9, 20.0);
}

#[tokio::test]
async fn icmp_changes_only_the_error_of_a_later_timeout() {
    let cases = [
        ("reject with icmp type port-unreachable", libc::ECONNREFUSED),
        ("reject with icmp type host-unreachable", libc::EHOSTUNREACH),
        ("reject with icmp type admin-prohibited", libc::EHOSTUNREACH),
        ("reject with icmp type host-prohibited", libc::EHOSTUNREACH),
        ("reject with icmp type net-unreachable", libc::ENETUNREACH),
    ];
    let attempts = cases.map(|(verdict, told)| async move {
        let Some(bench) = NetnsBench::new().await else { return };
        let (mut limited, mut at_limited) = bench.connect(user_timeout).await;
        let (mut plain, mut at_plain) = bench.connect(|_| {}).await;
        assert_passes(&mut limited, &mut at_limited).await;
        assert_passes(&mut plain, &mut at_plain).await;
        bench.kernel.install(&reject(verdict)).await.unwrap();
        limited.write_all(b"lost").await.unwrap();
        plain.write_all(b"lost").await.unwrap();
        let sent = Instant::now();
        let first = async { (end(&mut limited, Duration::from_secs(20)).await, sent.elapsed()) };
        let ((first, after), second) = tokio::join!(first, end(&mut plain, Duration::from_secs(5)));
        assert!(second.is_none(), "{verdict} alone has ended it: {second:?}");
        assert_eq!(number(first), Some(told), "{verdict}");
        within(after, 1.5, 10.0);
    });
    join_all(attempts).await;
}

#[tokio::test]
async fn a_stall_is_nothing_to_the_kernel() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, server) = bench
        .connect(|socket| {
            keepalive(socket);
            user_timeout(socket);
        })
        .await;
    // The server's end never reads, but its kernel acknowledges data and answers probes.
    client.write_all(b"word").await.unwrap();
    assert!(end(&mut client, Duration::from_secs(6)).await.is_none());
    client.write_all(b"more").await.unwrap();
    drop(server);
}

#[tokio::test]
async fn a_healed_connection_works_again() {
    let Some(bench) = NetnsBench::new().await else { return };
    let (mut client, mut server) = bench.connect(|_| {}).await;
    let filter = bench.kernel.install(&blackhole()).await.unwrap();
    client.write_all(b"late").await.unwrap();
    let mut word = [0; 4];
    assert!(timeout(Duration::from_secs(1), server.read_exact(&mut word)).await.is_err(), "it came through");
    bench.kernel.remove(&filter).await.unwrap();
    // TCP sends it again, after a pause that has doubled several times.
    timeout(Duration::from_secs(10), server.read_exact(&mut word)).await.unwrap().unwrap();
    assert_eq!(&word, b"late");
    assert_passes(&mut server, &mut client).await;
}
