//! The kernel plane: real packets between client and gateway, and a packet filter in between that can truly drop them.
//!
//! Owns the namespaces of one run ([`NetNs`]), the veth pairs and addresses between them, the filters in force,
//! connection tracking, and the name server. The client runs in a namespace of its own, or in the host's if it lives
//! in this process; then the host has one more interface and one more route during the run. Nothing else on the host
//! changes. Faults are defined elsewhere: a [`PacketRule`] only says what happens to packets.

mod availability;
mod conntrack;
mod dns;
mod dns_answer;
mod filter;
mod forked;
mod iproute;
mod keepalive_sniffer;
mod namespace;
mod packets;
mod socket_table;
mod subnet;
mod veth;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Protocol, Type};
use tokio::net::{TcpSocket, TcpStream};

pub use self::availability::{Availability, available};
pub(crate) use self::conntrack::{Flow, FlowTable};
pub(crate) use self::dns::Names;
pub use self::dns::names_available;
pub(crate) use self::dns_answer::{DnsAnswer, NAME};
pub(crate) use self::filter::Filter;
use self::iproute::Tool;
pub(crate) use self::keepalive_sniffer::{PacketCapture, ProbeDetector};
pub(crate) use self::namespace::NetNs;
pub(crate) use self::packets::{MARK, PacketRule, SECOND_MARK, Way};
use self::subnet::Subnet;
use crate::gateway::port::{Reservation, SocketSource};

/// The filter's interface towards the client.
const CLIENT: &str = "client";

/// The filter's interface towards the gateway.
const GATEWAY: &str = "gateway";

/// Port of the client's servers: that of Postgres, because every port of a new namespace is free.
pub(crate) const PORT: u16 = 5432;

/// Host numbers of the gateway's addresses in the subnet, in the order of the client's addresses.
const SERVERS: [u8; 3] = [10, 11, 12];

/// Host number of the name server in the subnet.
const NAME_SERVER: u8 = 14;

/// Why the kernel plane is not available, or failed.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("{name} is not installed (Debian: apt-get install {package})")]
    NoTool { name: &'static str, package: &'static str },
    #[error("no network namespace of its own: {0}{remedy}", remedy = remedy(.0))]
    NetNs(io::Error),
    #[error("{command}: {reason}")]
    Tool { command: String, reason: String },
    #[error("the packet filter {chain} has {found} rules instead of {expected}: another program has changed it")]
    NotInForce { chain: String, expected: usize, found: usize },
    #[error("cannot read the packet counter {0}: another program has deleted it")]
    NoCounter(String),
    #[error("cannot set {name} for the packet filter: {source}")]
    Setting { name: String, source: io::Error },
    #[error("the test connection did not get through: {0}")]
    NoWay(io::Error),
    #[error("a client in this process needs root with all capabilities; use a client that is a process")]
    NotRoot,
    #[error("cannot give the client a server name: {0}")]
    Names(io::Error),
}

/// Returns a likely remedy for an error of the kernel, to append to its text.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "; it needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN, or unprivileged user namespaces, which containers and \
             some distributions withhold"
        }
        Some(libc::ENOSPC | libc::EUSERS) => "; raise user.max_user_namespaces and user.max_net_namespaces (sysctl)",
        _ => "",
    }
}

/// The network namespace of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientNetns {
    /// The host's namespace, because the client is in this process; this needs root.
    Machine,
    /// A namespace of the run, for a client that is a process.
    Own,
}

/// The client's namespace, opened.
enum Client {
    Machine,
    Own(Arc<NetNs>),
}

/// The network of one run. Dropping it closes the namespaces, and with them everything in them.
pub(crate) struct Kernel {
    client: Client,
    filter: NetNs,
    gateway: Arc<NetNs>,
    subnet: Subnet,
    names: Option<Names>,
    nft: Tool,
    /// The number of the newest filter.
    filters: AtomicU64,
}

impl Kernel {
    /// Creates the namespaces, connects them, and starts connection tracking.
    ///
    /// *Errors*: `ip` or `nft` is missing or fails, the kernel refuses, or an in-process client lacks root's
    /// capabilities.
    pub async fn create(side: ClientNetns) -> Result<Kernel, KernelError> {
        Kernel::create_with(side, Tool::find("ip", "iproute2")?, Tool::find("nft", "nftables")?).await
    }

    /// Creates a plane with the given tools. A failure leaves nothing behind, because everything created is in the
    /// namespaces or attached to them.
    async fn create_with(side: ClientNetns, ip: Tool, nft: Tool) -> Result<Kernel, KernelError> {
        let [client, filter, gateway] = namespace::create().map_err(KernelError::NetNs)?;
        let client = match side {
            ClientNetns::Own => Client::Own(Arc::new(client)),
            ClientNetns::Machine if client.is_of_root() => Client::Machine,
            ClientNetns::Machine => return Err(KernelError::NotRoot),
        };
        let subnet = veth::choose_subnet(&client, &ip).await?;
        let connected = veth::connect(&client, [&filter, &gateway], &subnet, &ip);
        tokio::try_join!(connected, filter::track(&nft, &filter))?;
        veth::apply_settings(&filter)?;
        let (gateway, filters) = (Arc::new(gateway), AtomicU64::new(0));
        Ok(Kernel { client, filter, gateway, subnet, names: None, nft, filters })
    }

    /// Starts a name server for [`NAME`], and makes it the only one of the client's processes, whose resolver files
    /// are written to `folder`, the run's folder.
    ///
    /// *Errors*: the client is in this process, and so uses the host's resolver; the client's namespace is already in
    /// use by a process; or the server or its files cannot be set up.
    pub fn give_name(&mut self, addresses: Vec<IpAddr>, folder: &Path) -> Result<(), KernelError> {
        let Client::Own(client) = &mut self.client else {
            return Err(KernelError::Names(io::Error::other("the client is in this process")));
        };
        let client = Arc::get_mut(client)
            .ok_or_else(|| KernelError::Names(io::Error::other("the client is already running")))?;
        let place = self.subnet.at(NAME_SERVER);
        let names = Names::serve(&self.gateway, place, addresses).map_err(KernelError::Names)?;
        names.use_in(client, folder).map_err(KernelError::Names)?;
        self.names = Some(names);
        Ok(())
    }

    /// Returns the name server, if [`give_name`](Kernel::give_name) has started one.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// Reserves the address of the client's server number `index`, for a gateway to listen on.
    ///
    /// *Errors*: `index` is three or more, or the address cannot be bound.
    pub fn reservation(&self, index: usize) -> io::Result<Reservation> {
        let host = SERVERS.get(index).ok_or_else(|| io::Error::other("a run has at most three servers"))?;
        Reservation::within(Arc::clone(&self.gateway) as _, (self.subnet.at(*host), PORT).into())
    }

    /// Returns the client's address.
    pub fn client_address(&self) -> Ipv4Addr {
        self.subnet.at(1)
    }

    /// Returns the namespace for the client's process; `None` if the client is in this process.
    pub fn home(&self) -> Option<&Arc<NetNs>> {
        match &self.client {
            Client::Own(netns) => Some(netns),
            Client::Machine => None,
        }
    }

    /// Creates a TCP socket in the client's namespace.
    ///
    /// *Errors*: the kernel refuses the socket, or the namespace.
    pub fn client_socket(&self) -> io::Result<socket2::Socket> {
        match &self.client {
            Client::Own(netns) => netns.socket(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
            Client::Machine => socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
        }
    }

    /// Connects from the client's namespace. Has no time limit of its own.
    ///
    /// *Errors*: those of [`client_socket`](Kernel::client_socket) and of the connect.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.client_socket()?;
        socket.set_nonblocking(true)?;
        TcpSocket::from_std_stream(socket.into()).connect(address).await
    }

    /// Installs rules as one filter; returns once `nft` lists them.
    ///
    /// *Errors*: `nft` rejects a rule, in which case none is in force, or does not list them all.
    pub async fn install(&self, rules: &[PacketRule]) -> Result<Filter, KernelError> {
        let number = self.filters.fetch_add(1, Ordering::Relaxed) + 1;
        filter::install(&self.nft, &self.filter, number, rules).await
    }

    /// Removes a filter; returns once `nft` no longer lists it. A second call does nothing.
    ///
    /// *Errors*: `nft` fails, or another program had changed or removed the filter; the rest of it is removed even
    /// so.
    pub async fn remove(&self, filter: &Filter) -> Result<(), KernelError> {
        filter::remove(&self.nft, &self.filter, filter).await
    }

    /// Returns the number of packets for each counter of a filter, by the counter's name, also after its removal.
    ///
    /// *Errors*: `nft` fails, or another program has deleted a counter.
    pub async fn count(&self, filter: &Filter) -> Result<Vec<(&'static str, u64)>, KernelError> {
        filter::count(&self.nft, &self.filter, filter).await
    }

    /// Changes a kernel setting of the filter's namespace, such as
    /// `net/netfilter/nf_conntrack_tcp_timeout_established`.
    ///
    /// *Errors*: there is no such setting, or the kernel rejects the value.
    pub fn set(&self, name: &str, value: &str) -> Result<(), KernelError> {
        self.filter.set(name, value).map_err(|source| KernelError::Setting { name: name.to_owned(), source })
    }
}

#[cfg(test)]
mod tests;
