//! The expiry of idle flows by a stateful device.

use super::*;

const AFTER: Duration = Duration::from_secs(350);

fn expiry(resets: bool) -> FilterRule {
    FilterRule::Forget { after: AFTER, resets }
}

#[test]
fn idle_flow_expires_and_its_packets_vanish() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let rule = network.filter().install(expiry(false), None).unwrap();
        tokio::time::sleep(AFTER - seconds(1)).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
        tokio::time::sleep(AFTER).await;
        assert_eq!(counted(&network, rule, "flows expired"), 1, "before any packet is sent");
        assert!(tokio::time::timeout(seconds(10), ask(&mut client)).await.is_err());
        assert!(counted(&network, rule, "packets dropped") > 3);
        // The old flow stays expired; new ones work.
        network.filter().remove(rule).unwrap();
        assert_eq!(errno(client.read_u8().await), libc::ETIMEDOUT);
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 1);
    });
}

#[test]
fn expired_flow_is_reset_on_both_sides() {
    simulate(|network| async move {
        let (mut client, mut accepted) = pair(&network, SocketOptions::default()).await;
        let rule = network.filter().install(expiry(true), None).unwrap();
        tokio::time::sleep(AFTER + seconds(1)).await;
        assert_eq!(errno(ask(&mut client).await), libc::ECONNRESET);
        assert_eq!(counted(&network, rule, "RSTs sent"), 1);
        accepted.write_all(b"from the server").await.unwrap();
        assert_eq!(errno(accepted.read_u8().await), libc::ECONNRESET);
    });
}

#[test]
fn keepalive_prevents_expiry() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, keepalive(60, 10, 5)).await;
        echo(accepted);
        let rule = network.filter().install(expiry(false), None).unwrap();
        tokio::time::sleep(seconds(3600)).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
        assert_eq!(counted(&network, rule, "flows kept alive by probes"), 1);
        let (from_client, from_server) = ("keepalives seen from the client", "keepalives seen from the server");
        assert!((58..=60).contains(&counted(&network, rule, from_client)));
        assert_eq!(counted(&network, rule, from_client), counted(&network, rule, from_server));
    });
}

#[test]
fn idle_time_counts_from_install_and_closed_flows_do_not_count() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let (closed, _accepted) = pair(&network, SocketOptions::default()).await;
        tokio::time::sleep(AFTER).await;
        let rule = network.filter().install(expiry(false), None).unwrap();
        ask(&mut client).await.unwrap();
        drop(closed);
        tokio::time::sleep(AFTER - seconds(1)).await;
        network.filter().remove(rule).unwrap();
        tokio::time::sleep(AFTER).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
    });
}
