//! Accepting, refusing and routing.

use super::*;

#[tokio::test(start_paused = true)]
async fn refused_clients_leave_open_connections_alone() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    // This client's connect has already succeeded, so it is accepted.
    let mut waiting = bench.connect().unwrap();
    for _ in 0..2 {
        bench.gateway.refuse().await.unwrap();
        assert_eq!(bench.connect().err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }
    let (mut behind, _) = bench.network.accept(&mut bench.server).await.unwrap();
    passes(&mut waiting, &mut behind).await;
    passes(&mut client, &mut server).await;
    for _ in 0..2 {
        bench.gateway.accept().await.unwrap();
    }
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
    let refusing = |event: &Event| match *event {
        Event::Refusing { on, .. } => Some(on),
        _ => None,
    };
    let told: Vec<_> = bench.recorder.look(|history| history.events.iter().filter_map(refusing).collect());
    assert_eq!(told, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn to_let_connects_hang_is_for_the_network() {
    let mut bench = HostBench::new();
    let error = bench.gateway.hang().await.unwrap_err();
    assert!(error.to_string().contains("packet filter"), "{error}");
    assert_eq!(bench.gateway.syns_dropped().await, 0);
    let (mut client, mut server) = bench.pair().await;
    passes(&mut client, &mut server).await;
}

#[tokio::test(start_paused = true)]
async fn port_in_use_is_an_error() {
    let bench = HostBench::new();
    let again = |at: &str| {
        let (network, tap) = (bench.network.clone(), Arc::new(bench.recorder.clone()));
        Gateway::open_on_host(network, at.parse().unwrap(), SERVER.parse().unwrap(), Seed(0), tap)
    };
    assert_eq!(again(GATEWAY).err().unwrap().kind(), io::ErrorKind::AddrInUse);
    again("10.0.0.2:5433").unwrap();
}

#[tokio::test(start_paused = true)]
async fn new_connections_are_led_elsewhere_and_old_ones_stay() {
    let mut bench = HostBench::new();
    let (mut client, mut server) = bench.pair().await;
    let elsewhere = "10.0.0.4:5432".parse().unwrap();
    let mut other = bench.network.listen(elsewhere).unwrap();
    bench.gateway.route_to(elsewhere);
    let mut moved = bench.connect().unwrap();
    let (mut there, _) = bench.network.accept(&mut other).await.unwrap();
    passes(&mut moved, &mut there).await;
    passes(&mut client, &mut server).await;
}
