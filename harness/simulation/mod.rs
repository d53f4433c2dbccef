//! The simulation plane: client, gateway and server on simulated hosts, in virtual time.
//!
//! A minute of virtual time takes some milliseconds, and the same seed gives the same history. The workload, the
//! phases of a run, the gateway, the history and the judge are those of real runs; only the network and the server
//! are simulated. The client under test must connect through a [`Net`]:
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
//! proptest draws and shrinks random [`schedules`] of faults; `pgsquall sim` does the same from the command line:
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
//! Everything here, and every library that takes time and randomness from its runtime. Not deterministic: a client
//! that draws its jitter from the operating system, reads the machine's clock or iterates over a `HashMap`, and,
//! unless the program is built with `--cfg tokio_unstable`, a `tokio::select!` without `biased`.

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

/// The interval, in virtual time, at which a run checks whether the client has recovered. Longer than in real runs,
/// because each check costs real time, and waiting longer costs only virtual time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The interval, in virtual time, at which the client's sessions are counted while they settle.
const COUNT_EVERY: Duration = Duration::from_millis(100);

/// The shortest run of a random schedule, from the steady state on: 30 s in which faults begin, and 30 s to recover.
const A_MINUTE: Duration = Duration::from_secs(60);

/// One scenario run against one client in virtual time.
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
    /// A simulation of a built-in scenario, by name.
    ///
    /// *Errors*: no built-in scenario has that name.
    pub fn scenario(name: &str) -> Result<Simulation, ScenarioError> {
        Ok(Simulation::new(Scenario::built_in(name)?))
    }

    /// A simulation of any scenario, with seed 1.
    pub fn new(scenario: Scenario) -> Simulation {
        Simulation { scenario, client: None, seed: Seed(1), repeat: (0, 1), at_least: Duration::ZERO, out: None }
    }

    /// A simulation of a schedule of faults; it takes at least a minute of virtual time.
    ///
    /// *Errors*: the schedule is not a valid scenario; one drawn by [`schedules`] is always valid.
    pub fn schedule(schedule: &Schedule) -> Result<Simulation, ScenarioError> {
        Ok(Simulation { at_least: A_MINUTE, ..Simulation::new(schedule.scenario(RANDOM)?) })
    }

    /// Sets the client under test: a closure that connects it through the given network.
    pub fn client<F, Connecting, C>(mut self, connect: F) -> Simulation
    where
        F: Fn(Net, Address) -> Connecting + Send + Sync + 'static,
        Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
        C: Client,
    {
        self.client = Some(Arc::new(Own(Arc::new(connect))));
        self
    }

    /// Sets the client under test: a built-in client, by name.
    ///
    /// *Errors*: no built-in client has that name. Adapters are processes, and cannot be simulated.
    pub fn client_named(mut self, name: &str) -> Result<Simulation, ClientError> {
        let known: Vec<_> = crate::client::reference::built_in().map(|(name, _)| name).collect();
        let Some(found) = known.iter().copied().find(|known| *known == name) else {
            let reason = "only a client written in Rust can be simulated".into();
            return Err(ClientError::Unknown { name: name.into(), known, reason });
        };
        self.client = Some(Arc::new(BuiltIn(found)));
        Ok(self)
    }

    /// Sets the longest acceptable time to recover, in place of the scenario's (60 s by default).
    pub fn budget(mut self, time_to_recover: Duration) -> Simulation {
        self.scenario.budget.time_to_recover = time_to_recover;
        self
    }

    /// Sets the seed of all random choices.
    pub fn seed(mut self, seed: Seed) -> Simulation {
        self.seed = seed;
        self
    }

    /// Sets the index of this repeat, from 0, and the number of repeats. Repeats sweep the moment of the fault.
    pub fn repeat(mut self, index: u32, of: u32) -> Simulation {
        self.repeat = (index, of);
        self
    }

    /// Sets the folder for the history and the verdict, which is created if missing. Without a folder, nothing is
    /// stored.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Simulation {
        self.out = Some(folder.into());
        self
    }

    /// Runs the simulation, and judges its history.
    ///
    /// Blocks the thread for some milliseconds; may be called from anywhere, also within a runtime.
    ///
    /// *Errors*: the run could not take place or its results could not be stored. A failing client is a verdict, not
    /// an error.
    pub fn run(&self) -> Result<Run, Error> {
        let history = self.record()?;
        let verdict = judge(&history);
        if let Some(folder) = &self.out {
            artifacts::store(folder, "verdict.json", &verdict.to_json())?;
        }
        let title = self.scenario.title.clone();
        Ok(Run { verdict, title, server: ServerChoice::Auto, out: self.out.clone() })
    }

    /// Runs the simulation, and returns its history: for the same seed the same, byte for byte.
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
        // The runtime is dropped before the network, because its tasks hold the sockets.
        let recorded = runtime.block_on(self.carry_out(client.as_ref(), &network));
        drop(runtime);
        recorded
    }

    /// The seed of randomness outside the plan; it differs for each repeat, as chance does in real runs.
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
        // An in-process client writes no files.
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

/// Checks that a scenario can be simulated.
///
/// *Errors*: the reason, worded for a report.
pub fn check_simulable(scenario: &Scenario) -> Result<(), String> {
    if let Some(middlebox) = &scenario.middlebox {
        return Err(format!("{} is a real program, which virtual time would not wait for", middlebox.through));
    }
    environment::check_topology(&scenario.layout)?;
    environment::settings(&scenario.settings)?;
    scenario.faults.iter().try_for_each(nemesis::check_fault)
}
