//! The rules of the filter, and their counters.

use super::*;
use crate::model::fault::IcmpCode;

#[test]
fn icmp_reject_fails_connect_at_once() {
    for (code, expected) in [
        (IcmpCode::HostUnreachable, libc::EHOSTUNREACH),
        (IcmpCode::AdminProhibited, libc::EHOSTUNREACH),
        (IcmpCode::NetUnreachable, libc::ENETUNREACH),
        (IcmpCode::PortUnreachable, libc::ECONNREFUSED),
    ] {
        simulate(|network| async move {
            let _listener = network.servers().listen(server()).unwrap();
            let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
            echo(accepted);
            let rule = network.filter().install(FilterRule::Icmp(code), None).unwrap();
            let (error, took) = timed(network.client().connect(server(), SocketOptions::default())).await;
            assert_eq!(errno(error), expected);
            assert!(took < 0.01, "{took}");
            assert_eq!(counted(&network, rule, "rejects sent"), 1);
            // An established connection loses packets only.
            assert!(tokio::time::timeout(seconds(60), ask(&mut client)).await.is_err());
            network.filter().remove(rule).unwrap();
            client.read_exact(&mut [0; 4]).await.unwrap();
        });
    }
}

#[test]
fn reject_resets_each_side_that_sends() {
    simulate(|network| async move {
        let _listener = network.servers().listen(server()).unwrap();
        let (mut client, mut accepted) = pair(&network, SocketOptions::default()).await;
        let rule = network.filter().install(FilterRule::Reject, None).unwrap();
        assert_eq!(errno(network.client().connect(server(), SocketOptions::default()).await), libc::ECONNREFUSED);
        assert_eq!(errno(ask(&mut client).await), libc::ECONNRESET);
        assert_eq!(counted(&network, rule, "RSTs sent"), 2);
        let waiting = tokio::time::timeout(seconds(60), accepted.read_u8()).await;
        assert!(waiting.is_err(), "no packet has reached it");
        accepted.write_all(b"x").await.unwrap();
        assert_eq!(errno(accepted.read_u8().await), libc::ECONNRESET);
        assert_eq!(counted(&network, rule, "RSTs sent"), 2, "RSTs to the server do not count");
    });
}

#[test]
fn reject_resets_on_keepalive_probe() {
    simulate(|network| async move {
        let (mut client, _accepted) = pair(&network, keepalive(2, 1, 3)).await;
        network.filter().install(FilterRule::Reject, None).unwrap();
        let (error, took) = timed(client.read_u8()).await;
        assert_eq!(errno(error), libc::ECONNRESET);
        assert!((2.0..2.1).contains(&took), "{took}");
    });
}

#[test]
fn blackhole_of_new_connections_spares_established_ones() {
    simulate(|network| async move {
        let _listener = network.servers().listen(server()).unwrap();
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let new = FilterRule::Blackhole { stream: Stream::Both, scope: Scope::New };
        let rule = network.filter().install(new, None).unwrap();
        let connecting = network.client().connect(server(), SocketOptions::default());
        assert!(tokio::time::timeout(seconds(10), connecting).await.is_err());
        assert_eq!(counted(&network, rule, "SYNs dropped"), 7, "at 0 to 5, and 7 s");
        ask(&mut client).await.unwrap();
        assert!(counted(&network, rule, "packets let through") >= 3);
    });
}

#[test]
fn blackhole_of_established_connections_spares_new_ones() {
    simulate(|network| async move {
        let (mut old, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let established = FilterRule::Blackhole { stream: Stream::Both, scope: Scope::Established };
        network.filter().install(established, None).unwrap();
        assert!(tokio::time::timeout(seconds(10), ask(&mut old)).await.is_err());
        let (mut new, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        ask(&mut new).await.unwrap();
    });
}

#[test]
fn dead_flow_is_counted_once() {
    simulate(|network| async move {
        let (mut one, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let (_idle, _accepted) = pair(&network, SocketOptions::default()).await;
        tokio::time::sleep(seconds(1)).await;
        let rule = network.filter().install(FilterRule::DeadFlows(Stream::Both), None).unwrap();
        assert!(tokio::time::timeout(seconds(100), ask(&mut one)).await.is_err());
        assert_eq!(counted(&network, rule, "flows withheld"), 1);
    });
}

#[test]
fn drop_syns_spares_established_connections() {
    simulate(|network| async move {
        let _listener = network.servers().listen(server()).unwrap();
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let rule = network.filter().install(FilterRule::DropSyns, None).unwrap();
        let (error, took) = timed(network.client().connect(server(), SocketOptions::default())).await;
        assert_eq!((errno(error), took), (libc::ETIMEDOUT, 131.0));
        assert_eq!(counted(&network, rule, "SYNs dropped"), 11);
        ask(&mut client).await.unwrap();
    });
}

#[test]
fn kept_back_reset_leaves_connection_half_open() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        tokio::time::sleep(seconds(1)).await;
        let filter = network.filter();
        let counter = filter.install(FilterRule::CountResets, None).unwrap();
        let hidden = filter.install(FilterRule::KeepBackResets, None).unwrap();
        accepted.reset();
        tokio::time::sleep(seconds(1)).await;
        filter.remove(hidden).unwrap();
        assert_eq!((counted(&network, hidden, "RSTs kept back"), counted(&network, counter, "RSTs sent")), (1, 0));
        assert!(tokio::time::timeout(seconds(60), client.read_u8()).await.is_err());
        let (error, took) = timed(ask(&mut client)).await;
        assert_eq!((errno(error), took), (libc::ECONNRESET, 0.002));
        assert_eq!(counted(&network, counter, "RSTs sent"), 1);
    });
}

#[test]
fn keepalive_detects_half_open_connection() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, keepalive(10, 1, 3)).await;
        let hidden = network.filter().install(FilterRule::KeepBackResets, None).unwrap();
        accepted.reset();
        let (error, took) = timed(client.read_u8()).await;
        assert_eq!(errno(error), libc::ECONNRESET);
        assert!((9.9..10.1).contains(&took), "{took}");
        assert_eq!(counted(&network, hidden, "RSTs kept back"), 1);
    });
}

#[test]
fn rule_can_affect_one_server_only() {
    simulate(|network| async move {
        let mut clients = Vec::new();
        for address in SERVERS {
            let (client, accepted) = pair_at(&network, address, SocketOptions::default()).await;
            echo(accepted);
            clients.push(client);
        }
        network.filter().install(HOLE, Some(SERVERS[1])).unwrap();
        for (client, lives) in clients.iter_mut().zip([true, false, true]) {
            let answer = tokio::time::timeout(seconds(10), ask(client)).await;
            assert_eq!(answer.is_ok(), lives);
        }
    });
}

#[test]
fn packet_faults_have_rules() {
    use crate::model::fault::{FaultKind, Toxic, ToxicKind};
    let dead = Toxic { scope: Scope::Established, ..ToxicKind::Stall { close_after: None }.into() };
    assert_eq!(FilterRule::of(FaultKind::Hang), Some(FilterRule::DropSyns));
    assert_eq!(FilterRule::of(FaultKind::Toxic(dead)), Some(FilterRule::DeadFlows(Stream::Both)));
    let after = seconds(3);
    assert_eq!(FilterRule::of(FaultKind::IdleDrop { after }), Some(FilterRule::Forget { after, resets: false }));
    assert_eq!(FilterRule::of(FaultKind::IdleReset { after }), Some(FilterRule::Forget { after, resets: true }));
    assert_eq!(FilterRule::of(FaultKind::HalfOpen), None, "it needs the gateway as well");
}
