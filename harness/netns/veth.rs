//! The veth pairs of one run: they connect the namespaces of client, filter and gateway.
//!
//! ```text
//! client's namespace ──── filter's namespace ──── gateway's namespace
//!  or the host's           (routes, and filters)
//! ```

use std::fs::File;
use std::os::fd::AsRawFd;

use serde::Deserialize;

use super::iproute::Tool;
use super::namespace::{NetNs, fd_path};
use super::socket_table::addresses_on_host;
use super::subnet::Subnet;
use super::{CLIENT, Client, GATEWAY, KernelError};
use crate::credentials;

/// Prefix of the interface that a run has in the host's namespace.
const PREFIX: &str = "squall";

/// The gateway's interface, in its namespace.
const ROUTER: &str = "router";

/// Settings of the filter's namespace. It forwards packets; like a firewall, it does not adopt connections whose
/// beginning it has not seen; and it sends ICMP without a rate limit.
const SETTINGS: [(&str, &str); 5] = [
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/conf/all/rp_filter", "0"),
    ("net/ipv4/conf/default/rp_filter", "0"),
    // A mask of no ICMP type: the kernel limits none, neither per receiver nor in total.
    ("net/ipv4/icmp_ratemask", "0"),
    ("net/netfilter/nf_conntrack_tcp_loose", "0"),
];

/// Chooses the subnet: one that is unused on the host if the client is in the host's namespace, otherwise the private
/// one. A subnet counts as used while the host has a socket of an earlier run in it: the gateway would answer the
/// packets of that socket with RSTs, which would count as evidence of this run's faults.
///
/// *Errors*: the host's routes or sockets cannot be listed, or no unused subnet is found.
pub(super) async fn choose_subnet(client: &Client, ip: &Tool) -> Result<Subnet, KernelError> {
    match client {
        Client::Own(_) => Ok(Subnet::private()),
        Client::Machine => {
            let mut used: Vec<String> = routes(ip).await?.into_iter().map(|route| route.dst).collect();
            let sockets = addresses_on_host().map_err(KernelError::NetNs)?;
            used.extend(sockets.iter().map(ToString::to_string));
            Subnet::unused_on_host(|subnet| used.iter().any(|network| subnet.overlaps(network)))
                .map_err(KernelError::NetNs)
        }
    }
}

/// Connects the namespaces, and adds addresses and routes.
pub(super) async fn connect(
    client: &Client,
    [filter, gateway]: [&NetNs; 2],
    subnet: &Subnet,
    ip: &Tool,
) -> Result<(), KernelError> {
    let machine = File::open("/proc/self/ns/net").map_err(KernelError::NetNs)?;
    let (place, name) = match client {
        Client::Own(netns) => (netns.net(), "eth0".to_owned()),
        Client::Machine => (machine.as_raw_fd(), format!("{PREFIX}{:08x}", credentials::unique() >> 32)),
    };
    let middle = format!(
        "link add {CLIENT} type veth peer name {name} netns {}\n\
         link add {GATEWAY} type veth peer name {ROUTER} netns {}\n\
         addr add {}/30 dev {CLIENT}\naddr add {}/29 dev {GATEWAY}\n\
         link set {CLIENT} up\nlink set {GATEWAY} up\n",
        fd_path(place),
        fd_path(gateway.net()),
        subnet.at(2),
        subnet.at(9)
    );
    batch(ip, filter, &middle, [place, gateway.net()]).await?;
    let servers: String =
        [10, 11, 12, 14].map(|host| format!("addr add {}/29 dev {ROUTER}\n", subnet.at(host))).concat();
    let there = format!("{servers}link set {ROUTER} up\nroute add default via {} dev {ROUTER}\n", subnet.at(9));
    let up = format!("addr add {}/30 dev {name}\nlink set {name} up\n", subnet.at(1));
    let here = async {
        match client {
            Client::Own(netns) => {
                let here = format!("{up}route add default via {} dev {name}\n", subnet.at(2));
                batch(ip, netns, &here, []).await
            }
            Client::Machine => {
                let here = format!("{up}route add {} via {} dev {name}\n", subnet.network(), subnet.at(2));
                ip.run_here(&["-batch", "-"], &here).await.map(|_| ())
            }
        }
    };
    tokio::try_join!(batch(ip, gateway, &there, []), here).map(|_| ())
}

/// Applies [`SETTINGS`]. Connection tracking must have started: `nf_conntrack_tcp_loose` exists only from then on.
pub(super) fn apply_settings(filter: &NetNs) -> Result<(), KernelError> {
    SETTINGS.iter().try_for_each(|(name, value)| {
        filter.set(name, value).map_err(|source| KernelError::Setting { name: (*name).to_owned(), source })
    })
}

async fn batch<const N: usize>(ip: &Tool, netns: &NetNs, lines: &str, inherited: [i32; N]) -> Result<(), KernelError> {
    ip.run(netns, &["-batch", "-"], lines, inherited).await.map(|_| ())
}

/// A route, as in the JSON output of `ip`.
#[derive(Deserialize)]
struct Route {
    dst: String,
}

/// Returns all IPv4 routes of the host's namespace.
async fn routes(ip: &Tool) -> Result<Vec<Route>, KernelError> {
    let arguments = ["-j", "-4", "route", "show", "table", "all"];
    let text = ip.run_here(&arguments, "").await?;
    serde_json::from_str(&text).map_err(|error| KernelError::Tool {
        command: arguments.join(" "),
        reason: format!("cannot parse its output: {error}"),
    })
}
