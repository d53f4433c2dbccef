//! What a plane changes on the host, and that all of it is removed.

use std::net::{SocketAddr, TcpStream as Blocking};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use nix::unistd::geteuid;
use tokio::io::AsyncWriteExt;

use super::super::iproute::Tool;
use super::super::{ClientNetns, Kernel, KernelError};
use super::{NetnsBench, alone, assert_passes, blackhole, can_create, said, until};

/// Returns all network state of the host that a plane could change.
fn machine() -> String {
    let mut all = said("ip", &["-brief", "link"]) + &said("ip", &["rule"]);
    all += &said("ip", &["route", "show", "table", "all"]);
    all += &said("nft", &["--stateless", "list", "ruleset"]);
    let mut settings: Vec<_> = ["net/netfilter", "net/ipv4", "net/ipv4/conf/all", "net/ipv4/conf/default"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(format!("/proc/sys/{folder}")).ok())
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            // The current number of connections is no setting.
            let is_setting = !path.to_string_lossy().ends_with("_count");
            let value = std::fs::read_to_string(&path).ok()?;
            is_setting.then(|| format!("{} {value}", path.display()))
        })
        .collect();
    settings.sort();
    all + &settings.concat()
}

/// Installs rules like those of a host's own firewall, which track connections too.
fn with_rules() {
    let rules = "add table inet owner; add chain inet owner input { type filter hook input priority 0; policy accept; }; \
                 add rule inet owner input ct state established,related counter accept";
    said("nft", &[rules]);
}

#[test]
fn nothing_is_left_of_a_plane() {
    alone(concat!(module_path!(), "::nothing_is_left_of_a_plane"), || async {
        with_rules();
        let before = machine();
        for side in [ClientNetns::Machine, ClientNetns::Own] {
            let began = Instant::now();
            let bench = NetnsBench::on(side).await;
            println!("{side:?}: made in {:?}", began.elapsed());
            let (mut client, mut server) = bench.connect(|_| {}).await;
            assert_passes(&mut client, &mut server).await;
            let filter = bench.kernel.install(&blackhole()).await.unwrap();
            client.write_all(b"lost").await.unwrap();
            let during = machine();
            match side {
                ClientNetns::Machine => assert!(during.contains("squall") && during.contains("198.1"), "{during}"),
                ClientNetns::Own => assert_eq!(during, before, "it is nothing to the machine"),
            }
            assert!(!during.contains("pgsquall"), "no rule is the machine's");
            bench.kernel.remove(&filter).await.unwrap();
            drop((client, server, bench));
            let gone = until("the end of its interface and routes", || machine() == before).await;
            println!("{side:?}: gone in {gone:?}");
        }
    });
}

#[test]
fn ten_at_once_do_not_meet() {
    alone(concat!(module_path!(), "::ten_at_once_do_not_meet"), || async {
        let before = machine();
        let began = Instant::now();
        let sides = (0..10).map(|index| if index % 2 == 0 { ClientNetns::Machine } else { ClientNetns::Own });
        let benches = join_all(sides.map(NetnsBench::on)).await;
        println!("ten made in {:?}", began.elapsed());
        let connections = join_all(benches.iter().map(|bench| bench.connect(|_| {}))).await;
        // One plane drops packets; the others do not.
        benches[4].kernel.install(&blackhole()).await.unwrap();
        for (index, (mut client, mut server)) in connections.into_iter().enumerate() {
            match index {
                4 => client.write_all(b"lost").await.unwrap(),
                _ => assert_passes(&mut client, &mut server).await,
            }
        }
        drop(benches);
        println!("gone in {:?}", until("the end of all ten", || machine() == before).await);
    });
}

#[test]
fn failed_creation_leaves_nothing() {
    alone(concat!(module_path!(), "::failed_creation_leaves_nothing"), || async {
        let before = machine();
        let (ip, nft) = (Tool::find("ip", "iproute2").unwrap(), Tool::find("nft", "nftables").unwrap());
        let broken = Tool::find("false", "coreutils").unwrap();
        for (ip, nft) in [(ip.clone(), broken.clone()), (broken, nft)] {
            for side in [ClientNetns::Machine, ClientNetns::Own] {
                let failed = Kernel::create_with(side, ip.clone(), nft.clone()).await;
                assert!(matches!(failed, Err(KernelError::Tool { .. })), "{:?}", failed.err());
                until("the end of what was made", || machine() == before).await;
            }
        }
    });
}

#[test]
fn a_tool_that_is_missing_is_named() {
    let failed = Tool::find("pgsquall-has-no-such-tool", "nosuch").unwrap_err().to_string();
    assert_eq!(failed, "pgsquall-has-no-such-tool is not installed (Debian: apt-get install nosuch)");
}

#[test]
fn gateway_is_reachable_only_over_the_veth_pair() {
    alone(concat!(module_path!(), "::gateway_is_reachable_only_over_the_veth_pair"), || async {
        let from_outside = |address: SocketAddr| {
            let connected = tokio::task::spawn_blocking(move || {
                Blocking::connect_timeout(&address, Duration::from_millis(300)).map(drop)
            });
            async { connected.await.unwrap() }
        };
        let own = NetnsBench::on(ClientNetns::Own).await;
        assert!(from_outside(own.port.address()).await.is_err(), "the machine has no way to it");
        let machine = NetnsBench::on(ClientNetns::Machine).await;
        from_outside(machine.port.address()).await.unwrap();
        machine.kernel.install(&blackhole()).await.unwrap();
        assert!(from_outside(machine.port.address()).await.is_err(), "but by the wires");
        // The private address is the same in every run; inside its own namespaces it still leads to this run.
        let (mut client, mut server) = own.connect(|_| {}).await;
        assert_passes(&mut client, &mut server).await;
    });
}

/// Prints the time to create a plane. The limit is loose, so that only a regression by an order of magnitude fails.
#[tokio::test]
async fn creating_a_plane_takes_less_than_3s() {
    for side in [ClientNetns::Machine, ClientNetns::Own] {
        if !can_create(side).await {
            continue;
        }
        let mut took = Vec::new();
        for _ in 0..10 {
            let began = Instant::now();
            let kernel = Kernel::create(side).await.unwrap();
            took.push(began.elapsed());
            drop(kernel);
        }
        took.sort_unstable();
        println!("{side:?}: {:?} at least, {:?} in the middle, {:?} at most", took[0], took[5], took[9]);
        assert!(took[5] < Duration::from_secs(3), "{took:?}");
    }
}

#[tokio::test]
async fn open_sockets_lists_the_clients_connections() {
    for side in [ClientNetns::Machine, ClientNetns::Own] {
        if !can_create(side).await {
            continue;
        }
        let bench = NetnsBench::on(side).await;
        let (kept, mut at_kept) = bench.connect(|_| {}).await;
        let (given_up, _at_given_up) = bench.connect(|_| {}).await;
        let ends = [kept.local_addr().unwrap(), given_up.local_addr().unwrap()];
        assert_eq!(bench.kernel.open_sockets().unwrap(), ends.into());
        bench.kernel.install(&blackhole()).await.unwrap();
        // Its FIN is lost, so the kernel keeps the socket, but no program has it open.
        drop(given_up);
        assert_eq!(bench.kernel.open_sockets().unwrap(), [ends[0]].into(), "{side:?}");
        at_kept.write_all(b"lost").await.unwrap();
        assert_eq!(bench.kernel.open_sockets().unwrap(), [ends[0]].into(), "{side:?}");
        drop(kept);
        assert!(bench.kernel.open_sockets().unwrap().is_empty(), "{side:?}");
    }
}

/// Some runtimes open IPv6 sockets only, and use them for IPv4 as well.
#[tokio::test]
async fn a_client_of_ipv6_sockets_is_known_too() {
    use socket2::{Domain, Protocol, Socket, Type};

    // Uses the host's namespace, because a plain socket suffices there.
    if !can_create(ClientNetns::Machine).await {
        return;
    }
    let Ok(socket) = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)) else {
        println!("skipped: no IPv6 here");
        return;
    };
    let bench = NetnsBench::on(ClientNetns::Machine).await;
    let std::net::IpAddr::V4(address) = bench.port.address().ip() else { panic!("not of IPv4") };
    socket.connect(&SocketAddr::from((address.to_ipv6_mapped(), bench.port.address().port())).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    assert_eq!(bench.kernel.open_sockets().unwrap(), [SocketAddr::from((bench.kernel.client_address(), port))].into());
}

#[tokio::test]
async fn in_process_client_needs_root() {
    if geteuid().is_root() {
        println!("skipped: for root it is otherwise");
        return;
    }
    let failed = Kernel::create(ClientNetns::Machine).await.err().map(|error| error.to_string());
    assert!(failed.as_ref().is_some_and(|reason| reason.contains("root")), "{failed:?}");
}
