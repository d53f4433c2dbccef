//! Lost packets and their retransmission.

use super::*;
use crate::gateway::transport::Dialer;
use crate::model::fault::Share;

/// Sends through a blackhole of this duration; returns the time from its start to the answer. *Units*: seconds.
fn answered_after(hole: FilterRule, lasts: Duration) -> f64 {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        echo(server);
        ask(&mut client).await.unwrap();
        tokio::time::sleep(seconds(1)).await;
        let filter = network.filter();
        let rule = filter.install(hole, None).unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            filter.remove(rule).unwrap();
        });
        let (answer, took) = timed(ask(&mut client)).await;
        answer.unwrap();
        assert!(counted(&network, rule, "packets dropped") > 0);
        took
    })
}

#[test]
fn healed_blackhole_delivers_at_next_retransmission() {
    // Retransmissions (RTO 0.202 s, doubled): at 0.202, 0.606, 1.414, 3.03 and 6.262 s.
    assert_eq!(answered_after(HOLE, seconds(5)), 6.264);
}

#[test]
fn longer_blackhole_has_longer_retransmission_gap() {
    // Further retransmissions: at 12.726, 25.654 and 51.51 s.
    assert_eq!(answered_after(HOLE, seconds(30)), 51.512);
}

#[test]
fn one_way_blackhole_delays_the_reply() {
    let one_way = |stream| FilterRule::Blackhole { stream, scope: Scope::Every };
    assert_eq!(answered_after(one_way(Stream::Upstream), seconds(5)), 6.264);
    // The request arrives; its acknowledgement and the answer are lost. The next retransmission of either side
    // delivers both.
    let down = answered_after(one_way(Stream::Downstream), seconds(5));
    assert!((6.25..6.3).contains(&down), "{down}");
}

#[test]
fn read_without_keepalive_waits_through_blackhole() {
    simulate(|network| async move {
        let (mut client, _server) = pair(&network, SocketOptions::default()).await;
        network.filter().install(HOLE, None).unwrap();
        let waiting = tokio::time::timeout(seconds(3600), client.read_u8()).await;
        assert!(waiting.is_err(), "{waiting:?}");
    });
}

#[test]
fn unacknowledged_data_end_after_fifteen_retransmissions() {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        echo(server);
        network.filter().install(HOLE, None).unwrap();
        let (error, took) = timed(ask(&mut client)).await;
        assert_eq!(errno(error), libc::ETIMEDOUT);
        assert!((924.0..936.0).contains(&took), "{took}");
    });
}

#[test]
fn connect_through_blackhole_fails_after_131_seconds() {
    simulate(|network| async move {
        let _listener = network.servers().listen(server()).unwrap();
        let rule = network.filter().install(HOLE, None).unwrap();
        let (error, took) = timed(network.client().connect(server(), SocketOptions::default())).await;
        assert_eq!((errno(error), took), (libc::ETIMEDOUT, 131.0));
        assert_eq!(counted(&network, rule, "packets dropped"), 11);
        let (error, took) = timed(network.client().connect((UNUSED_ADDRESS, 1).into(), SocketOptions::default())).await;
        assert_eq!((errno(error), took), (libc::ETIMEDOUT, 131.0));
        let (error, took) = timed(network.client().connect((UNUSED_ADDRESS, 1).into(), user_timeout(5))).await;
        assert_eq!((errno(error), took), (libc::ETIMEDOUT, 5.0));
        assert_eq!(network.flows().unwrap(), []);
    });
}

#[test]
fn handshake_survives_loss_of_each_packet() {
    for (stream, lasts) in [(Stream::Upstream, 500), (Stream::Downstream, 500), (Stream::Both, 2500)] {
        simulate(|network| async move {
            let host = network.servers();
            let mut listener = host.listen(server()).unwrap();
            let filter = network.filter();
            let rule = filter.install(FilterRule::Blackhole { stream, scope: Scope::Every }, None).unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(lasts)).await;
                filter.remove(rule).unwrap();
            });
            let caller = network.client();
            let (pair, took) = timed(async {
                tokio::join!(caller.connect(server(), SocketOptions::default()), host.accept(&mut listener))
            })
            .await;
            let expected = if lasts > 1000 { 3.0..3.1 } else { 1.0..1.1 };
            assert!(expected.contains(&took), "{took}");
            let mut client = pair.0.unwrap();
            echo(pair.1.unwrap().0);
            ask(&mut client).await.unwrap();
        });
    }
    // Loss of the third packet, the ACK.
    simulate(|network| async move {
        let host = network.servers();
        let mut listener = host.listen(server()).unwrap();
        let mut client = network.client().begin_to_connect(server()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        // At that instant the SYN-ACK is sent, and passes before the rule is installed.
        tokio::task::yield_now().await;
        let rule = network.filter().install(HOLE, None).unwrap();
        network.client().connected(&mut client).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(counted(&network, rule, "packets dropped"), 1);
        network.filter().remove(rule).unwrap();
        // The first data carry the same acknowledgement.
        let (_, took) = timed(async {
            client.write_all(b"ping").await.unwrap();
            let mut accepted = host.accept(&mut listener).await.unwrap().0;
            let mut asked = [0; 4];
            accepted.read_exact(&mut asked).await.unwrap();
        })
        .await;
        assert_eq!(took, 0.001);
    });
}

#[test]
fn fin_is_retransmitted_and_reset_is_not() {
    simulate(|network| async move {
        let filter = network.filter();
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        let rule = filter.install(HOLE, None).unwrap();
        drop(server);
        tokio::time::sleep(Duration::from_millis(500)).await;
        filter.remove(rule).unwrap();
        let (end, took) = timed(client.read(&mut [0])).await;
        assert_eq!(end.unwrap(), 0);
        assert!(took < 0.2, "{took}");

        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        let rule = filter.install(HOLE, None).unwrap();
        server.reset();
        tokio::time::sleep(Duration::from_millis(500)).await;
        filter.remove(rule).unwrap();
        assert!(tokio::time::timeout(seconds(100), client.read_u8()).await.is_err());
        // The server has dropped the connection, and answers data with RST.
        assert_eq!(errno(ask(&mut client).await), libc::ECONNRESET);
    });
}

/// Sends a megabyte each way with a fifth of packets lost; returns the time it took, and all packets with their verdicts.
fn send_megabyte(seed: Seed) -> (f64, Vec<TracedPacket>) {
    simulate_with(seed, |network| async move {
        let (client, server) = pair(&network, SocketOptions::default()).await;
        network.start_trace().unwrap();
        let rule = network.filter().install(FilterRule::Loss(Share::new(0.2).unwrap()), None).unwrap();
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let carry = |socket: SimSocket, sent: Vec<u8>| async move {
            let (mut reader, mut writer) = tokio::io::split(socket);
            let expected = sent.clone();
            let writing = async {
                writer.write_all(&sent).await.unwrap();
                writer.shutdown().await.unwrap();
            };
            let mut read = Vec::new();
            let reading = async { reader.read_to_end(&mut read).await.unwrap() };
            tokio::join!(writing, reading);
            assert!(read == expected, "{} bytes came", read.len());
        };
        let (_, took) = timed(async { tokio::join!(carry(client, sent.clone()), carry(server, sent)) }).await;
        assert!(counted(&network, rule, "packets dropped") > 200);
        (took, network.trace().unwrap())
    })
}

#[test]
fn loss_of_a_fifth_delivers_everything_in_order() {
    let (took, _) = send_megabyte(Seed(1));
    assert!((1.0..600.0).contains(&took), "{took} s");
}

#[test]
fn lost_packets_depend_on_the_seed() {
    let (one, same, other) = (send_megabyte(Seed(1)).1, send_megabyte(Seed(1)).1, send_megabyte(Seed(2)).1);
    assert!(one == same);
    assert!(one != other);
}
