//! The client under test in a simulation: a closure of the user, or a built-in client by name.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::net::Net;
use crate::client::reference::Reference;
use crate::client::{Client, ClientError, ClientFactory, DynClient, InProcess, LaunchContext};
use crate::credentials::address::Address;
use crate::credentials::wall_clock::WallClock;
use crate::gateway::transport::{Dial, SocketOptions, Stream};
use crate::model::history::OpError;
use crate::model::plane::Placements;
use crate::model::seed::Seed;

/// A client under test that can be attached to any simulated network.
pub(super) trait SimClientFactory: Send + Sync {
    fn name(&self) -> String;

    /// Returns the factory of this client on one network. `seed`: the seed of the client's randomness.
    fn on(&self, net: Net, seed: Seed) -> Box<dyn ClientFactory>;
}

/// A client that a closure of the user connects.
pub(super) struct Own<F>(pub Arc<F>);

impl<F, Connecting, C> SimClientFactory for Own<F>
where
    F: Fn(Net, Address) -> Connecting + Send + Sync + 'static,
    Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
    C: Client,
{
    fn name(&self) -> String {
        "in-process".into()
    }

    fn on(&self, net: Net, _seed: Seed) -> Box<dyn ClientFactory> {
        let connect = Arc::clone(&self.0);
        Box::new(InProcess { name: self.name(), connect: move |address| connect(net.clone(), address) })
    }
}

/// A built-in client.
pub(super) struct BuiltIn(pub &'static str);

impl SimClientFactory for BuiltIn {
    fn name(&self) -> String {
        self.0.into()
    }

    fn on(&self, net: Net, seed: Seed) -> Box<dyn ClientFactory> {
        Box::new(OnNetwork { name: self.0, net, seed })
    }
}

/// A built-in client on one network.
struct OnNetwork {
    name: &'static str,
    net: Net,
    seed: Seed,
}

#[async_trait]
impl ClientFactory for OnNetwork {
    fn name(&self) -> String {
        self.name.into()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: true, process: false }
    }

    async fn launch(&self, address: &Address, _home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let none = || ClientError::SetUp(format!("{} is not built in", self.name));
        let built_in = Reference::by_name(self.name).ok_or_else(none)?;
        Ok(built_in.start_simulated(address, Arc::new(self.net.clone()), self.seed))
    }
}

#[async_trait]
impl Dial for Net {
    async fn dial(&self, to: SocketAddr, options: SocketOptions) -> io::Result<Box<dyn Stream>> {
        // As tokio-postgres does: TCP_USER_TIMEOUT is set on the open connection, and does not limit the handshake.
        let SocketOptions { keepalive, user_timeout } = options;
        let stream = self.connect_with(to, SocketOptions { keepalive, user_timeout: None }).await?;
        stream.set_user_timeout(user_timeout)?;
        Ok(Box::new(stream))
    }

    fn wall_clock(&self) -> WallClock {
        self.clock
    }
}
