//! When a side gives up: keepalive, TCP_USER_TIMEOUT, and both together.

use super::*;
use crate::model::fault::IcmpCode;

/// Waits for bytes through a blackhole, after sending some if `sends`; returns the errno and the seconds it took.
fn error_through_blackhole(options: SocketOptions, sends: bool) -> (i32, f64) {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, options).await;
        echo(server);
        ask(&mut client).await.unwrap();
        network.filter().install(HOLE, None).unwrap();
        let (error, took) = timed(async {
            match sends {
                true => ask(&mut client).await,
                false => client.read_u8().await.map(|_| ()),
            }
        })
        .await;
        (errno(error), took)
    })
}

#[test]
fn user_timeout_ends_unacknowledged_data() {
    let (errno, took) = error_through_blackhole(user_timeout(5), true);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!((5.0..6.0).contains(&took), "{took}");
}

#[test]
fn keepalive_ends_idle_connection() {
    let (errno, took) = error_through_blackhole(keepalive(2, 1, 3), false);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!((4.9..5.1).contains(&took), "{took}");
}

#[test]
fn keepalive_does_not_shorten_unacknowledged_data() {
    let (errno, took) = error_through_blackhole(keepalive(2, 1, 3), true);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!(took > 900.0, "{took}");
}

#[test]
fn user_timeout_replaces_number_of_probes() {
    for (longest, expected) in [(4, 4.0), (10, 10.0)] {
        let options = SocketOptions { user_timeout: Some(seconds(longest)), ..keepalive(3, 1, 3) };
        let (errno, took) = error_through_blackhole(options, false);
        assert_eq!(errno, libc::ETIMEDOUT);
        assert!((expected - 0.1..expected + 0.1).contains(&took), "{took}");
    }
}

#[test]
fn user_timeout_alone_does_not_end_idle_connection() {
    simulate(|network| async move {
        let (mut client, _server) = pair(&network, user_timeout(5)).await;
        network.filter().install(HOLE, None).unwrap();
        assert!(tokio::time::timeout(seconds(3600), client.read_u8()).await.is_err());
    });
}

#[test]
fn keepalive_keeps_live_peer_and_resets_silent_one() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, keepalive(2, 1, 3)).await;
        assert!(tokio::time::timeout(seconds(600), client.read_u8()).await.is_err(), "it answers");
        // Only the server's answers are lost, so that it receives the RST.
        let down = FilterRule::Blackhole { stream: Stream::Downstream, scope: Scope::Every };
        network.filter().install(down, None).unwrap();
        assert_eq!(errno(client.read_u8().await), libc::ETIMEDOUT);
        assert_eq!(errno(server.read_u8().await), libc::ECONNRESET);
    });
}

#[test]
fn server_keepalive_ends_connection_of_unreachable_client() {
    simulate(|network| async move {
        let times = KeepaliveTimes { idle: seconds(2), interval: seconds(1), probes: 3 };
        let host = network.servers().keeping_alive(times);
        let mut listener = host.listen(server()).unwrap();
        let caller = network.client();
        let (client, accepted) =
            tokio::join!(caller.connect(server(), SocketOptions::default()), host.accept(&mut listener));
        let mut accepted = accepted.unwrap().0;
        network.filter().install(HOLE, None).unwrap();
        let (error, took) = timed(accepted.read_u8()).await;
        assert_eq!(errno(error), libc::ETIMEDOUT);
        assert!((4.9..5.1).contains(&took), "{took}");
        drop(client);
    });
}

#[test]
fn icmp_errno_is_reported_when_user_timeout_ends() {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, user_timeout(5)).await;
        echo(server);
        network.filter().install(FilterRule::Icmp(IcmpCode::HostUnreachable), None).unwrap();
        let (error, took) = timed(ask(&mut client)).await;
        assert_eq!(errno(error), libc::EHOSTUNREACH);
        assert!((5.0..6.0).contains(&took), "{took}");
    });
}

#[test]
fn user_timeout_can_be_set_after_connect() {
    simulate(|network| async move {
        let (mut client, server) = pair(&network, SocketOptions::default()).await;
        echo(server);
        client.set_user_timeout(Some(seconds(5))).unwrap();
        network.filter().install(HOLE, None).unwrap();
        let (error, took) = timed(ask(&mut client)).await;
        assert_eq!(errno(error), libc::ETIMEDOUT);
        assert!((5.0..6.0).contains(&took), "{took}");
    });
}
