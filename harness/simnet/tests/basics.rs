//! The basics of the network: latency, loopback, listeners, flow control, idle connections.

use super::*;
use crate::simnet::packet::Kind;

#[test]
fn echo_takes_twice_the_latency() {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        echo(server);
        let (answer, took) = timed(ask(&mut client)).await;
        answer.unwrap();
        assert_eq!(took, 0.002);
        network.delay(Duration::from_millis(20)).unwrap();
        assert_eq!(timed(ask(&mut client)).await.1, 0.040);
    });
}

#[test]
fn loopback_has_no_delay_and_no_filter() {
    simulate(|network| async move {
        let host = network.servers();
        let mut listener = host.listen("127.0.0.1:6000".parse().unwrap()).unwrap();
        assert_eq!(listener.address().to_string(), "127.0.0.1:6000");
        let connecting = host.connect(listener.address(), SocketOptions::default());
        let ((connected, accepted), took) = timed(async { tokio::join!(connecting, host.accept(&mut listener)) }).await;
        let (accepted, peer) = accepted.unwrap();
        echo(accepted);
        assert!(peer.ip().is_loopback());
        let mut connected = connected.unwrap();
        let (answer, echo_took) = timed(ask(&mut connected)).await;
        answer.unwrap();
        assert_eq!((took, echo_took), (0.0, 0.0));
        // The filter does not apply within a machine.
        network.filter().install(HOLE, None).unwrap();
        ask(&mut connected).await.unwrap();
    });
}

#[test]
fn connect_without_listener_is_refused() {
    simulate(|network| async move {
        let (refused, took) = timed(network.client().connect(server(), SocketOptions::default())).await;
        assert_eq!(refused.as_ref().unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!((errno(refused), took), (libc::ECONNREFUSED, 0.002));
    });
}

#[test]
fn listener_reopens_while_its_connections_stay_open() {
    simulate(|network| async move {
        let (host, caller) = (network.servers(), network.client());
        for _ in 0..2 {
            let mut listener = host.listen(server()).unwrap();
            assert_eq!(host.listen(server()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
            let (client, accepted) =
                tokio::join!(caller.connect(server(), SocketOptions::default()), host.accept(&mut listener));
            let mut client = client.unwrap();
            echo(accepted.unwrap().0);
            // The listener is dropped before it accepts this connection.
            let mut waiting = caller.connect(server(), SocketOptions::default()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(listener);
            assert_eq!(errno(waiting.read_u8().await), libc::ECONNRESET);
            let refused = caller.connect(server(), SocketOptions::default()).await;
            assert_eq!(errno(refused), libc::ECONNREFUSED);
            ask(&mut client).await.unwrap();
        }
    });
}

#[test]
fn slow_reader_blocks_the_writer_of_a_megabyte() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, SocketOptions::default()).await;
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let writer = tokio::spawn(async move {
            let (result, took) = timed(client.write_all(&sent)).await;
            result.unwrap();
            (client, took)
        });
        let mut received = Vec::new();
        // Small reads with pauses: the window must open again although each read frees little.
        while received.len() < expected.len() {
            let mut piece = [0; 8192];
            let read = server.read(&mut piece).await.unwrap();
            received.extend_from_slice(&piece[..read]);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(received == expected);
        assert!(writer.await.unwrap().1 > 1.0, "the writer was not held up");
    });
}

#[test]
fn idle_connection_sends_no_packets() {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        echo(server);
        ask(&mut client).await.unwrap();
        network.start_trace().unwrap();
        tokio::time::sleep(seconds(3600)).await;
        assert_eq!(network.trace().unwrap(), []);
        ask(&mut client).await.unwrap();
        let kinds: Vec<_> = network.trace().unwrap().iter().map(|traced| traced.kind).collect();
        assert_eq!(kinds, [Kind::Data, Kind::Ack, Kind::Data, Kind::Ack]);
    });
}
