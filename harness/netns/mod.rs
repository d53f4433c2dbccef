//! The kernel plane: real packets between client and gateway, and a filter in between that can truly lose them.
//!
//! Owns the namespaces of one run ([`NetNs`]), the wires and addresses between them, and the filters in force. The
//! client is in a namespace of the run's own, or, where it lives in this process, in the machine's own, with one
//! interface there for the time of the run. Nothing else of the machine is touched. Knows no fault: what is to be done to
//! packets is said in [`PacketRule`]s.

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

/// Where servers listen, in namespaces where every port is free: where Postgres listens.
pub(crate) const PORT: u16 = 5432;

/// The gateway's addresses in a subnet, by the order in which the client is given them.
const SERVERS: [u8; 3] = [10, 11, 12];

/// The name server's address in a subnet.
const NAME_SERVER: u8 = 14;

/// Why there is no kernel plane, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("{name} is not installed (Debian: apt-get install {package})")]
    NoTool { name: &'static str, package: &'static str },
    #[error("no network namespace of its own: {0}{remedy}", remedy = remedy(.0))]
    NetNs(io::Error),
    #[error("{command}: {reason}")]
    Tool { command: String, reason: String },
    #[error("the filter {chain} has {found} rules, and should have {expected}")]
    NotInForce { chain: String, expected: usize, found: usize },
    #[error("the counter {0} is gone, and with it what it has counted")]
    NoCounter(String),
    #[error("its packet filter cannot be told {name}: {source}")]
    Setting { name: String, source: io::Error },
    #[error("no packet comes through it: {0}")]
    NoWay(io::Error),
    #[error(
        "a client in this process reaches it only as root with all rights; a client that is a process does not need them"
    )]
    NotRoot,
    #[error("no names for the client: {0}")]
    Names(io::Error),
}

/// What may stand behind the kernel's refusal.
fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => {
            "; it takes root with CAP_SYS_ADMIN and CAP_NET_ADMIN, or user namespaces for everybody, which containers and \
             some distributions withhold"
        }
        Some(libc::ENOSPC | libc::EUSERS) => {
            "; see the settings user.max_user_namespaces and user.max_net_namespaces (sysctl)"
        }
        _ => "",
    }
}

/// Where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientNetns {
    /// In this process, and so in the machine's own namespace; this takes root.
    Machine,
    /// In a process of its own, in a namespace of the run's.
    Own,
}

/// The client's namespace.
enum Client {
    Machine,
    Own(Arc<NetNs>),
}

/// The network of one run. Gone with all that is in it when it is dropped.
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
    /// Makes the namespaces, joins them, and begins to track connections.
    pub async fn create(side: ClientNetns) -> Result<Kernel, KernelError> {
        Kernel::create_with(side, Tool::find("ip", "iproute2")?, Tool::find("nft", "nftables")?).await
    }

    /// The same with these tools. What fails halfway leaves nothing: all that was made is in the namespaces, or joined to
    /// them.
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

    /// Begins to answer for the run's [`NAME`], and has the client's processes ask nobody else; `folder`: the run's,
    /// where the files lie that they read.
    ///
    /// *Errors*: also where the client is in this process, which asks whom the machine asks.
    pub fn give_name(&mut self, addresses: Vec<IpAddr>, folder: &Path) -> Result<(), KernelError> {
        let Client::Own(client) = &mut self.client else {
            return Err(KernelError::Names(io::Error::other("it is in this process")));
        };
        let client = Arc::get_mut(client).ok_or_else(|| KernelError::Names(io::Error::other("it runs already")))?;
        let place = self.subnet.at(NAME_SERVER);
        let names = Names::serve(&self.gateway, place, addresses).map_err(KernelError::Names)?;
        names.use_in(client, folder).map_err(KernelError::Names)?;
        self.names = Some(names);
        Ok(())
    }

    /// The name server, where the client knows its servers by a name.
    pub fn names(&self) -> Option<&Names> {
        self.names.as_ref()
    }

    /// The address of the client's server of that number, for a gateway to listen on.
    pub fn reservation(&self, index: usize) -> io::Result<Reservation> {
        let host = SERVERS.get(index).ok_or_else(|| io::Error::other("no more than three servers in one run"))?;
        Reservation::within(Arc::clone(&self.gateway) as _, (self.subnet.at(*host), PORT).into())
    }

    /// The client's own address.
    pub fn client_address(&self) -> Ipv4Addr {
        self.subnet.at(1)
    }

    /// The namespace in which a client's process is to be started; `None` where the client is in this process.
    pub fn home(&self) -> Option<&Arc<NetNs>> {
        match &self.client {
            Client::Own(netns) => Some(netns),
            Client::Machine => None,
        }
    }

    /// A socket of the client's side, that belongs to nobody's run but this.
    pub fn client_socket(&self) -> io::Result<socket2::Socket> {
        match &self.client {
            Client::Own(netns) => netns.socket(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
            Client::Machine => socket2::Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)),
        }
    }

    /// Connects as the client does.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let socket = self.client_socket()?;
        socket.set_nonblocking(true)?;
        TcpSocket::from_std_stream(socket.into()).connect(address).await
    }

    /// Puts rules in force; returns once they are seen to be.
    pub async fn install(&self, rules: &[PacketRule]) -> Result<Filter, KernelError> {
        let number = self.filters.fetch_add(1, Ordering::Relaxed) + 1;
        filter::install(&self.nft, &self.filter, number, rules).await
    }

    /// Takes a filter away; returns once it is seen to be gone. One that has gone already is no error.
    pub async fn remove(&self, filter: &Filter) -> Result<(), KernelError> {
        filter::remove(&self.nft, &self.filter, filter).await
    }

    /// Packets that a filter has counted so far, also after it was lifted: in the words of its rules.
    pub async fn count(&self, filter: &Filter) -> Result<Vec<(&'static str, u64)>, KernelError> {
        filter::count(&self.nft, &self.filter, filter).await
    }

    /// Changes a setting of the filter's namespace: `net/netfilter/nf_conntrack_tcp_timeout_established`.
    pub fn set(&self, name: &str, value: &str) -> Result<(), KernelError> {
        self.filter.set(name, value).map_err(|source| KernelError::Setting { name: name.to_owned(), source })
    }
}

#[cfg(test)]
mod tests;
