//! The simulation plane: client, gateway and server on simulated hosts, in virtual time.
//!
//! A minute passes in some milliseconds, and the same seed gives the same history. The
//! workload, the course of a run, the gateway, the history and the judge are those of real runs; the network and the server
//! are simulated, so that a client takes part that makes its connections through a [`Net`]:
//!
//! ```
//! use pgsquall::simulation::{Net, Simulation};
//! use pgsquall::{Address, Client, OpError};
//! use tokio_postgres::{Config, NoTls};
//!
//! /// Connects anew for each operation.
//! struct Anew(Net, Address);
//!
//! impl Anew {
//!     async fn connect(&self) -> Result<tokio_postgres::Client, OpError> {
//!         let stream = self.0.connect(&self.1.hosts[0]).await?;
//!         let (client, connection) = self.1.url().parse::<Config>()?.connect_raw(stream, NoTls).await?;
//!         tokio::spawn(connection);
//!         Ok(client)
//!     }
//! }
//!
//! impl Client for Anew {
//!     async fn write(&self, key: i64) -> Result<(), OpError> {
//!         self.connect().await?.execute("INSERT INTO pgsquall_ledger (id) VALUES ($1)", &[&key]).await?;
//!         Ok(())
//!     }
//!
//!     async fn read(&self, key: i64) -> Result<bool, OpError> {
//!         let found = self.connect().await?.query("SELECT 1 FROM pgsquall_ledger WHERE id = $1", &[&key]).await?;
//!         Ok(!found.is_empty())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = |net, address| async { Ok(Anew(net, address)) };
//! Simulation::scenario("blackhole")?.client(client).run()?.assert_pass();
//! # Ok(())
//! # }
//! ```
//!
//! Random [`schedules`] of faults are drawn and shrunk by proptest, `pgsquall sim` does it from the command line:
//!
//! ```
//! use pgsquall::simulation::{Simulation, schedules};
//! use proptest::prelude::*;
//!
//! proptest! {
//!     #![proptest_config(ProptestConfig::with_cases(20))]
//!     # /*
//!     #[test]
//!     # */
//!     fn it_survives(schedule in schedules()) {
//!         let run = Simulation::schedule(&schedule)?.client_named("reference")?.run()?;
//!         prop_assert!(!run.has_failed(), "{run}");
//!     }
//! }
//! # it_survives();
//! ```
//!
//! # What is deterministic
//!
//! Everything here, and every library that asks for time and chance by way of its runtime. A client that draws its jitter
//! from the operating system, reads the machine's clock or iterates over a `HashMap` is not; nor is a `tokio::select!`
//! without `biased`, unless the program is built with `--cfg tokio_unstable`.

mod client;
mod environment;
mod nemesis;
mod net;
mod schedule;
mod search;
mod server;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

pub use self::net::{Net, Stream};
pub use self::schedule::{Schedule, schedules};
pub use self::search::{Failure, Outcome, schedule_of, try_seed};
pub use crate::gateway::transport::{KeepaliveTimes, SocketOptions};

use self::client::{BuiltIn, Own, SimClientFactory};
use crate::client::{Client, ClientError, LaunchContext};
use crate::credentials::address::Address;
use crate::credentials::wall_clock::WallClock;
use crate::environment::choice::ServerChoice;
use crate::error::Error;
use crate::experiment::Question;
use crate::gateway::Tap;
use crate::judge::judge;
use crate::model::history::{Event, History, OpError};
use crate::model::plane::Plane;
use crate::model::seed::Seed;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::report::Run;
use crate::run::artifacts;
use crate::run::listen_notify::Subscription;
use crate::run::phases::RunPhases;
use crate::scenario::{RANDOM, Scenario, ScenarioError};
use crate::simnet::Network;

/// How often it is looked whether the client has recovered. To look costs time of the machine's, and what it delays is
/// virtual.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often the client's sessions are counted while they settle.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// How long a run of a random schedule takes at least, from the steady state.
const A_MINUTE: Duration = Duration::from_secs(60);

/// One question to one client, asked in virtual time.
#[derive(Clone)]
pub struct Simulation {
    scenario: Scenario,
    client: Option<Arc<dyn SimClientFactory>>,
    seed: Seed,
    repeat: (u32, u32),
    at_least: Duration,
    out: Option<PathBuf>,
}

impl Simulation {
    /// A scenario of the built-in catalogue, by name.
    ///
    /// *Errors*: there is none of that name.
    pub fn scenario(name: &str) -> Result<Simulation, ScenarioError> {
        Ok(Simulation::new(Scenario::built_in(name)?))
    }

    /// Any scenario; the seed is 1.
    pub fn new(scenario: Scenario) -> Simulation {
        Simulation { scenario, client: None, seed: Seed(1), repeat: (0, 1), at_least: Duration::ZERO, out: None }
    }

    /// A schedule of faults; such a run takes a minute of virtual time at least.
    ///
    /// *Errors*: none that a schedule drawn by [`schedules`] could have.
    pub fn schedule(schedule: &Schedule) -> Result<Simulation, ScenarioError> {
        Ok(Simulation { at_least: A_MINUTE, ..Simulation::new(schedule.scenario(RANDOM)?) })
    }

    /// The client under test: a closure that connects it, through the network that it is given.
    pub fn client<F, Connecting, C>(mut self, connect: F) -> Simulation
    where
        F: Fn(Net, Address) -> Connecting + Send + Sync + 'static,
        Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
        C: Client,
    {
        self.client = Some(Arc::new(Own(Arc::new(connect))));
        self
    }

    /// The client under test: a built-in one, by name.
    ///
    /// *Errors*: there is none of that name; an adapter is a process, and cannot take part.
    pub fn client_named(mut self, name: &str) -> Result<Simulation, ClientError> {
        let known: Vec<_> = crate::client::reference::built_in().map(|(name, _)| name).collect();
        let Some(found) = known.iter().copied().find(|known| *known == name) else {
            let reason = "only a client written in Rust can be simulated".into();
            return Err(ClientError::Unknown { name: name.into(), known, reason });
        };
        self.client = Some(Arc::new(BuiltIn(found)));
        Ok(self)
    }

    /// The longest acceptable time-to-recover; 60 s unless the scenario says otherwise.
    pub fn budget(mut self, time_to_recover: Duration) -> Simulation {
        self.scenario.budget.time_to_recover = time_to_recover;
        self
    }

    /// The seed of all that chance decides.
    pub fn seed(mut self, seed: Seed) -> Simulation {
        self.seed = seed;
        self
    }

    /// Which of several repeats this is, from 0, and of how many: they sweep the moment of the fault.
    pub fn repeat(mut self, index: u32, of: u32) -> Simulation {
        self.repeat = (index, of);
        self
    }

    /// A folder for the history and the verdict; it is made if it is not there. Without one, nothing stays.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Simulation {
        self.out = Some(folder.into());
        self
    }

    /// Asks the question, and judges what came of it.
    ///
    /// Blocks the thread for some milliseconds; may be called from anywhere, also within a runtime.
    ///
    /// *Errors*: only if the run could not take place; all that the client does is a verdict.
    pub fn run(&self) -> Result<Run, Error> {
        let history = self.record()?;
        let verdict = judge(&history);
        if let Some(folder) = &self.out {
            artifacts::store(folder, "verdict.json", &verdict.to_json())?;
        }
        let title = self.scenario.title.clone();
        Ok(Run { verdict, title, server: ServerChoice::Auto, out: self.out.clone() })
    }

    /// Asks the question, and returns the record of all that happened: the same for the same seed, to the last byte.
    ///
    /// *Errors*: as [`run`](Simulation::run).
    pub fn record(&self) -> Result<History, Error> {
        if Handle::try_current().is_err() {
            return self.on_this_thread();
        }
        // A runtime cannot be driven from within another.
        std::thread::scope(|scope| match scope.spawn(|| self.on_this_thread()).join() {
            Ok(recorded) => recorded,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn on_this_thread(&self) -> Result<History, Error> {
        let client = self.client.as_ref().ok_or(Error::NoClient)?;
        check_simulable(&self.scenario)
            .map_err(|reason| Error::NotExpressible { scenario: self.scenario.name.clone(), reason })?;
        let network = Network::open(self.chance().fork("network")).map_err(Error::Simulation)?;
        let mut builder = crate::simnet::runtime();
        #[cfg(tokio_unstable)]
        builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&self.chance().fork("runtime").0.to_le_bytes()));
        let runtime = builder.build().map_err(Error::Simulation)?;
        // The runtime goes before the network does, and with it every socket.
        let recorded = runtime.block_on(self.carry_out(client.as_ref(), &network));
        drop(runtime);
        recorded
    }

    /// Seed for randomness outside the plan; differs per repeat, as in reality.
    fn chance(&self) -> Seed {
        match self.repeat.0 {
            0 => self.seed,
            repeat => self.seed.fork(&format!("repeat {repeat}")),
        }
    }

    async fn carry_out(&self, client: &dyn SimClientFactory, network: &Network) -> Result<History, Error> {
        network.start();
        let mut plan = Plan::new(&self.scenario, &client.name(), self.seed, self.repeat.0, self.repeat.1);
        plan.header.setup.plane = Plane::Simulation;
        let file = self.out.as_deref().map(|folder| artifacts::create(folder, "history.jsonl")).transpose()?;
        let recorder = Recorder::begin(plan.header.clone(), file, None);
        let tap: Arc<dyn Tap> = Arc::new(recorder.clone());
        let clock = WallClock::beginning_now();
        let environment = environment::create(network, &plan, tap, clock).await?;
        recorder.record(Event::Server(environment.server().facts()));
        let subscription = Subscription::new(recorder.clone());
        let filter = network.filter();
        let course = RunPhases {
            environment: &environment,
            injection: &|fault| nemesis::injection(fault, filter),
            plan: &plan,
            recorder: &recorder,
            subscription: &subscription,
            observation: None,
            look_every: LOOK_EVERY,
            count_every: COUNT_EVERY,
            at_least: self.at_least,
        };
        let launch = client.on(Net::new(network.client(), clock), self.chance().fork("client"));
        // It is no process, and keeps no files.
        let nowhere: Arc<std::path::Path> = PathBuf::new().into();
        let home = LaunchContext { run: Arc::clone(&nowhere), output: nowhere, space: None, in_process: true };
        course.run(launch.as_ref(), home).await?;
        environment.close().await?;
        let stored = |source| Error::Store { path: self.out.clone().unwrap_or_default().join("history.jsonl"), source };
        recorder.finish_virtual().map_err(stored)
    }
}

impl Question for Simulation {
    fn ask(self, seed: Seed, repeat: u32, of: u32) -> Result<Run, Error> {
        self.seed(seed).repeat(repeat, of).run()
    }
}

/// Whether a scenario can be simulated.
///
/// *Errors*: why not, in words that can stand in a report.
pub fn check_simulable(scenario: &Scenario) -> Result<(), String> {
    if let Some(middlebox) = &scenario.middlebox {
        return Err(format!("{} is a real program, which virtual time would not wait for", middlebox.through));
    }
    environment::check_topology(&scenario.layout)?;
    environment::settings(&scenario.settings)?;
    scenario.faults.iter().try_for_each(nemesis::check_fault)
}
