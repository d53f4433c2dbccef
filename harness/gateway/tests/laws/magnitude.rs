//! The magnitude of toxics: lower bounds are strict, upper bounds leave room for a slow, busy machine.

use std::time::Instant;

use super::*;

/// Sends bytes from the server to the client under a toxic; returns how long the transfer took.
async fn transfer(toxic: ToxicKind, bytes: usize) -> Duration {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.install(toxic).await;
    let sent = pattern(bytes);
    let began = Instant::now();
    let sending = {
        let sent = sent.clone();
        tokio::spawn(async move {
            server.write_all(&sent).await.unwrap();
            server
        })
    };
    let mut received = vec![0; bytes];
    in_time(client.read_exact(&mut received)).await.unwrap();
    let took = began.elapsed();
    assert!(received == sent);
    in_time(sending).await.unwrap();
    took
}

#[tokio::test]
async fn bytes_under_a_latency_do_not_wait_for_each_other() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.install(latency(250)).await;
    let chunks = 200;
    let receiving = tokio::spawn(async move {
        let mut received = Vec::new();
        for number in 0..chunks {
            assert_eq!(server.read_u8().await.unwrap(), number);
            received.push(Instant::now());
        }
        received
    });
    let mut sent = Vec::new();
    for number in 0..chunks {
        sent.push(Instant::now());
        client.write_all(&[number]).await.unwrap();
        sleep(ms(1)).await;
    }
    let received = in_time(receiving).await.unwrap();
    let mut late: Vec<_> = received.iter().zip(&sent).map(|(received, sent)| *received - *sent).collect();
    late.sort();
    assert!(late[0] >= ms(250), "{:?}", late[0]);
    // If each waited for the one before, 200 bytes would take 50 s.
    let median = late[late.len() / 2];
    assert!(median < ms(400), "{median:?}");
    // The bytes arrive spaced as they were sent.
    let (first, last) = (sent[0], sent[usize::from(chunks) - 1]);
    let spread = received[usize::from(chunks) - 1] - received[0];
    assert!(spread.abs_diff(last - first) < ms(200), "{spread:?}, sent over {:?}", last - first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_latency_does_not_slow_a_fast_stream_down() {
    // 16 MB in pieces of 64 kB, one after the other, would take 51 s.
    let took = transfer(latency(200), 16 << 20).await;
    assert!((ms(200)..ms(8_000)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_narrow_bandwidth_is_as_narrow_as_it_should_be() {
    let took = transfer(bandwidth(16_000), 16_000).await;
    assert!((ms(1_000)..ms(2_000)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_bandwidth_is_as_wide_as_it_should_be() {
    let took = transfer(bandwidth(50_000_000), 25_000_000).await;
    assert!((ms(500)..ms(2_500)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn sliced_bytes_arrive_piece_by_piece() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.install(slicer(10, 20)).await;
    client.write_all(&MESSAGE).await.unwrap();
    let began = Instant::now();
    let (mut received, mut pieces, mut largest) = (0, 0, 0);
    while received < MESSAGE.len() {
        let read = in_time(server.read(&mut [0; 1024])).await.unwrap();
        (received, pieces, largest) = (received + read, pieces + 1, largest.max(read));
        // A late reader gets several pieces together.
        assert!(received <= 10 * (began.elapsed().as_millis() as usize / 20 + 2), "{received} bytes too soon");
    }
    assert!((3..=10).contains(&pieces) && largest % 10 == 0, "{pieces} pieces, of up to {largest} bytes");
}

#[tokio::test]
async fn the_limit_is_exact_to_the_byte_and_both_sides_are_closed() {
    for bytes in [1, 999, 100_000] {
        let bench = GatewayBench::new().await;
        let (mut client, mut server) = bench.pair().await;
        assert_passes(&mut server, &mut client).await;
        let only = Toxic { stream: Stream::Downstream, ..limit(bytes).into() };
        bench.install(only).await;
        assert_passes(&mut client, &mut server).await;
        let sent = pattern(200_000);
        let sending = async {
            // The write may fail, because more bytes are sent than the limit passes.
            let _ = server.write_all(&sent).await;
            read_out(&mut server).await
        };
        let ((received, end), (_, other)) = in_time(async { tokio::join!(read_out(&mut client), sending) }).await;
        assert!(received == sent[..bytes as usize], "{} bytes", received.len());
        assert_eq!((end, other), (Ok(()), Ok(())));
        bench.endings(1).await;
    }
}

#[tokio::test]
async fn the_limit_that_is_reached_exactly_closes_too() {
    let bench = GatewayBench::new().await;
    let (mut client, mut server) = bench.pair().await;
    bench.install(limit(100)).await;
    client.write_all(&MESSAGE).await.unwrap();
    assert_eq!(read_out(&mut server).await, (MESSAGE.to_vec(), Ok(())));
    assert_fin(&mut client).await;
    assert_eq!(bench.endings(1).await, [(Severed::Closed, 100, 0)]);
}

/// Opens a connection whose peers do not read, and fills every buffer on the way.
async fn jam(bench: &GatewayBench) -> (TcpStream, TcpStream) {
    let (mut client, mut server) = bench.pair().await;
    for peer in [&mut client, &mut server] {
        let chunk = vec![7; 256 << 10];
        while timeout(ms(50), peer.write(&chunk)).await.is_ok() {}
    }
    (client, server)
}

#[tokio::test]
async fn reset_does_not_wait_for_slow_readers() {
    for stream in [Stream::Both, Stream::Upstream, Stream::Downstream] {
        let bench = GatewayBench::new().await;
        let peers = jam(&bench).await;
        bench.install(Toxic { stream, ..reset(20).into() }).await;
        until(|| bench.gateway.connections() == 0).await;
        for mut peer in [peers.0, peers.1] {
            assert_eq!(read_out(&mut peer).await.1, Err(io::ErrorKind::ConnectionReset), "{stream:?}");
        }
    }
}

#[tokio::test]
async fn closing_stall_does_not_wait_for_slow_readers() {
    for stream in [Stream::Both, Stream::Upstream, Stream::Downstream] {
        let bench = GatewayBench::new().await;
        let _peers = jam(&bench).await;
        bench.install(Toxic { stream, ..stall(20).into() }).await;
        until(|| bench.gateway.connections() == 0).await;
    }
}

#[tokio::test]
async fn toxic_on_an_ended_link_still_cuts() {
    for (toxic, cut) in [(reset(30), Cut::Reset), (stall(30), Cut::Close)] {
        for stream in [Stream::Upstream, Stream::Downstream] {
            let bench = GatewayBench::new().await;
            let (mut client, mut server) = bench.pair().await;
            // The link that the toxic touches has already ended.
            let (ended, other) =
                if stream == Stream::Upstream { (&mut client, &mut server) } else { (&mut server, &mut client) };
            ended.shutdown().await.unwrap();
            assert_fin(other).await;
            bench.install(Toxic { stream, ..toxic.into() }).await;
            assert_eq!(read_out(ended).await, (Vec::new(), by(cut)));
            until(|| bench.gateway.connections() == 0).await;
        }
    }
}
