//! What it costs.

use super::*;

/// Through a program on the servers' machine to another one there, as through a gateway to a server.
#[test]
#[ignore = "a measurement"]
fn the_cost_of_an_echo_through_a_proxy() {
    const ASKED: u32 = 20_000;
    let (spent, minute) = simulate(|network| async move {
        let host = network.servers();
        let mut front = host.listen(server()).unwrap();
        let mut back = host.listen("127.0.0.1:6000".parse().unwrap()).unwrap();
        let behind = back.address();
        tokio::spawn(async move {
            let (mut down, _) = host.accept(&mut front).await.unwrap();
            let mut up = host.connect(behind, SocketOptions::default()).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut down, &mut up).await;
        });
        tokio::spawn(async move { echo(host.accept(&mut back).await.unwrap().0) });
        let mut client = network.client().connect(server(), keepalive(60, 10, 5)).await.unwrap();
        ask(&mut client).await.unwrap();
        let began = std::time::Instant::now();
        for _ in 0..ASKED {
            ask(&mut client).await.unwrap();
        }
        let spent = began.elapsed();
        let began = std::time::Instant::now();
        for _ in 0..150 {
            ask(&mut client).await.unwrap();
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        (spent, began.elapsed())
    });
    println!("{:?} for an echo through a proxy, {minute:?} for a minute with 150 of them", spent / ASKED);
}
