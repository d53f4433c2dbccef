//! The built-in clients: one pool on tokio-postgres that recovers well, and variants of it with one change each, mostly
//! a planted defect.
//!
//! `behaviour` is the table of clients, `pool` applies it, `connection` and `transport` open sessions, `serve` speaks
//! the adapter protocol for a client that runs as a process.

mod backoff;
mod behaviour;
mod connection;
mod deadline;
mod encryption;
mod errors;
mod lookup;
#[cfg(not(feature = "tls"))]
mod plaintext;
mod pool;
mod serve;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;

use self::behaviour::{ALL, Behaviour};
use self::pool::Pool;
pub use self::serve::serve;
use self::transport::Transport;
use super::{Adapter, Call, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
#[cfg(feature = "simulation")]
use crate::gateway::transport::Dial;
use crate::model::history::{Capability, ClientFacts, Ended, OpError};
use crate::model::plane::Placements;
use crate::model::seed::Seed;

/// The number of concurrent operations of a built-in client, which is also the size of its pool.
const CONCURRENCY: u32 = 4;

/// A built-in client, by name.
pub(crate) struct Reference {
    name: &'static str,
    behaviour: Behaviour,
    /// The program whose `adapter NAME` command is this client.
    program: Option<PathBuf>,
}

impl Reference {
    /// The built-in client of that name.
    pub fn by_name(name: &str) -> Option<Reference> {
        let found = ALL.iter().find(|built_in| built_in.name == name)?;
        Some(Reference { name: found.name, behaviour: (found.behaviour)(), program: None })
    }

    /// This client, able to run as a process too: `program adapter NAME` speaks the adapter protocol for it.
    pub fn in_program(self, program: PathBuf) -> Reference {
        Reference { program: Some(program), ..self }
    }

    /// Starts the client in this process.
    fn start(&self, address: &Address) -> Running {
        self.start_on(address, Transport::Os, Seed::random())
    }

    /// Starts the client on a simulated network; `seed`: for its jitter.
    #[cfg(feature = "simulation")]
    pub fn start_simulated(&self, address: &Address, dial: Arc<dyn Dial>, seed: Seed) -> Arc<dyn DynClient> {
        Arc::new(self.start_on(address, Transport::Custom(dial), seed))
    }

    fn start_on(&self, address: &Address, transport: Transport, seed: Seed) -> Running {
        // Connections are opened on first use, as lazy pools do: a server that is down at the start is handled like
        // one that fails later.
        let pool = Pool::new(address.clone(), self.behaviour.clone(), CONCURRENCY, transport, seed);
        Running { name: self.name, pool }
    }
}

/// The names of all built-in clients.
pub(super) fn names() -> Vec<&'static str> {
    built_in().map(|(name, _)| name).collect()
}

/// Name and description of every built-in client, the good one first.
pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|built_in| (built_in.name, built_in.about))
}

#[async_trait]
impl ClientFactory for Reference {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: true, process: self.program.is_some() }
    }

    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        if let Some(program) = self.program.as_ref().filter(|_| context.space.is_some() || !context.in_process) {
            return Adapter::from_program(program, &["adapter", self.name]).launch(address, context).await;
        }
        Ok(Arc::new(self.start(address)))
    }
}

struct Running {
    name: &'static str,
    pool: Pool,
}

#[async_trait]
impl DynClient for Running {
    fn facts(&self) -> ClientFacts {
        ClientFacts {
            name: self.name.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            concurrency: CONCURRENCY,
            capabilities: Capability::ALL.map(|(word, _)| word.to_owned()).to_vec(),
            timeout: self.pool.operation_deadline(),
        }
    }

    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError> {
        match self.pool.cancels_late() {
            true => finish_late(call, self.pool.perform(call.kind, call.key)).await,
            false => call.or_cancel(self.pool.perform(call.kind, call.key)).await,
        }
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        self.pool.listen(news).await
    }

    fn ended(&self) -> Option<Ended> {
        None
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Lets a call run to its own end after its deadline, and only then returns the deadline's error: a planted defect.
async fn finish_late<T>(call: Call, work: impl Future<Output = Result<T, OpError>>) -> Result<T, OpError> {
    let began = Instant::now();
    let done = work.await;
    let is_late = call.deadline.is_some_and(|deadline| began.elapsed() > deadline);
    if is_late { Err(call.cancelled()) } else { done }
}
