//! What the client is put into: servers, gateways in front of them, and the credentials to use them.
//!
//! Knows no scenario, no judge and no report.

pub mod choice;
#[cfg(feature = "tls")]
pub(crate) mod encryption;
pub mod leftovers;
pub(crate) mod middlebox;
mod replication;
pub(crate) mod resolution;
mod roles;
mod setup;
pub mod support;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use self::encryption::Encryption;
use self::middlebox::{MiddleboxError, MiddleboxProcess};
pub(crate) use self::setup::EnvironmentSpec;
use crate::credentials::address::Address;
use crate::gateway::{Cut, Gateway};
use crate::model::topology::{Host, Topology};
use crate::netns::Names;
use crate::netns::{Kernel, KernelError};
use crate::run_folder::RunFolder;
use crate::server::{LogLine, Readiness, Server, ServerError};

pub use crate::netns::Availability as KernelAvailability;
pub use crate::run_folder::storage;

/// What Docker has to offer here, in words; or why it has nothing.
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

/// Longest wait for a new server: crash recovery and a cold disk included.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(60);

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

/// Servers that are ready, and gateways that lead to them.
pub(crate) struct Environment {
    /// The one that is the primary when the run begins, then its standby, where there is one.
    servers: Vec<Arc<dyn Server>>,
    /// Which of them is the primary now.
    primary: AtomicUsize,
    /// Whether the one that was the primary is gone for good.
    lost: AtomicBool,
    /// What stands between the gateway and the server, where something does.
    pub middlebox: Option<MiddleboxProcess>,
    /// What the first of the client's addresses belongs to.
    pub gateway: Gateway,
    /// What the others belong to, in their order.
    others: Vec<Gateway>,
    /// Where the client's server can move to, where it is known by a name.
    spare: Option<Gateway>,
    /// Whether it has moved there.
    moved: AtomicBool,
    /// What is between the client and the gateways, where packets can be lost; dropped after them.
    pub kernel: Option<Kernel>,
    pub layout: Topology,
    /// The certificates, where the server speaks TLS.
    #[cfg(feature = "tls")]
    encryption: Option<Encryption>,
    /// What the client is given.
    pub address: Address,
    /// Dropped last: the servers' files are in it.
    pub folder: RunFolder,
}

impl Environment {
    /// The primary, as of now.
    pub fn server(&self) -> &dyn Server {
        self.servers[self.primary.load(Ordering::Acquire) % self.servers.len()].as_ref()
    }

    /// Every server, the one that was the primary first when the run began.
    pub fn servers(&self) -> impl Iterator<Item = &dyn Server> {
        self.servers.iter().map(Arc::as_ref)
    }

    /// What the address of the primary, as of now, belongs to.
    fn door_of_primary(&self) -> &Gateway {
        if let (Some(spare), true) = (&self.spare, self.moved.load(Ordering::Acquire)) {
            return spare;
        }
        let host = if self.primary.load(Ordering::Acquire) == 0 { Host::Primary } else { Host::Standby };
        self.door(host).filter(|_| !self.others.is_empty()).unwrap_or(&self.gateway)
    }

    /// The gateway to which one of the client's addresses belongs; `None` where it has no such address.
    pub fn door(&self, host: Host) -> Option<&Gateway> {
        let index = self.layout.hosts.iter().position(|found| *found == host)?;
        std::iter::once(&self.gateway).chain(&self.others).nth(index)
    }

    /// Everything that clients come through.
    fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        std::iter::once(&self.gateway).chain(&self.others).chain(&self.spare)
    }

    /// The certificates of a server that speaks TLS.
    #[cfg(feature = "tls")]
    pub fn encryption(&self) -> Result<&Encryption, ServerError> {
        let none = || ServerError::Control { doing: "find a certificate of", reason: "it speaks no TLS".into() };
        self.encryption.as_ref().ok_or_else(none)
    }

    /// Starts the stopped server again, and lets clients through as soon as it answers.
    pub async fn start_server(&self) -> Result<(), EnvironmentError> {
        self.server().start().await?;
        self.admit().await
    }

    /// Lets clients through as soon as the server answers; returns once it runs queries.
    pub async fn admit(&self) -> Result<(), EnvironmentError> {
        self.server().wait(Readiness::Answering, START_PATIENCE).await?;
        match &self.middlebox {
            Some(middlebox) => middlebox.route_to(self.server().address()).await?,
            None => {
                let door = self.door_of_primary();
                door.route_to(self.server().address());
                door.accept().await.map_err(EnvironmentError::Gateway)?;
            }
        }
        self.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        if let Some(middlebox) = &self.middlebox {
            middlebox.wait().await?;
        }
        Ok(())
    }

    /// Has the gateway refuse, as a host does on which no server listens; a middlebox stays, and speaks for itself.
    pub async fn without_server(&self) -> Result<(), EnvironmentError> {
        match self.middlebox {
            Some(_) => Ok(()),
            None => self.door_of_primary().refuse().await.map_err(EnvironmentError::Gateway),
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

    /// What the client is told when it asks for its server's name.
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

    /// Ends the connections that the client has given up, but could not say so because its packets were lost. Elsewhere
    /// than on the kernel plane there are none.
    pub async fn end_vanished(&self) -> io::Result<()> {
        if let Some(kernel) = &self.kernel {
            let open_sockets = kernel.open_sockets()?;
            for gateway in self.gateways() {
                gateway.cut_all_but(&open_sockets, Cut::Reset).await;
            }
        }
        Ok(())
    }

    /// What the servers have logged of the client's role.
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
