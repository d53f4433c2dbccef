//! Cut points on real sockets, with minimal sessions of the Postgres protocol.

use super::*;
use crate::gateway::{Cut, Rule, RuleKind};
use crate::model::fault::{CutPoint, Point, Strike};

/// Protocol 3.0, user "me".
const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
const AUTHENTICATION_OK: &[u8] = b"R\0\0\0\x08\0\0\0\0";
/// AuthenticationCleartextPassword.
const PASSWORD_REQUEST: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const PASSWORD: &[u8] = b"p\0\0\0\x0bsecret\0";
const READY: &[u8] = b"Z\0\0\0\x05I";
const IN_TRANSACTION: &[u8] = b"Z\0\0\0\x05T";
const SELECT: &[u8] = b"Q\0\0\0\x0dselect 1\0";
const COMMIT: &[u8] = b"Q\0\0\0\x0bcommit\0";
const COMMITTED: &[u8] = b"C\0\0\0\x0bCOMMIT\0";
/// A row with one column of ten bytes, 21 bytes in all.
const ROW: &[u8] = b"D\0\0\0\x14\0\x01\0\0\0\x0a0123456789";
const SELECTED: &[u8] = b"C\0\0\0\x0dSELECT 1\0";

async fn strike(bench: &GatewayBench, point: Point, strike: Strike, times: Option<u32>) -> Arc<Rule> {
    bench.install_rule(RuleKind::CutPoint(CutPoint { point, strike, times })).await
}

/// Sends bytes, and asserts that the other end receives them.
async fn send_and_expect(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    in_time(from.write_all(bytes)).await.unwrap();
    expect(to, bytes).await;
}

async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut received = vec![0; bytes.len()];
    in_time(stream.read_exact(&mut received)).await.unwrap();
    assert_eq!(received, bytes);
}

/// Opens a connection that is ready for its first query.
async fn session(bench: &GatewayBench) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = bench.pair().await;
    send_and_expect(&mut client, &mut server, STARTUP).await;
    send_and_expect(&mut server, &mut client, &[AUTHENTICATION_OK, READY].concat()).await;
    (client, server)
}

/// Strikes that end the connection, as its peers see them.
const ENDS: [(Strike, Cut); 2] = [(Strike::Reset, Cut::Reset), (Strike::Close, Cut::Close)];

#[tokio::test]
async fn first_reply_cut_leaves_the_query_with_the_server() {
    for (kind, cut) in ENDS {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = session(&bench).await;
        let rule = strike(&bench, Point::FirstReply, kind, None).await;
        send_and_expect(&mut client, &mut server, SELECT).await;
        server.write_all(&[ROW, SELECTED, READY].concat()).await.unwrap();
        assert_eq!(read_out(&mut client).await, (Vec::new(), peers::by(cut)));
        assert_eq!(read_out(&mut server).await, (Vec::new(), peers::by(cut)));
        assert_eq!(rule.tally.strikes(), 1);
    }
}

#[tokio::test]
async fn commit_reply_cut_hides_the_commit_from_the_client() {
    for (kind, cut) in ENDS {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = session(&bench).await;
        strike(&bench, Point::CommitReply, kind, None).await;
        // The replies of earlier statements pass.
        send_and_expect(&mut client, &mut server, SELECT).await;
        send_and_expect(&mut server, &mut client, &[ROW, SELECTED, IN_TRANSACTION].concat()).await;
        send_and_expect(&mut client, &mut server, COMMIT).await;
        server.write_all(&[COMMITTED, READY].concat()).await.unwrap();
        assert_eq!(read_out(&mut client).await, (Vec::new(), peers::by(cut)));
        assert_eq!(read_out(&mut server).await, (Vec::new(), peers::by(cut)));
    }
}

#[tokio::test]
async fn half_a_row_arrives_and_then_the_end() {
    for (kind, cut) in ENDS {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = session(&bench).await;
        strike(&bench, Point::DataRow, kind, None).await;
        send_and_expect(&mut client, &mut server, SELECT).await;
        server.write_all(&[ROW, SELECTED, READY].concat()).await.unwrap();
        let (received, end) = read_out(&mut client).await;
        assert!(ROW.starts_with(&received) && (6..ROW.len()).contains(&received.len()), "{received:?}");
        assert_eq!(end, peers::by(cut));
    }
}

#[tokio::test]
async fn latency_delays_the_cut_like_the_bytes_before_it() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = session(&bench).await;
    let delay = Duration::from_millis(200);
    bench.install(ToxicKind::Latency { delay, jitter: Duration::ZERO }).await;
    strike(&bench, Point::DataRow, Strike::Reset, None).await;
    client.write_all(SELECT).await.unwrap();
    expect(&mut server, SELECT).await;
    let sent = std::time::Instant::now();
    server.write_all(ROW).await.unwrap();
    let (received, end) = read_out(&mut client).await;
    assert!(sent.elapsed() >= delay && !received.is_empty());
    assert_eq!(end, peers::by(Cut::Reset));
}

#[tokio::test]
async fn hold_keeps_server_messages_until_removed() {
    let bench = GatewayBench::new().await;
    let rule = strike(&bench, Point::Authentication, Strike::Hold, None).await;
    let (mut client, mut server) = bench.pair().await;
    send_and_expect(&mut client, &mut server, STARTUP).await;
    server.write_all(PASSWORD_REQUEST).await.unwrap();
    assert_silence(&mut client).await;
    // Bytes in the other direction pass, and none of this direction overtakes the held ones.
    send_and_expect(&mut client, &mut server, PASSWORD).await;
    server.write_all(&[AUTHENTICATION_OK, READY].concat()).await.unwrap();
    assert_silence(&mut client).await;
    assert_eq!(rule.tally.strikes(), 1);
    bench.remove(&rule).await;
    expect(&mut client, &[PASSWORD_REQUEST, AUTHENTICATION_OK, READY].concat()).await;
}

#[tokio::test]
async fn hold_delivers_bytes_of_a_client_that_left() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = session(&bench).await;
    let rule = strike(&bench, Point::Request, Strike::Hold, None).await;
    client.write_all(SELECT).await.unwrap();
    drop(client);
    assert_silence(&mut server).await;
    bench.remove(&rule).await;
    assert_eq!(read_out(&mut server).await, (SELECT.to_vec(), Ok(())));
    drop(server);
    bench.assert_empty().await;
}

#[tokio::test]
async fn a_drop_swallows_one_message_and_nothing_else() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = session(&bench).await;
    strike(&bench, Point::Request, Strike::Drop, Some(1)).await;
    client.write_all(&[SELECT, COMMIT].concat()).await.unwrap();
    expect(&mut server, COMMIT).await;
    send_and_expect(&mut server, &mut client, &[COMMITTED, READY].concat()).await;
    send_and_expect(&mut client, &mut server, SELECT).await;

    let (mut client, mut server) = session(&bench).await;
    strike(&bench, Point::CommitReply, Strike::Drop, None).await;
    send_and_expect(&mut client, &mut server, COMMIT).await;
    server.write_all(&[COMMITTED, READY].concat()).await.unwrap();
    expect(&mut client, READY).await;
    send_and_expect(&mut client, &mut server, SELECT).await;
    send_and_expect(&mut server, &mut client, &[ROW, SELECTED, READY].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strikes_are_limited_over_all_connections_together() {
    const TIMES: usize = 7;
    let bench = Arc::new(GatewayBench::new().await);
    let mut sessions = Vec::new();
    for _ in 0..40 {
        sessions.push(session(&bench).await);
    }
    let rule = strike(&bench, Point::QueryForwarded, Strike::Reset, Some(TIMES as u32)).await;
    let ask = |(mut client, mut server): (TcpStream, TcpStream)| async move {
        client.write_all(SELECT).await.unwrap();
        let mut received = vec![0; SELECT.len()];
        server.read_exact(&mut received).await.unwrap();
        // A struck client gets no reply.
        let _ = server.write_all(READY).await;
        client.read_exact(&mut [0; 6]).await.is_ok()
    };
    let asking: Vec<_> = sessions.into_iter().map(|session| tokio::spawn(ask(session))).collect();
    let mut struck = 0;
    for answered in asking {
        struck += usize::from(!in_time(answered).await.unwrap());
    }
    assert_eq!((struck, rule.tally.strikes()), (TIMES, TIMES as u64));
}
