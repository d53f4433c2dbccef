//! A toxic that does nothing, or no longer, changes nothing.

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

/// Single bytes, megabytes both ways at once, and an end that each direction has of its own.
async fn assert_transparent((mut client, mut server): (TcpStream, TcpStream)) {
    for byte in 0..20 {
        in_time(client.write_all(&[byte])).await.unwrap();
        assert_eq!(in_time(server.read_u8()).await.unwrap(), byte);
        in_time(server.write_all(&[byte])).await.unwrap();
        assert_eq!(in_time(client.read_u8()).await.unwrap(), byte);
    }
    let (up, down) = (pattern(3 << 20), pattern((2 << 20) + 321));
    let ask = async {
        client.write_all(&up).await.unwrap();
        client.shutdown().await.unwrap();
    };
    let hear = async { read_out(&mut server).await };
    let ((), (heard, end)) = in_time(async { tokio::join!(ask, hear) }).await;
    assert!(end == Ok(()) && heard == up, "{} of {} bytes upstream, {end:?}", heard.len(), up.len());
    // The client has nothing more to say, and hears the whole reply.
    let reply = async {
        server.write_all(&down).await.unwrap();
        drop(server);
    };
    let hear = async { read_out(&mut client).await };
    let ((), (heard, end)) = in_time(async { tokio::join!(reply, hear) }).await;
    assert!(end == Ok(()) && heard == down, "{} of {} bytes downstream, {end:?}", heard.len(), down.len());
}
