//! Resets, closes, refusals and what a stall leaves.

use super::*;

#[tokio::test]
async fn a_reset_on_an_open_connection_arrives_as_rst() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    assert_passes(&mut client, &mut server).await;
    assert_passes(&mut server, &mut client).await;
    assert_eq!(bench.gateway.cut(Cut::Reset).await, 1);
    assert_rst(&mut client).await;
    assert_rst(&mut server).await;
}

#[tokio::test]
async fn an_idle_connection_is_reset_at_once() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let rule = bench.install(ToxicKind::Reset { after: Duration::ZERO }).await;
    // Neither has sent anything, and neither does.
    assert_rst(&mut client).await;
    assert_rst(&mut server).await;
    assert_eq!((rule.tally.strikes(), rule.tally.bytes()), (1, 0));
}

#[tokio::test]
async fn a_stall_that_is_removed_delivers_what_it_held_on_the_same_connection() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let ports = (client.local_addr().unwrap(), server.peer_addr().unwrap());
    let stall = bench.stall().await;
    client.write_all(b"held").await.unwrap();
    assert_silence(&mut server).await;
    bench.remove(&stall).await;
    let mut heard = [0; 4];
    in_time(server.read_exact(&mut heard)).await.unwrap();
    assert_eq!(&heard, b"held");
    assert_passes(&mut server, &mut client).await;
    assert_eq!((client.local_addr().unwrap(), server.peer_addr().unwrap()), ports);
    assert_eq!(bench.opened(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_looks_refused_and_not_accepted_and_left() {
    let bench = Bench::new().await;
    bench.gateway.refuse().await.unwrap();
    let error = in_time(TcpStream::connect(bench.gateway.address())).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    assert_eq!(bench.opened(), 0);
}

#[tokio::test]
async fn who_has_nothing_more_to_say_still_hears_the_reply() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_out(&mut server).await, (b"question".to_vec(), Ok(())));
    assert_silence(&mut client).await;
    server.write_all(b"answer").await.unwrap();
    drop(server);
    assert_eq!(read_out(&mut client).await, (b"answer".to_vec(), Ok(())));
}

#[tokio::test]
async fn a_client_that_closes_cleanly_is_seen_to_by_fin() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    client.write_all(b"goodbye").await.unwrap();
    drop(client);
    assert_eq!(read_out(&mut server).await, (b"goodbye".to_vec(), Ok(())));
    drop(server);
    assert_eq!(bench.endings(1).await, [(Severed::ByClient, 7, 0)]);
}

#[tokio::test]
async fn what_a_client_said_under_a_latency_before_it_went_arrives_though_the_server_goes_on_talking() {
    let bench = Bench::new().await;
    let (mut client, mut server) = bench.pair().await;
    let upstream = crate::model::fault::Stream::Upstream;
    let kind = ToxicKind::Latency { delay: Duration::from_millis(300), jitter: Duration::ZERO };
    bench.install(crate::model::fault::Toxic { stream: upstream, ..kind.into() }).await;
    client.write_all(b"COMMIT").await.unwrap();
    // Long enough for the gateway to have read it.
    sleep(Duration::from_millis(20)).await;
    drop(client);
    sleep(Duration::from_millis(20)).await;
    // The client's kernel answers these with RST, which travels behind what the client has said.
    for _ in 0..5 {
        let _ = server.write_all(b"notice").await;
        sleep(Duration::from_millis(5)).await;
    }
    let (heard, _) = read_out(&mut server).await;
    assert_eq!(heard, b"COMMIT");
}

#[tokio::test]
async fn a_reset_does_not_wait_until_the_server_has_answered_a_connect() {
    let bench = Bench::new().await;
    let full = FullServer::new().await;
    bench.gateway.route_to(full.address);
    let began = std::time::Instant::now();
    let mut client = bench.connect().await;
    let after = Duration::from_millis(100);
    bench.install(ToxicKind::Reset { after }).await;
    assert_rst(&mut client).await;
    // The gateway itself would wait for 10 s.
    assert!((after..Duration::from_secs(8)).contains(&began.elapsed()));
    assert_eq!(bench.endings(1).await, [(Severed::Reset, 0, 0)]);
}

#[tokio::test]
async fn toxics_end_a_connection_as_they_do_though_its_server_cannot_be_reached() {
    let after = Duration::from_millis(50);
    for (kind, cut) in
        [(ToxicKind::Stall { close_after: Some(after) }, Cut::Close), (ToxicKind::Reset { after }, Cut::Reset)]
    {
        let bench = Bench::new().await;
        bench.gateway.route_to(nobody_listens().await);
        bench.install(kind).await;
        let mut client = bench.connect().await;
        assert_eq!(read_out(&mut client).await, (Vec::new(), peers::by(cut)));
        let by = if cut == Cut::Close { Severed::Closed } else { Severed::Reset };
        assert_eq!(bench.endings(1).await, [(by, 0, 0)]);
    }
}
