//! Connections ended by their peers.

use super::*;
use crate::model::fault::{Stream, Toxic};

#[tokio::test]
async fn client_half_close_still_gets_the_whole_reply() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    client.write_all(b"ask").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_out(&mut server).await, (b"ask".to_vec(), Ok(())));
    assert_silence(&mut client).await;

    let reply = pattern(1 << 20);
    let sent = reply.clone();
    let sending = tokio::spawn(async move { server.write_all(&sent).await });
    let (received, end) = read_out(&mut client).await;
    assert_eq!(end, Ok(()));
    assert!(received == reply);
    sending.await.unwrap().unwrap();
    assert_eq!(bench.endings(1).await, [(Severed::ByClient, 3, 1 << 20)]);
}

#[tokio::test]
async fn server_half_close_still_gets_all_bytes() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    server.write_all(b"tell").await.unwrap();
    server.shutdown().await.unwrap();
    assert_eq!(read_out(&mut client).await, (b"tell".to_vec(), Ok(())));

    client.write_all(b"everything").await.unwrap();
    drop(client);
    assert_eq!(read_out(&mut server).await, (b"everything".to_vec(), Ok(())));
    assert_eq!(bench.endings(1).await, [(Severed::ByServer, 10, 4)]);
    assert_eq!(bench.gateway.connections(), 0);
}

#[tokio::test]
async fn close_of_an_idle_peer_is_a_fin_to_the_other() {
    let bench = GatewayBench::new().await;
    let (client, mut server) = bench.pair().await;
    drop(client);
    assert_fin(&mut server).await;
    drop(server);

    let (mut client, server) = bench.pair().await;
    drop(server);
    assert_fin(&mut client).await;
    drop(client);
    assert_eq!(bench.endings(2).await, [(Severed::ByClient, 0, 0), (Severed::ByServer, 0, 0)]);
}

#[tokio::test]
async fn a_reset_on_one_side_is_a_reset_on_the_other() {
    let bench = GatewayBench::new().await;
    let (client, mut server) = bench.pair().await;
    leave_by_rst(client);
    assert_rst(&mut server).await;

    let (mut client, server) = bench.pair().await;
    leave_by_rst(server);
    assert_rst(&mut client).await;
    assert_eq!(bench.endings(2).await, [(Severed::ClientReset, 0, 0), (Severed::ServerReset, 0, 0)]);
}

#[tokio::test]
async fn first_close_is_recorded_despite_a_later_reset() {
    let bench = GatewayBench::new().await;
    let (client, mut server) = bench.pair().await;
    drop(client);
    assert_fin(&mut server).await;
    // The client's kernel answers with RST, so the server must get an error.
    let broken = in_time(async {
        loop {
            if let Err(error) = server.write_all(b"are you there?").await {
                return error.kind();
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    assert!(matches!(broken, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset), "{broken:?}");
    assert_eq!(bench.endings(1).await[0].0, Severed::ByClient);
}

#[tokio::test]
async fn unreachable_server_is_an_rst_to_the_client() {
    let bench = GatewayBench::new().await;
    bench.gateway.route_to(unused_address().await);
    for _ in 0..20 {
        // The connection may be reset before the connect is observed.
        match TcpStream::connect(bench.gateway.address()).await {
            Ok(mut client) => match client.write_all(b"hello").await {
                Ok(()) => assert_rst(&mut client).await,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
            },
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
    assert_eq!(bench.endings(20).await, [(Severed::Unreachable, 0, 0); 20]);
}

#[tokio::test]
async fn new_connections_are_led_elsewhere_and_old_ones_stay() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    bench.gateway.route_to(other.local_addr().unwrap());
    let mut moved = bench.connect().await;
    let (mut there, _) = in_time(other.accept()).await.unwrap();
    assert_passes(&mut moved, &mut there).await;
    assert_passes(&mut client, &mut server).await;
    assert_passes(&mut server, &mut client).await;
}

#[tokio::test]
async fn latency_keeps_data_sent_before_client_close() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let kind = ToxicKind::Latency { delay: Duration::from_millis(300), jitter: Duration::ZERO };
    bench.install(Toxic { stream: Stream::Upstream, ..kind.into() }).await;
    client.write_all(b"COMMIT").await.unwrap();
    // Long enough for the gateway to have read it.
    sleep(Duration::from_millis(20)).await;
    drop(client);
    sleep(Duration::from_millis(20)).await;
    // The client's kernel answers these with RST, which arrives after the client's own bytes.
    for _ in 0..5 {
        let _ = server.write_all(b"notice").await;
        sleep(Duration::from_millis(5)).await;
    }
    let (received, _) = read_out(&mut server).await;
    assert_eq!(received, b"COMMIT");
}
