//! What the client is put into: a server, a gateway in front of it, and the credentials to use it.
//!
//! Knows no scenario, no judge and no report.

pub mod address;
pub mod choice;
pub mod expressible;
pub(crate) mod folder;
pub(crate) mod identity;
pub mod leftovers;
pub(crate) mod network;
pub mod preparation;
pub mod server;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::address::Address;
use self::choice::ServerSource;
use self::folder::RunFolder;
use self::network::{Gateway, MiddleboxError, MiddleboxProcess};
#[cfg(feature = "docker")]
use self::server::DockerServer;
use self::server::{ExternalServer, LocalServer, LogLine, Readiness, Server, ServerError};
use crate::middlebox::Middlebox;
use crate::recorder::Recorder;
use crate::seed::Seed;

pub use self::folder::storage;

/// What Docker has to offer here, in words; or why it has nothing.
pub async fn docker_availability() -> Result<String, String> {
    #[cfg(feature = "docker")]
    return server::docker_availability().await;
    #[cfg(not(feature = "docker"))]
    return Err("this build has no Docker support".into());
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
    #[error("the gateway cannot listen on a loopback port: {0}")]
    Gateway(io::Error),
    #[error("cannot make a run folder: {0}")]
    Folder(io::Error),
}

/// A server that is ready, and a gateway that leads to it.
pub(crate) struct Environment {
    pub server: Arc<dyn Server>,
    /// What stands between the gateway and the server, where something does.
    pub middlebox: Option<MiddleboxProcess>,
    pub gateway: Gateway,
    /// What the client is given.
    pub address: Address,
    /// Dropped last: the server's files are in it.
    pub folder: RunFolder,
}

impl Environment {
    /// Brings up a server with these settings, what is to stand before it, and a gateway before that.
    pub async fn create(
        source: &ServerSource,
        settings: &[(String, String)],
        middlebox: Option<&Middlebox>,
        seed: Seed,
        recorder: Recorder,
    ) -> Result<Environment, EnvironmentError> {
        let folder = RunFolder::create().map_err(EnvironmentError::Folder)?;
        let mut external: Option<Arc<ExternalServer>> = None;
        let server: Arc<dyn Server> = match source {
            ServerSource::Local(binaries) => {
                let server = LocalServer::create(binaries, &folder, settings).await?;
                server.start().await?;
                Arc::new(server)
            }
            #[cfg(feature = "docker")]
            ServerSource::Docker(image) => {
                let run = folder.path().display().to_string();
                let server = DockerServer::create(image.as_deref(), &run, settings).await?;
                Arc::new(server)
            }
            #[cfg(not(feature = "docker"))]
            ServerSource::Docker(_) => {
                return Err(ServerError::Control { doing: "provide", reason: "no Docker support".into() }.into());
            }
            ServerSource::External(url) => {
                let server = Arc::new(ExternalServer::create(url).await?);
                external = Some(Arc::clone(&server));
                server as Arc<dyn Server>
            }
        };
        server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        let gateway = Gateway::open(server.address(), seed, Arc::new(recorder)).map_err(EnvironmentError::Gateway)?;
        let address = match external {
            Some(server) => server.client_address(gateway.address()),
            None => own_address(source, server.as_ref(), gateway.address()).await?,
        };
        let middlebox =
            middlebox.map(|found| MiddleboxProcess::create(found, &folder, server.address(), &address)).transpose()?;
        if let Some(middlebox) = &middlebox {
            middlebox.start().await?;
            gateway.lead_to(middlebox.address());
        }
        Ok(Environment { server, middlebox, gateway, address, folder })
    }

    /// Starts the stopped server again, and lets clients through as soon as it answers.
    pub async fn start_server(&self) -> Result<(), EnvironmentError> {
        self.server.start().await?;
        self.server.wait(Readiness::Answering, START_PATIENCE).await?;
        match &self.middlebox {
            Some(middlebox) => middlebox.lead_to(self.server.address()).await?,
            None => {
                self.gateway.lead_to(self.server.address());
                self.gateway.accept().await.map_err(EnvironmentError::Gateway)?;
            }
        }
        self.server.wait(Readiness::AcceptingQueries, START_PATIENCE).await?;
        if let Some(middlebox) = &self.middlebox {
            middlebox.wait().await?;
        }
        Ok(())
    }

    /// Has the gateway refuse, as a host does on which no server listens; a middlebox stays, and speaks for itself.
    pub async fn without_server(&self) -> Result<(), EnvironmentError> {
        match self.middlebox {
            Some(_) => Ok(()),
            None => self.gateway.refuse().await.map_err(EnvironmentError::Gateway),
        }
    }

    /// Where the gateway leads: the server, or what stands before it.
    pub fn behind_gateway(&self) -> SocketAddr {
        self.middlebox.as_ref().map_or_else(|| self.server.address(), MiddleboxProcess::address)
    }

    /// Ends what stands before the server, with every session that it holds there.
    pub async fn clear_path(&self) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &self.middlebox {
            middlebox.stop().await?;
        }
        Ok(())
    }

    /// What the server has logged of the client's role.
    pub async fn log_of_client(&self) -> Result<Vec<LogLine>, ServerError> {
        let mut lines = self.server.log().await?;
        lines.retain(|line| line.role == self.address.user);
        Ok(lines)
    }

    /// Takes everything down, in reverse order.
    pub async fn close(self) -> Result<(), EnvironmentError> {
        self.gateway.close().await;
        let cleared = self.clear_path().await;
        self.server.remove().await?;
        cleared
    }
}

/// Credentials on a server of ours: a password that lives as long as the run.
async fn own_address(source: &ServerSource, server: &dyn Server, gateway: SocketAddr) -> Result<Address, ServerError> {
    let superuser = server.superuser();
    if !matches!(source, ServerSource::Local(_)) {
        preparation::prepare(&superuser).await?;
    }
    let address = Address {
        gateway,
        user: preparation::ROLE.into(),
        password: identity::password(),
        database: preparation::DATABASE.into(),
    };
    let session = superuser.connect().await?;
    for role in [preparation::ROLE, preparation::OCCUPANT] {
        preparation::set_password(&session, role, &address.password).await?;
    }
    Ok(address)
}
