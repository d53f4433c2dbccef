//! [`Experiment`], the library's entry point: runs one scenario against one client once.
//!
//! ```no_run
//! # async fn example() -> Result<(), pgsquall::Error> {
//! use pgsquall::Experiment;
//!
//! let run = Experiment::scenario("connection-reset")?.client_named("reference")?.run().await?;
//! run.assert_pass();
//! # Ok(())
//! # }
//! ```

mod times;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use self::times::{Question, RecoveryTimes};
use crate::client::{Client, ClientChoice, ClientError, ClientFactory, InProcess, LaunchContext, Supervised};
use crate::credentials::address::Address;
use crate::environment::choice::{ServerChoice, ServerSource};
use crate::environment::support::{check_supported, check_version, choose_placement};
use crate::environment::{Environment, EnvironmentSpec, resolution};
use crate::error::Error;
use crate::gateway::Tap;
use crate::judge::judge;
use crate::model::history::{Event, OpError};
use crate::model::plane::{Plane, PlaneChoice};
use crate::model::seed::Seed;
use crate::model::topology::Host;
use crate::nemesis;
use crate::netns::{ClientNetns, Kernel};
use crate::plan::Plan;
use crate::recorder::{Observer, Recorder};
use crate::report::Run;
use crate::run::artifacts;
use crate::run::host_load;
use crate::run::listen_notify::Subscription;
use crate::run::phases::{LOOK_EVERY, RunPhases};
use crate::run::wire_observer::WireObserver;
use crate::scenario::{Scenario, ScenarioError};

/// A run that has not started: a scenario, a client, a server and options.
///
/// The future of [`run`](Experiment::run) may be dropped at any time: that ends the client, the gateway and the server.
pub struct Experiment {
    scenario: Scenario,
    server: ServerChoice,
    client: Option<Arc<dyn ClientFactory>>,
    network: PlaneChoice,
    seed: Seed,
    repeat: (u32, u32),
    supervised: bool,
    out: Option<PathBuf>,
    observer: Option<Observer>,
}

impl Experiment {
    /// A scenario of the built-in catalogue, by name.
    ///
    /// *Errors*: no scenario has that name.
    pub fn scenario(name: &str) -> Result<Experiment, ScenarioError> {
        Ok(Experiment::new(Scenario::built_in(name)?))
    }

    /// Any scenario. By default the server is local if binaries are installed, and the seed is random.
    pub fn new(scenario: Scenario) -> Experiment {
        Experiment {
            scenario,
            server: ServerChoice::Auto,
            client: None,
            network: PlaneChoice::Auto,
            seed: Seed::random(),
            repeat: (0, 1),
            supervised: false,
            out: None,
            observer: None,
        }
    }

    /// The client under test: a closure that connects it to an address.
    pub fn client<F, Connecting, C>(mut self, connect: F) -> Experiment
    where
        F: Fn(Address) -> Connecting + Send + Sync + 'static,
        Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
        C: Client,
    {
        self.client = Some(Arc::new(InProcess { name: "in-process".into(), connect }));
        self
    }

    /// The client under test: a built-in one or a shipped adapter by name, or the command line of another adapter.
    ///
    /// *Errors*: the same as for [`ClientChoice::parse`].
    pub fn client_named(self, name: &str) -> Result<Experiment, ClientError> {
        Ok(self.client_choice(&ClientChoice::parse(name)?))
    }

    /// The client under test, already chosen.
    pub fn client_choice(mut self, client: &ClientChoice) -> Experiment {
        self.client = Some(Arc::clone(&client.0));
        self
    }

    /// Relaunches the client when its process exits, as systemd or Kubernetes would: after a second, then after growing
    /// pauses. A client that can only run in this process cannot be supervised, and its run is
    /// [`Error::NotExpressible`]; a built-in client can run in its own process only if it was chosen with
    /// [`ClientChoice::parse_in`].
    pub fn supervise(mut self) -> Experiment {
        self.supervised = true;
        self
    }

    /// The server behind the gateway.
    pub fn server(mut self, server: ServerChoice) -> Experiment {
        self.server = server;
        self
    }

    /// The network plane that injects the faults; default: the most faithful plane available here.
    pub fn network(mut self, plane: PlaneChoice) -> Experiment {
        self.network = plane;
        self
    }

    /// The longest acceptable time-to-recover, instead of the scenario's own.
    pub fn budget(mut self, time_to_recover: Duration) -> Experiment {
        self.scenario.budget.time_to_recover = time_to_recover;
        self
    }

    /// The seed, to repeat a run.
    pub fn seed(mut self, seed: Seed) -> Experiment {
        self.seed = seed;
        self
    }

    /// The index of this repeat, from 0, and the number of repeats: each injects the fault at another moment.
    pub fn repeat(mut self, index: u32, of: u32) -> Experiment {
        self.repeat = (index, of);
        self
    }

    /// A folder for the history, the verdict and the logs; created if it does not exist. Without one, nothing is
    /// stored.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Experiment {
        self.out = Some(folder.into());
        self
    }

    /// A callback for each recorded event; it must not block.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Experiment {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Carries out the run and judges it.
    ///
    /// *Errors*: only if the run could not be carried out; a client that fails is a verdict. After an error, the folder
    /// of [`out`](Experiment::out) holds only output of the client's processes.
    pub async fn run(self) -> Result<Run, Error> {
        let out = self.out.clone();
        let result = self.carry_out().await;
        if let (Err(_), Some(folder)) = (&result, out) {
            artifacts::discard(&folder);
        }
        result
    }

    async fn carry_out(self) -> Result<Run, Error> {
        let client = self.client.clone().ok_or(Error::NoClient)?;
        let (source, _) = self.server.resolve()?;
        let placement = self.choose_plane(client.as_ref(), &source).await?;
        let plan = self.plan(client.as_ref(), placement.is_some());
        let file = self.out.as_deref().map(|folder| artifacts::create(folder, "history.jsonl")).transpose()?;
        let recorder = Recorder::begin(plan.header.clone(), file, self.observer.clone());
        let client: Arc<dyn ClientFactory> = match self.supervised {
            true => Arc::new(Supervised::new(client, recorder.clone())),
            false => client,
        };

        let wire_observer = plan.header.setup.application.as_ref().map(|_| WireObserver::new(recorder.clone()));
        let tap: Arc<dyn Tap> = match &wire_observer {
            Some(observer) => Arc::clone(observer) as Arc<dyn Tap>,
            None => Arc::new(recorder.clone()),
        };
        let spec = EnvironmentSpec {
            settings: &plan.settings,
            layout: &plan.header.layout,
            middlebox: plan.header.middlebox.as_ref(),
            seed: plan.header.setup.seed,
            kernel: placement,
        };
        let environment = Environment::create(&source, spec, tap).await?;
        let server = environment.server().facts();
        let unsupported = plan.header.faults.iter().find_map(|fault| check_version(fault.kind, &server.version).err());
        if let Some(reason) = unsupported {
            environment.close().await?;
            return Err(self.not_expressible(reason));
        }
        recorder.record(Event::Server(server));
        let subscription = Subscription::new(recorder.clone());
        let phases = RunPhases {
            environment: &environment,
            injection: &|fault| nemesis::injection(fault, environment.kernel.is_some()),
            plan: &plan,
            recorder: &recorder,
            subscription: &subscription,
            observation: wire_observer.as_ref(),
            look_every: LOOK_EVERY,
            count_every: LOOK_EVERY,
            at_least: Duration::ZERO,
        };
        let run: Arc<Path> = environment.folder().into();
        let context = LaunchContext {
            output: self.out.as_deref().map_or_else(|| Arc::clone(&run), Arc::from),
            run,
            space: environment.kernel.as_ref().and_then(Kernel::home).cloned(),
            in_process: true,
        };
        tokio::select! {
            done = phases.run(client.as_ref(), context) => done?,
            never = host_load::watch(&recorder) => match never {},
        }
        self.store_logs(&environment).await?;
        environment.close().await?;
        self.judge_and_store(&recorder)
    }

    /// Checks that scenario, server and client fit together here, and chooses the plane: the client's place on the
    /// kernel plane, or `None` for the proxy plane.
    async fn choose_plane(
        &self,
        client: &dyn ClientFactory,
        source: &ServerSource,
    ) -> Result<Option<ClientNetns>, Error> {
        let Scenario { faults, layout, middlebox, .. } = &self.scenario;
        let choose = async {
            check_supported(faults, layout, middlebox.as_ref(), source)?;
            let placements = if self.supervised { Supervised::placements(client)? } else { client.placements() };
            let placement = choose_placement(self.network, faults, layout, placements).await?;
            if layout.hosts.contains(&Host::Unresolvable) {
                resolution::leads_nowhere().await?;
            }
            Ok(placement)
        };
        choose.await.map_err(|reason| self.not_expressible(reason))
    }

    fn plan(&self, client: &dyn ClientFactory, on_kernel_plane: bool) -> Plan {
        let mut plan = Plan::new(&self.scenario, &client.name(), self.seed, self.repeat.0, self.repeat.1);
        plan.header.setup.application = client.application();
        plan.header.setup.plane = if on_kernel_plane { Plane::Kernel } else { Plane::Proxy };
        plan.header.setup.plane_asked = self.network != PlaneChoice::Auto;
        plan.header.setup.supervised = self.supervised;
        plan
    }

    async fn store_logs(&self, environment: &Environment) -> Result<(), Error> {
        let Some(folder) = &self.out else { return Ok(()) };
        for (name, log) in artifacts::logs(environment).await {
            artifacts::store(folder, name, &log)?;
        }
        Ok(())
    }

    /// Ends the history, judges it, and stores the verdict.
    fn judge_and_store(self, recorder: &Recorder) -> Result<Run, Error> {
        let history = recorder.finish().map_err(|source| Error::Store {
            path: self.out.clone().unwrap_or_default().join("history.jsonl"),
            source,
        })?;
        let verdict = judge(&history);
        if let Some(folder) = &self.out {
            artifacts::store(folder, "verdict.json", &verdict.to_json())?;
        }
        Ok(Run { verdict, title: self.scenario.title, server: self.server, out: self.out })
    }

    fn not_expressible(&self, reason: String) -> Error {
        Error::NotExpressible { scenario: self.scenario.name.clone(), reason }
    }
}
