//! The client under test in a simulation: one of the user's own, or a built-in one.

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

/// How a client of one kind is brought up in a simulation.
pub(super) trait SimClientFactory: Send + Sync {
    fn name(&self) -> String;

    /// This client on one network. `seed` is the seed of its randomness.
    fn on(&self, net: Net, seed: Seed) -> Box<dyn ClientFactory>;
}

/// A client of the user's own.
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
        // As the library does it: the kernel alone ends a connect, with or without keepalive settings.
        let SocketOptions { keepalive, user_timeout } = options;
        let stream = self.connect_with(to, SocketOptions { keepalive, user_timeout: None }).await?;
        stream.set_user_timeout(user_timeout)?;
        Ok(Box::new(stream))
    }

    fn wall_clock(&self) -> WallClock {
        self.clock
    }
}
