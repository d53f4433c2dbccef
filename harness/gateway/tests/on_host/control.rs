//! The door: who is refused, who is let in.

use super::*;

#[tokio::test(start_paused = true)]
async fn who_comes_while_it_refuses_is_refused_and_who_is_inside_stays() {
    let mut stage = Stage::new();
    let (mut client, mut server) = stage.pair().await;
    // It is connected, and so does not belong to those who are refused.
    let mut waiting = stage.connect().unwrap();
    for _ in 0..2 {
        stage.gateway.refuse().await.unwrap();
        assert_eq!(stage.connect().err().unwrap().kind(), io::ErrorKind::ConnectionRefused);
    }
    let (mut behind, _) = stage.network.accept(&mut stage.server).await.unwrap();
    passes(&mut waiting, &mut behind).await;
    passes(&mut client, &mut server).await;
    for _ in 0..2 {
        stage.gateway.accept().await.unwrap();
    }
    let (mut client, mut server) = stage.pair().await;
    passes(&mut client, &mut server).await;
    let refusing = |event: &Event| match *event {
        Event::Refusing { on, .. } => Some(on),
        _ => None,
    };
    let told: Vec<_> = stage.recorder.look(|history| history.events.iter().filter_map(refusing).collect());
    assert_eq!(told, [true, false]);
}

#[tokio::test(start_paused = true)]
async fn to_let_connects_hang_is_for_the_network() {
    let mut stage = Stage::new();
    let error = stage.gateway.hang().await.unwrap_err();
    assert!(error.to_string().contains("packet filter"), "{error}");
    assert_eq!(stage.gateway.syns_dropped().await, 0);
    let (mut client, mut server) = stage.pair().await;
    passes(&mut client, &mut server).await;
}

#[tokio::test(start_paused = true)]
async fn a_port_that_somebody_has_is_an_error() {
    let stage = Stage::new();
    let again = |at: &str| {
        let (network, tap) = (stage.network.clone(), Arc::new(stage.recorder.clone()));
        Gateway::open_on_host(network, at.parse().unwrap(), SERVER.parse().unwrap(), Seed(0), tap)
    };
    assert_eq!(again(GATEWAY).err().unwrap().kind(), io::ErrorKind::AddrInUse);
    again("10.0.0.2:5433").unwrap();
}

#[tokio::test(start_paused = true)]
async fn new_connections_are_led_elsewhere_and_old_ones_stay() {
    let mut stage = Stage::new();
    let (mut client, mut server) = stage.pair().await;
    let elsewhere = "10.0.0.4:5432".parse().unwrap();
    let mut other = stage.network.listen(elsewhere).unwrap();
    stage.gateway.route_to(elsewhere);
    let mut moved = stage.connect().unwrap();
    let (mut there, _) = stage.network.accept(&mut other).await.unwrap();
    passes(&mut moved, &mut there).await;
    passes(&mut client, &mut server).await;
}
