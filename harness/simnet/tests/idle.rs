use super::*;

const AFTER: Duration = Duration::from_secs(350);

fn forgets(resets: bool) -> FilterRule {
    FilterRule::Forget { after: AFTER, resets }
}

#[test]
fn an_idle_flow_is_forgotten_and_its_packets_vanish() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let rule = network.filter().install(forgets(false), None).unwrap();
        tokio::time::sleep(AFTER - seconds(1)).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
        tokio::time::sleep(AFTER).await;
        assert_eq!(counted(&network, rule, "flows expired"), 1, "before anybody sends");
        assert!(tokio::time::timeout(seconds(10), ask(&mut client)).await.is_err());
        assert!(counted(&network, rule, "packets dropped") > 3);
        // It stays forgotten, and what is new is known.
        network.filter().remove(rule).unwrap();
        assert_eq!(errno(client.read_u8().await), libc::ETIMEDOUT);
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 1);
    });
}

#[test]
fn a_device_that_answers_resets_whoever_sends() {
    simulate(|network| async move {
        let (mut client, mut accepted) = pair(&network, SocketOptions::default()).await;
        let rule = network.filter().install(forgets(true), None).unwrap();
        tokio::time::sleep(AFTER + seconds(1)).await;
        assert_eq!(errno(ask(&mut client).await), libc::ECONNRESET);
        assert_eq!(counted(&network, rule, "RSTs sent"), 1);
        accepted.write_all(b"from the server").await.unwrap();
        assert_eq!(errno(accepted.read_u8().await), libc::ECONNRESET);
    });
}

#[test]
fn keepalive_keeps_a_flow_known() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, keepalive(60, 10, 5)).await;
        echo(accepted);
        let rule = network.filter().install(forgets(false), None).unwrap();
        tokio::time::sleep(seconds(3600)).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
        assert_eq!(counted(&network, rule, "flows kept alive by probes"), 1);
        let (asked, answered) = ("keepalives seen from the client", "keepalives seen from the server");
        assert!((58..=60).contains(&counted(&network, rule, asked)));
        assert_eq!(counted(&network, rule, asked), counted(&network, rule, answered));
    });
}

#[test]
fn what_was_idle_before_is_given_its_time_anew_and_what_was_closed_meets_nothing() {
    simulate(|network| async move {
        let (mut client, accepted) = pair(&network, SocketOptions::default()).await;
        echo(accepted);
        let (closed, _accepted) = pair(&network, SocketOptions::default()).await;
        tokio::time::sleep(AFTER).await;
        let rule = network.filter().install(forgets(false), None).unwrap();
        ask(&mut client).await.unwrap();
        drop(closed);
        tokio::time::sleep(AFTER - seconds(1)).await;
        network.filter().remove(rule).unwrap();
        tokio::time::sleep(AFTER).await;
        ask(&mut client).await.unwrap();
        assert_eq!(counted(&network, rule, "flows expired"), 0);
    });
}
