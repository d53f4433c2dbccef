use super::*;
use crate::model::fault::IcmpCode;

/// Waits for bytes through a blackhole, after sending some if `sends`; returns the errno and the seconds it took.
fn through_a_hole(options: SocketOptions, sends: bool) -> (i32, f64) {
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
fn a_user_timeout_ends_what_is_unacknowledged() {
    let (errno, took) = through_a_hole(user_timeout(5), true);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!((5.0..6.0).contains(&took), "{took}");
}

#[test]
fn keepalive_ends_what_is_idle() {
    let (errno, took) = through_a_hole(keepalive(2, 1, 3), false);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!((4.9..5.1).contains(&took), "{took}");
}

#[test]
fn keepalive_does_not_end_what_is_unacknowledged() {
    let (errno, took) = through_a_hole(keepalive(2, 1, 3), true);
    assert_eq!(errno, libc::ETIMEDOUT);
    assert!(took > 900.0, "{took}");
}

#[test]
fn a_user_timeout_takes_the_place_of_the_number_of_probes() {
    for (longest, expected) in [(4, 4.0), (10, 10.0)] {
        let options = SocketOptions { user_timeout: Some(seconds(longest)), ..keepalive(3, 1, 3) };
        let (errno, took) = through_a_hole(options, false);
        assert_eq!(errno, libc::ETIMEDOUT);
        assert!((expected - 0.1..expected + 0.1).contains(&took), "{took}");
    }
}

#[test]
fn a_user_timeout_alone_does_not_find_out_about_an_idle_connection() {
    simulate(|network| async move {
        let (mut client, _server) = pair(&network, user_timeout(5)).await;
        network.filter().install(HOLE, None).unwrap();
        assert!(tokio::time::timeout(seconds(3600), client.read_u8()).await.is_err());
    });
}

#[test]
fn who_is_given_up_by_keepalive_is_reset_and_one_that_answers_is_kept() {
    simulate(|network| async move {
        let (mut client, mut server) = pair(&network, keepalive(2, 1, 3)).await;
        assert!(tokio::time::timeout(seconds(600), client.read_u8()).await.is_err(), "it answers");
        // Only its answers are lost, so that it hears the RST.
        let down = FilterRule::Blackhole { stream: Stream::Downstream, scope: Scope::Every };
        network.filter().install(down, None).unwrap();
        assert_eq!(errno(client.read_u8().await), libc::ETIMEDOUT);
        assert_eq!(errno(server.read_u8().await), libc::ECONNRESET);
    });
}

#[test]
fn the_servers_own_keepalive_ends_what_a_client_has_left_behind() {
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
fn what_a_router_said_is_what_it_died_of() {
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
fn a_user_timeout_that_is_set_later_holds_from_then_on() {
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
