//! The environment of a client: servers, gateways in front of them, and the credentials to use them.
//!
//! `Environment` holds servers as `ServerControl`, so that it serves real and simulated runs. In a simulation, the
//! simulated network replaces the kernel plane.

#[cfg(feature = "tls")]
pub(crate) mod certificates;
pub mod choice;
pub mod leftovers;
pub(crate) mod middlebox;
pub(crate) mod resolution;
mod roles;
mod setup;
pub mod support;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use self::certificates::Certificates;
use self::middlebox::{MiddleboxError, MiddleboxProcess};
use self::roles::Roles;
pub(crate) use self::setup::EnvironmentSpec;
use crate::credentials::address::Address;
use crate::gateway::{Cut, Gateway};
use crate::model::topology::{Host, Topology};
use crate::netns::Names;
use crate::netns::{Kernel, KernelError};
use crate::run_folder::RunFolder;
use crate::server::control::ServerControl;
use crate::server::{LogLine, Readiness, ServerError};

pub use crate::netns::Availability as KernelAvailability;
pub use crate::run_folder::storage;

/// Describes the Docker engine of this machine.
///
/// *Errors*: why none is available.
pub async fn docker_availability() -> Result<String, String> {
    #[cfg(feature = "docker")]
    return crate::server::docker_availability().await;
    #[cfg(not(feature = "docker"))]
    return Err("this build has no Docker support".into());
}

/// Returns for which clients the kernel plane is available here. The first call tries it out; later calls return the
/// same result.
pub async fn kernel_availability() -> &'static KernelAvailability {
    crate::netns::available().await
}

/// Why an environment cannot be set up or controlled.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Middlebox(#[from] MiddleboxError),
    #[error("the gateway cannot listen: {0}")]
    Gateway(io::Error),
    #[error("the kernel plane: {0}")]
    Kernel(#[from] KernelError),
    #[error("a client can be given a name only on the kernel plane")]
    NoNames,
    #[error("cannot make a run folder: {0}")]
    Folder(io::Error),
}

/// A function that returns how many packets a rule of a packet filter has dropped.
pub(crate) type DropCount = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// The simulated network between the client and the gateways.
pub(crate) trait SimulatedPath: Send + Sync {
    /// Returns the addresses of the client's open sockets.
    fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>>;

    /// Drops SYNs to an address for the rest of the run; returns their counter.
    fn drop_syns(&self, server: IpAddr) -> io::Result<DropCount>;
}

/// Servers, gateways that lead to them, and what is between. Fields must be dropped in their order.
///
/// *Errors* of its methods: a server, a gateway or the middlebox fails.
pub(crate) struct Environment {
    /// The server that is the primary when the run begins; then its standby, if there is one.
    servers: Vec<Arc<dyn ServerControl>>,
    roles: Mutex<Roles>,
    /// The real program between the gateway and the server, if there is one.
    pub middlebox: Option<MiddleboxProcess>,
    /// The gateway at the first of the client's addresses.
    pub gateway: Gateway,
    /// The gateways at the client's other addresses, in their order.
    others: Vec<Gateway>,
    /// The gateway at a spare address, to which the client's host name can be moved.
    spare: Option<Gateway>,
    /// The kernel plane between the client and the gateways; must be dropped after the gateways.
    pub kernel: Option<Kernel>,
    /// The simulated network; `None` in real runs.
    pub simulated: Option<Box<dyn SimulatedPath>>,
    pub layout: Topology,
    /// The certificates, if the server supports TLS.
    #[cfg(feature = "tls")]
    certificates: Option<Certificates>,
    /// The addresses and credentials that the client gets.
    pub address: Address,
    /// Must be dropped last, because it holds the servers' files. `None` in simulated runs.
    folder: Option<RunFolder>,
}

impl Environment {
    /// Returns the folder of the run's files; an empty path in simulated runs.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), RunFolder::path)
    }

    /// Returns the gateway at the client's address of a host; `None` if the client has no such address.
    pub fn gateway_of(&self, host: Host) -> Option<&Gateway> {
        let index = self.layout.hosts.iter().position(|found| *found == host)?;
        std::iter::once(&self.gateway).chain(&self.others).nth(index)
    }

    /// Returns every gateway, including the spare one.
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        std::iter::once(&self.gateway).chain(&self.others).chain(&self.spare)
    }

    /// Returns the certificates of the run.
    ///
    /// *Errors*: the server does not support TLS.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> Result<&Certificates, ServerError> {
        let none = || ServerError::Control { doing: "find a certificate of", reason: "it speaks no TLS".into() };
        self.certificates.as_ref().ok_or_else(none)
    }

    /// Starts the stopped primary again, and accepts connections as soon as it answers; see [`admit`](Self::admit).
    pub async fn start_server(&self) -> Result<(), EnvironmentError> {
        self.server().start().await?;
        self.admit().await
    }

    /// Routes the path to the primary and accepts connections as soon as it answers; returns once it runs queries.
    pub async fn admit(&self) -> Result<(), EnvironmentError> {
        self.server().wait(Readiness::Answering).await?;
        match &self.middlebox {
            Some(middlebox) => middlebox.route_to(self.server().address()).await?,
            None => {
                let gateway = self.gateway_of_primary();
                gateway.route_to(self.server().address());
                gateway.accept().await.map_err(EnvironmentError::Gateway)?;
            }
        }
        self.server().wait(Readiness::AcceptingQueries).await?;
        if let Some(middlebox) = &self.middlebox {
            middlebox.wait().await?;
        }
        Ok(())
    }

    /// Makes the primary's address refuse connections, like a host where no server listens. Does nothing if there is a
    /// middlebox, which accepts connections itself.
    pub async fn refuse(&self) -> Result<(), EnvironmentError> {
        match self.middlebox {
            Some(_) => Ok(()),
            None => self.gateway_of_primary().refuse().await.map_err(EnvironmentError::Gateway),
        }
    }

    /// Returns the address behind the gateway: of the middlebox if there is one, else of the primary.
    pub fn behind_gateway(&self) -> SocketAddr {
        self.middlebox.as_ref().map_or_else(|| self.server().address(), MiddleboxProcess::address)
    }

    /// Ends the middlebox, if there is one, with every session that it holds at the server.
    pub async fn clear_path(&self) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &self.middlebox {
            middlebox.stop().await?;
        }
        Ok(())
    }

    /// Returns the name server for the client's host name; `None` if the client has no host name.
    pub fn names(&self) -> Option<&Names> {
        self.kernel.as_ref().and_then(Kernel::names)
    }

    /// Connects to the first of the client's addresses on the client's own path. Real runs only.
    pub async fn dial(&self) -> io::Result<TcpStream> {
        match &self.kernel {
            Some(kernel) => kernel.dial(self.gateway.address()).await,
            None => TcpStream::connect(self.gateway.address()).await,
        }
    }

    /// Resets the gateways' connections whose client socket no longer exists: the client has closed it, but its packets
    /// were lost. On the proxy plane, no packets are lost, and this does nothing.
    pub async fn end_vanished(&self) -> io::Result<()> {
        let open_sockets = match (&self.kernel, &self.simulated) {
            (Some(kernel), _) => kernel.open_sockets()?,
            (None, Some(simulated)) => simulated.open_sockets()?,
            (None, None) => return Ok(()),
        };
        for gateway in self.gateways() {
            gateway.cut_all_but(&open_sockets, Cut::Reset).await;
        }
        Ok(())
    }

    /// Returns the log lines of all servers about sessions of the client's role.
    pub async fn log_of_client(&self) -> Result<Vec<LogLine>, ServerError> {
        let mut lines = Vec::new();
        for server in self.servers() {
            lines.extend(server.log().await?);
        }
        lines.retain(|line| line.role == self.address.user);
        Ok(lines)
    }

    /// Takes everything down: gateways, middlebox, then servers. The rest ends when dropped.
    ///
    /// *Errors*: the first of the servers' errors, else the middlebox's.
    pub async fn close(self) -> Result<(), EnvironmentError> {
        for gateway in self.gateways() {
            gateway.close().await;
        }
        let cleared = self.clear_path().await;
        // Remove every server, even if one cannot be removed.
        let mut removed = Ok(());
        for server in self.servers.iter().rev() {
            removed = removed.and(server.remove().await);
        }
        removed?;
        cleared
    }
}
