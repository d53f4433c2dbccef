//! Transparency: a weak or removed toxic changes nothing.

use super::*;

pub async fn law(case: Case) {
    if let Some(weak) = case.weak {
        let bench = GatewayBench::new().await;
        let open = bench.pair().await;
        bench.install(weak).await;
        assert_transparent(open).await;
        assert_transparent(bench.pair().await).await;
        bench.assert_empty().await;
    }
    let bench = GatewayBench::new().await;
    let open = bench.pair().await;
    let rule = bench.install(case.endless).await;
    let (client, server) = bench.pair().await;
    bench.remove(&rule).await;
    assert_transparent(open).await;
    assert_transparent((client, server)).await;
    bench.assert_empty().await;
    assert_eq!(bench.doubts(), 0);
}

/// Sends single bytes both ways, then megabytes up and FIN, then megabytes down and FIN; asserts that all arrive.
async fn assert_transparent((mut client, mut server): (TcpStream, TcpStream)) {
    for byte in 0..20 {
        in_time(client.write_all(&[byte])).await.unwrap();
        assert_eq!(in_time(server.read_u8()).await.unwrap(), byte);
        in_time(server.write_all(&[byte])).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), byte);
    }
    let (up, down) = (pattern(3 << 20), pattern((2 << 20) + 321));
    let send = async {
        client.write_all(&up).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let receive = async { read_out(&mut server).await };
    let ((), (received, end)) = in_time(async { tokio::join!(send, receive) }).await;
    assert!(end == Ok(()) && received == up, "{} of {} bytes upstream, {end:?}", received.len(), up.len());
    // The client has half-closed, and receives the whole reply.
    let reply = async {
        server.write_all(&down).await.unwrap();
        drop(server);
    };
    let receive = async { read_out(&mut client).await };
    let ((), (received, end)) = in_time(async { tokio::join!(reply, receive) }).await;
    assert!(end == Ok(()) && received == down, "{} of {} bytes downstream, {end:?}", received.len(), down.len());
}
