//! Connections that the nemesis ends.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use super::*;
use crate::gateway::Cut;

/// Bound for "at once" on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn idle_connections_are_reset_on_both_sides_at_once() {
    let bench = GatewayBench::new().await;
    let (clients, servers) = bench.pairs(10).await;
    let began = Instant::now();
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 10);
    assert_eq!(bench.gateway.connections(), 0);
    for mut stream in clients.into_iter().chain(servers) {
        assert_rst(&mut stream).await;
    }
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!(bench.endings(10).await, [(Severed::Reset, 0, 0); 10]);
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 0, "nothing is left to cut");
}

#[tokio::test]
async fn idle_connections_are_closed_on_both_sides_by_fin() {
    let bench = GatewayBench::new().await;
    let (clients, servers) = bench.pairs(10).await;
    let began = Instant::now();
    assert_eq!(bench.gateway.cut(Cut::Close).await, 10);
    assert_eq!(bench.gateway.connections(), 0);
    for mut stream in clients.into_iter().chain(servers) {
        assert_fin(&mut stream).await;
    }
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!(bench.endings(10).await, [(Severed::Closed, 0, 0); 10]);
}

/// Writes until every buffer on the way is full, because the peer does not read.
async fn fill(stream: &mut TcpStream) -> u64 {
    let chunk = vec![7; 64 << 10];
    let mut written = 0;
    while let Ok(length) = timeout(WATCH, stream.write(&chunk)).await {
        written += length.unwrap() as u64;
    }
    written
}

#[tokio::test]
async fn bytes_unread_and_unsent_do_not_hold_up_a_reset() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let written = (fill(&mut client).await, fill(&mut server).await);
    let began = Instant::now();
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 1);
    for (stream, written) in [(&mut client, written.1), (&mut server, written.0)] {
        let (received, end) = read_out(stream).await;
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset), "after {} bytes", received.len());
        assert!((received.len() as u64) < written, "what was unsent is lost");
    }
    assert!(began.elapsed() < AT_ONCE);
    let (by, up, down) = bench.endings(1).await[0];
    assert_eq!(by, Severed::Reset);
    assert!((1..written.0).contains(&up) && (1..written.1).contains(&down));
}

/// Sends and reads until the stream ends; returns how it ended.
async fn talk_and_listen(stream: TcpStream) -> Result<(), io::ErrorKind> {
    async fn talk(mut to: impl AsyncWrite + Unpin) {
        let chunk = vec![7; 16 << 10];
        while to.write_all(&chunk).await.is_ok() {}
        std::future::pending().await
    }
    async fn listen(mut to: impl AsyncRead + Unpin) -> Result<(), io::ErrorKind> {
        let mut chunk = vec![0; 16 << 10];
        loop {
            match to.read(&mut chunk).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error.kind()),
            }
        }
    }
    let (read, write) = stream.into_split();
    tokio::select! {
        end = listen(read) => end,
        () = talk(write) => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn close_sends_fin_during_a_transfer() {
    let bench = GatewayBench::new().await;
    for _ in 0..15 {
        let (client, server) = bench.pair().await;
        let (client, server) = (tokio::spawn(talk_and_listen(client)), tokio::spawn(talk_and_listen(server)));
        sleep(Duration::from_millis(10)).await;
        assert_eq!(bench.gateway.cut(Cut::Close).await, 1);
        assert_eq!(in_time(client).await.unwrap(), Ok(()), "the client's end");
        assert_eq!(in_time(server).await.unwrap(), Ok(()), "the server's end");
    }
    assert!(bench.endings(15).await.iter().all(|(by, ..)| *by == Severed::Closed));
}

#[tokio::test]
async fn close_sends_fin_despite_unread_bytes() {
    let bench = GatewayBench::new().await;
    for _ in 0..20 {
        let (mut client, mut server) = bench.pair().await;
        let stall = bench.stall().await;
        // The gateway reads and holds the first write; the second stays in the kernel.
        for _ in 0..2 {
            client.write_all(b"up").await.unwrap();
            server.write_all(b"down").await.unwrap();
            sleep(Duration::from_millis(3)).await;
        }
        assert_eq!(bench.gateway.cut(Cut::Close).await, 1);
        assert_fin(&mut client).await;
        assert_fin(&mut server).await;
        bench.gateway.remove(&stall).await;
    }
    assert_eq!(bench.endings(20).await, [(Severed::Closed, 0, 0); 20]);
}

#[tokio::test]
async fn write_after_a_close_fails() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    assert_eq!(bench.gateway.cut(Cut::Close).await, 1);
    for stream in [&mut client, &mut server] {
        in_time(async {
            while stream.write_all(b"?").await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn bytes_written_before_a_close_precede_the_fin() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let written = fill(&mut server).await;
    assert_eq!(bench.gateway.cut(Cut::Close).await, 1);
    drop(server);
    let (received, end) = read_out(&mut client).await;
    assert_eq!(end, Ok(()));
    let (by, _, down) = bench.endings(1).await[0];
    assert_eq!((by, down), (Severed::Closed, received.len() as u64), "of {written} bytes");
}

#[tokio::test]
async fn cut_covers_connections_in_the_accept_queue() {
    let bench = GatewayBench::new().await;
    // The gateway may not have accepted these yet.
    let clients: Vec<_> = (0..20).map(|_| std::net::TcpStream::connect(bench.gateway.address()).unwrap()).collect();
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 20);
    for client in clients {
        client.set_nonblocking(true).unwrap();
        assert_rst(&mut TcpStream::from_std(client).unwrap()).await;
    }
}

#[tokio::test]
async fn cut_covers_connections_still_connecting() {
    let bench = GatewayBench::new().await;
    let full = FullServer::new().await;
    bench.gateway.route_to(full.address);
    for (cut, by) in [(Cut::Reset, Severed::Reset), (Cut::Close, Severed::Closed)] {
        let mut client = bench.connect().await;
        assert_silence(&mut client).await;
        assert_eq!(bench.gateway.connections(), 1);
        assert_eq!(bench.gateway.cut(cut).await, 1);
        match cut {
            Cut::Reset => assert_rst(&mut client).await,
            Cut::Close => assert_fin(&mut client).await,
        }
        assert_eq!(bench.endings(bench.opened()).await.last(), Some(&(by, 0, 0)));
    }
}

#[tokio::test]
async fn reset_toxic_ends_an_idle_connection_at_once() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.install(ToxicKind::Reset { after: Duration::ZERO }).await;
    // Neither peer sends anything.
    assert_rst(&mut client).await;
    assert_rst(&mut server).await;
    assert_eq!((rule.tally.strikes(), rule.tally.bytes()), (1, 0));
}

#[tokio::test]
async fn reset_toxic_does_not_wait_for_the_server_connect() {
    let bench = GatewayBench::new().await;
    let full = FullServer::new().await;
    bench.gateway.route_to(full.address);
    let began = Instant::now();
    let mut client = bench.connect().await;
    let after = Duration::from_millis(100);
    bench.install(ToxicKind::Reset { after }).await;
    assert_rst(&mut client).await;
    // Without the toxic the gateway would wait 10 s for the connect.
    assert!((after..Duration::from_secs(8)).contains(&began.elapsed()));
    assert_eq!(bench.endings(1).await, [(Severed::Reset, 0, 0)]);
}

#[tokio::test]
async fn toxics_end_a_connection_without_a_server() {
    let after = Duration::from_millis(50);
    for (kind, cut) in
        [(ToxicKind::Stall { close_after: Some(after) }, Cut::Close), (ToxicKind::Reset { after }, Cut::Reset)]
    {
        let bench = GatewayBench::new().await;
        bench.gateway.route_to(unused_address().await);
        bench.install(kind).await;
        let mut client = bench.connect().await;
        assert_eq!(read_out(&mut client).await, (Vec::new(), by(cut)));
        let severed = if cut == Cut::Close { Severed::Closed } else { Severed::Reset };
        assert_eq!(bench.endings(1).await, [(severed, 0, 0)]);
    }
}
