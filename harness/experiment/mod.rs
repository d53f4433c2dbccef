//! The front door: one scenario, one client, one run.
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
use crate::environment::choice::ServerChoice;
use crate::environment::support::{check_supported, check_version, side};
use crate::environment::{Environment, EnvironmentSpec, resolution};
use crate::error::Error;
use crate::gateway::Tap;
use crate::judge::judge;
use crate::model::history::{Event, OpError};
use crate::model::plane::{Plane, PlaneChoice};
use crate::model::seed::Seed;
use crate::model::topology::Host;
use crate::nemesis;
use crate::netns::Kernel;
use crate::plan::Plan;
use crate::recorder::{Observer, Recorder};
use crate::report::Run;
use crate::run::artifacts;
use crate::run::host_load;
use crate::run::listen_notify::Subscription;
use crate::run::phases::{LOOK_EVERY, RunPhases};
use crate::run::wire_observer::WireObserver;
use crate::scenario::{Scenario, ScenarioError};

/// One question to one client, not yet asked.
///
/// The future of [`run`](Experiment::run) may be dropped at any time: the client, the gateway and the server go with
/// it.
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
    /// *Errors*: there is none of that name.
    pub fn scenario(name: &str) -> Result<Experiment, ScenarioError> {
        Ok(Experiment::new(Scenario::built_in(name)?))
    }

    /// Any scenario. The server is local where binaries are found, the seed is random.
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

    /// The client under test: a closure that connects it to the address it is given.
    pub fn client<F, Connecting, C>(mut self, connect: F) -> Experiment
    where
        F: Fn(Address) -> Connecting + Send + Sync + 'static,
        Connecting: Future<Output = Result<C, OpError>> + Send + 'static,
        C: Client,
    {
        self.client = Some(Arc::new(InProcess { name: "in-process".into(), connect }));
        self
    }

    /// The client under test: a built-in one by name, or the command line of an adapter.
    pub fn client_named(self, name: &str) -> Result<Experiment, ClientError> {
        Ok(self.client_choice(&ClientChoice::parse(name)?))
    }

    /// The client under test, already chosen.
    pub fn client_choice(mut self, client: &ClientChoice) -> Experiment {
        self.client = Some(Arc::clone(&client.0));
        self
    }

    /// Launches the client again whenever its process exits, as systemd or Kubernetes would: a second later, then after
    /// pauses that grow. A built-in client is a process then; one that lives in this process alone cannot be supervised,
    /// and such a run is [`Error::NotExpressible`].
    pub fn supervise(mut self) -> Experiment {
        self.supervised = true;
        self
    }

    /// The server behind the gateway.
    pub fn server(mut self, server: ServerChoice) -> Experiment {
        self.server = server;
        self
    }

    /// Where the faults are to be brought about; the most faithful plane that there is here unless this says otherwise.
    pub fn network(mut self, plane: PlaneChoice) -> Experiment {
        self.network = plane;
        self
    }

    /// The longest acceptable time-to-recover; 60 s unless the scenario says otherwise.
    pub fn budget(mut self, time_to_recover: Duration) -> Experiment {
        self.scenario.budget.time_to_recover = time_to_recover;
        self
    }

    /// The seed, to repeat a run.
    pub fn seed(mut self, seed: Seed) -> Experiment {
        self.seed = seed;
        self
    }

    /// Which of several repeats this is, from 0, and of how many: they sweep the moment of the fault.
    pub fn repeat(mut self, index: u32, of: u32) -> Experiment {
        self.repeat = (index, of);
        self
    }

    /// A folder for the history, the verdict and the logs; it is made if it is not there. Without one, nothing stays.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Experiment {
        self.out = Some(folder.into());
        self
    }

    /// Somebody who is told of each event as it is recorded, and must not block.
    pub fn observe(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Experiment {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Asks the question.
    ///
    /// *Errors*: only where it could not be asked; whatever the client does is a verdict. Then nothing stays in the
    /// folder of [`out`](Experiment::out) but what the client wrote to stderr.
    pub async fn run(self) -> Result<Run, Error> {
        let out = self.out.clone();
        let result = self.ask().await;
        if let (Err(_), Some(folder)) = (&result, out) {
            artifacts::forget(&folder);
        }
        result
    }

    async fn ask(self) -> Result<Run, Error> {
        let launch = self.client.clone().ok_or(Error::NoClient)?;
        let (source, _) = self.server.resolve()?;
        let not_expressible = |reason| Error::NotExpressible { scenario: self.scenario.name.clone(), reason };
        let Scenario { faults, layout, middlebox, .. } = &self.scenario;
        check_supported(faults, layout, middlebox.as_ref(), &source).map_err(not_expressible)?;
        let abodes = if self.supervised { Supervised::abodes(launch.as_ref()) } else { Ok(launch.abodes()) };
        let abodes = abodes.map_err(not_expressible)?;
        let kernel = side(self.network, faults, layout, abodes).await.map_err(not_expressible)?;
        if layout.hosts.contains(&Host::Unresolvable) {
            resolution::leads_nowhere().await.map_err(not_expressible)?;
        }
        let mut plan = Plan::new(&self.scenario, &launch.name(), self.seed, self.repeat.0, self.repeat.1);
        plan.header.application = launch.application();
        plan.header.plane = if kernel.is_some() { Plane::Kernel } else { Plane::Proxy };
        plan.header.plane_asked = self.network != PlaneChoice::Auto;
        plan.header.supervised = self.supervised;
        let file = self.out.as_deref().map(|folder| artifacts::create(folder, "history.jsonl")).transpose()?;
        let recorder = Recorder::begin(plan.header.clone(), file, self.observer.clone());
        let launch: Arc<dyn ClientFactory> = match self.supervised {
            true => Arc::new(Supervised::new(launch, recorder.clone())),
            false => launch,
        };

        let observation = plan.header.application.as_ref().map(|_| WireObserver::new(recorder.clone()));
        let tap: Arc<dyn Tap> = match &observation {
            Some(observation) => Arc::clone(observation) as Arc<dyn Tap>,
            None => Arc::new(recorder.clone()),
        };
        let blueprint = EnvironmentSpec {
            settings: &plan.settings,
            layout: &plan.header.layout,
            middlebox: plan.header.middlebox.as_ref(),
            seed: plan.header.seed,
            kernel,
        };
        let environment = Environment::create(&source, blueprint, tap).await?;
        let server = environment.server().facts();
        let unknown = plan.header.faults.iter().find_map(|fault| check_version(fault.kind, &server.version).err());
        if let Some(reason) = unknown {
            environment.close().await?;
            return Err(not_expressible(reason));
        }
        recorder.record(Event::Server(server));
        let subscription = Subscription::new(recorder.clone());
        let course = RunPhases {
            environment: &environment,
            injection: &|fault| nemesis::injection(fault, environment.kernel.is_some()),
            plan: &plan,
            recorder: &recorder,
            subscription: &subscription,
            observation: observation.as_ref(),
            look_every: LOOK_EVERY,
            count_every: LOOK_EVERY,
            at_least: Duration::ZERO,
        };
        let run: Arc<Path> = environment.folder().into();
        let home = LaunchContext {
            output: self.out.as_deref().map_or_else(|| Arc::clone(&run), Arc::from),
            run,
            space: environment.kernel.as_ref().and_then(Kernel::home).cloned(),
            in_process: true,
        };
        tokio::select! {
            done = course.run(launch.as_ref(), home) => done?,
            never = host_load::watch(&recorder) => match never {},
        }
        if let Some(folder) = &self.out {
            for (name, log) in artifacts::logs(&environment).await {
                artifacts::store(folder, name, &log)?;
            }
        }
        environment.close().await?;

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
}
