//! Random faults under clients that retry.

use std::cell::Cell;
use std::rc::Rc;

use rand::RngExt;
use tokio::time::{sleep, timeout};

use super::*;
use crate::model::fault::{IcmpCode, Share};

/// A rule for a random number.
fn any_rule(draw: u32) -> FilterRule {
    let hole = |stream, scope| FilterRule::Blackhole { stream, scope };
    match draw % 14 {
        0 => HOLE,
        1 => hole(Stream::Upstream, Scope::Every),
        2 => hole(Stream::Downstream, Scope::Every),
        3 => hole(Stream::Both, Scope::New),
        4 => hole(Stream::Both, Scope::Established),
        5 => hole(Stream::Downstream, Scope::Established),
        6 | 7 => FilterRule::Loss(Share::new(0.3).unwrap()),
        8 => FilterRule::Icmp(IcmpCode::HostUnreachable),
        9 => FilterRule::Reject,
        10 => FilterRule::DropSyns,
        11 => FilterRule::DeadFlows(Stream::Both),
        12 => FilterRule::KeepBackResets,
        _ => FilterRule::Forget { after: seconds(2), resets: draw % 4 == 1 },
    }
}

/// Sends so many bytes to an echo and checks the reply.
async fn ask_for(client: &mut SimSocket, bytes: usize) -> io::Result<()> {
    let sent: Vec<u8> = (0..bytes).map(|number| (number % 251) as u8).collect();
    let mut answer = vec![0; bytes];
    let (mut reader, mut writer) = tokio::io::split(client);
    let (written, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut answer));
    written.and(read.map(|_| ()))?;
    assert!(answer == sent);
    Ok(())
}

/// Sixty seconds of random faults; returns all packets with their verdicts.
fn run_faults(seed: Seed) -> Vec<TracedPacket> {
    simulate_with(seed, |network| async move {
        network.start_trace().unwrap();
        let (host, caller) = (network.servers(), network.client());
        tokio::spawn(async move {
            let mut listener = host.listen(server()).unwrap();
            while let Ok((accepted, _)) = host.accept(&mut listener).await {
                echo(accepted);
            }
        });
        for client in 0..4 {
            let mut chance = seed.fork(&format!("client {client}")).rng();
            tokio::spawn(async move {
                let ends = Instant::now() + seconds(60);
                while Instant::now() < ends {
                    let options = if client % 2 == 0 { keepalive(1, 1, 3) } else { user_timeout(4) };
                    let connected = timeout(seconds(3), caller.connect(server(), options)).await;
                    let Ok(Ok(mut socket)) = connected else {
                        sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    while Instant::now() < ends {
                        let bytes = 1 << chance.random_range(0..18_u32);
                        let sent = timeout(seconds(5), ask_for(&mut socket, bytes)).await;
                        let Ok(Ok(())) = sent else { break };
                        sleep(Duration::from_millis(chance.random_range(0..3000))).await;
                    }
                    if chance.random_range(0..3) == 0 {
                        socket.reset();
                    }
                }
            });
        }
        let mut chance = seed.fork("faults").rng();
        for _ in 0..20 {
            sleep(Duration::from_millis(chance.random_range(0..3000))).await;
            let rule = network.filter().install(any_rule(chance.random()), None).unwrap();
            sleep(Duration::from_millis(chance.random_range(0..3000))).await;
            network.filter().remove(rule).unwrap();
        }
        sleep(seconds(60)).await;
        let mut client = caller.connect(server(), SocketOptions::default()).await.unwrap();
        let (sent, took) = timed(ask_for(&mut client, 300_000)).await;
        sent.unwrap();
        assert!(took < 1.0, "{took}");
        drop(client);
        // The servers' keepalive takes more than two hours to detect clients that are gone.
        sleep(seconds(20_000)).await;
        assert_eq!(network.flows().unwrap(), [], "{seed}");
        network.trace().unwrap()
    })
}

#[test]
fn network_works_and_is_empty_after_random_faults() {
    for seed in 0..20 {
        run_faults(Seed(seed));
    }
}

#[test]
fn random_faults_repeat_with_the_same_seed() {
    let (one, same, other) = (run_faults(Seed(1)), run_faults(Seed(1)), run_faults(Seed(2)));
    assert!(one == same);
    assert!(one != other);
}

#[test]
fn stream_completes_under_rules_that_only_lose_packets() {
    let mut all = 0.0;
    for seed in 0..20 {
        let seed = Seed(seed);
        all += simulate_with(seed, |network| async move {
            let (client, accepted) = pair(&network, SocketOptions::default()).await;
            echo(accepted);
            let done = Rc::new(Cell::new(false));
            let faults = async {
                let mut chance = seed.fork("faults").rng();
                while !done.get() {
                    let rule = network.filter().install(any_rule(chance.random_range(0..9)), None).unwrap();
                    sleep(Duration::from_millis(chance.random_range(0..500))).await;
                    network.filter().remove(rule).unwrap();
                    sleep(Duration::from_millis(chance.random_range(0..500))).await;
                }
            };
            let asking = async {
                let mut client = client;
                let (sent, took) = timed(timeout(seconds(3600), ask_for(&mut client, 1_000_000))).await;
                done.set(true);
                sent.unwrap_or_else(|_| panic!("stuck with {seed}")).unwrap();
                took
            };
            let ((), took) = tokio::join!(faults, asking);
            took
        });
    }
    assert!(all > 5.0, "{all} s: the losses hardly delayed the streams");
}

/// Sixty seconds of requests by several clients, each at its own pace.
fn run_clients(runtime: &Runtime) -> Vec<TracedPacket> {
    runtime.block_on(async {
        let network = Network::open(Seed(1)).unwrap();
        network.start();
        network.start_trace().unwrap();
        let asking = (0..4_u64).map(|number| {
            let network = &network;
            async move {
                let (mut client, accepted) = pair(network, keepalive(number + 1, 1, 3)).await;
                echo(accepted);
                let mut chance = Seed(number).rng();
                let ends = Instant::now() + seconds(60);
                while Instant::now() < ends {
                    ask_for(&mut client, 1 << chance.random_range(0..18_u32)).await.unwrap();
                    sleep(Duration::from_millis(chance.random_range(0..3000))).await;
                }
            }
        });
        futures_util::future::join_all(asking).await;
        let mut seen = network.trace().unwrap();
        // Events of one instant may be recorded in either order.
        seen.sort_by_key(|traced| (traced.at, traced.from, traced.to));
        seen
    })
}

#[test]
fn runtime_without_idle_reports_carries_the_same_packets() {
    let builder = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (reporting, silent) = (run_clients(&runtime()), run_clients(&builder));
    assert!(reporting.len() > 1_000, "{}", reporting.len());
    assert!(reporting == silent);
}
