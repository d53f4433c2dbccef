//! The environment of a client: servers, gateways in front of them, and the credentials to use them.
//!
//! Servers are known by their verbs alone (`ServerControl`), so that an environment of simulated servers is the same
//! type, with the simulated network in the place of the kernel plane. Knows no scenario, no judge and no report.

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

/// The Docker engine that is available here, described; or why there is none.
pub async fn docker_availability() -> Result<String, String> {
    #[cfg(feature = "docker")]
    return crate::server::docker_availability().await;
    #[cfg(not(feature = "docker"))]
    return Err("this build has no Docker support".into());
}

/// For whom there is a kernel plane here; tried out when it is first asked.
pub async fn kernel_availability() -> &'static KernelAvailability {
    crate::netns::available().await
}

/// Why an environment could not be made.
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

/// Counts what a rule of a packet filter has dropped.
pub(crate) type DropCount = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// The simulated network between the client and the gateways.
pub(crate) trait SimulatedPath: Send + Sync {
    /// The sockets that the client has open.
    fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>>;

    /// Drops SYNs to an address, for good; returns how they are counted.
    fn drop_syns(&self, server: IpAddr) -> io::Result<DropCount>;
}

/// Servers that are ready, and gateways that lead to them.
pub(crate) struct Environment {
    /// The one that is the primary when the run begins, then its standby, where there is one.
    servers: Vec<Arc<dyn ServerControl>>,
    roles: Mutex<Roles>,
    /// The real program between the gateway and the server, where there is one.
    pub middlebox: Option<MiddleboxProcess>,
    /// The gateway at the first of the client's addresses.
    pub gateway: Gateway,
    /// The gateways at the other addresses, in their order.
    others: Vec<Gateway>,
    /// The address to which the client's server can move, where it is known by a name.
    spare: Option<Gateway>,
    /// The network in which packets can be lost, between the client and the gateways; dropped after them.
    pub kernel: Option<Kernel>,
    /// The simulated network of a simulated run.
    pub simulated: Option<Box<dyn SimulatedPath>>,
    pub layout: Topology,
    /// The certificates, where the server speaks TLS.
    #[cfg(feature = "tls")]
    certificates: Option<Certificates>,
    /// The credentials of the client, and the addresses that it is given.
    pub address: Address,
    /// Dropped last: the servers' files are in it. Simulated servers have none.
    folder: Option<RunFolder>,
}

impl Environment {
    /// The folder of the run's files; empty where nothing is on disk.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), RunFolder::path)
    }

    /// The gateway at one of the client's addresses; `None` where it has no such address.
    pub fn gateway_of(&self, host: Host) -> Option<&Gateway> {
        let index = self.layout.hosts.iter().position(|found| *found == host)?;
        std::iter::once(&self.gateway).chain(&self.others).nth(index)
    }

    /// Every gateway.
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        std::iter::once(&self.gateway).chain(&self.others).chain(&self.spare)
    }

    /// The certificates of a server that speaks TLS.
    #[cfg(feature = "tls")]
    pub fn certificates(&self) -> Result<&Certificates, ServerError> {
        let none = || ServerError::Control { doing: "find a certificate of", reason: "it speaks no TLS".into() };
        self.certificates.as_ref().ok_or_else(none)
    }

    /// Starts the stopped server again, and accepts connections as soon as it answers.
    pub async fn start_server(&self) -> Result<(), EnvironmentError> {
        self.server().start().await?;
        self.admit().await
    }

    /// Accepts connections as soon as the server answers; returns once it runs queries.
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

    /// Has the primary's address refuse, as a host does on which no server listens; a middlebox stays, and answers itself.
    pub async fn refuse(&self) -> Result<(), EnvironmentError> {
        match self.middlebox {
            Some(_) => Ok(()),
            None => self.gateway_of_primary().refuse().await.map_err(EnvironmentError::Gateway),
        }
    }

    /// Where the gateway leads: the server, or what stands before it.
    pub fn behind_gateway(&self) -> SocketAddr {
        self.middlebox.as_ref().map_or_else(|| self.server().address(), MiddleboxProcess::address)
    }

    /// Ends what stands before the server, with every session that it holds there.
    pub async fn clear_path(&self) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &self.middlebox {
            middlebox.stop().await?;
        }
        Ok(())
    }

    /// The name server that answers for the client's server.
    pub fn names(&self) -> Option<&Names> {
        self.kernel.as_ref().and_then(Kernel::names)
    }

    /// Connects to the first of the client's addresses, as the client does.
    pub async fn dial(&self) -> io::Result<TcpStream> {
        match &self.kernel {
            Some(kernel) => kernel.dial(self.gateway.address()).await,
            None => TcpStream::connect(self.gateway.address()).await,
        }
    }

    /// Ends the connections that the client has given up, but could not say so because its packets were lost. On the
    /// proxy plane there are none.
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

    /// Lines of the servers' logs about the client's role.
    pub async fn log_of_client(&self) -> Result<Vec<LogLine>, ServerError> {
        let mut lines = Vec::new();
        for server in self.servers() {
            lines.extend(server.log().await?);
        }
        lines.retain(|line| line.role == self.address.user);
        Ok(lines)
    }

    /// Takes everything down, in reverse order.
    pub async fn close(self) -> Result<(), EnvironmentError> {
        for gateway in self.gateways() {
            gateway.close().await;
        }
        let cleared = self.clear_path().await;
        // All of them, also where one cannot be removed.
        let mut removed = Ok(());
        for server in self.servers.iter().rev() {
            removed = removed.and(server.remove().await);
        }
        removed?;
        cleared
    }
}
