//! Each fault on the wire, with real servers. A `Stage` is a run without client and workload.

#[cfg(feature = "tls")]
mod certificate;
mod failover;
mod idle;
mod limits;
#[cfg(feature = "dns")]
mod names;
mod packets;
mod resources;
mod restart;
mod sign_in;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, NoTls};
use tokio_util::task::AbortOnDropHandle;

use super::{Injection, injection};
use crate::environment::choice::ServerSource;
use crate::environment::{Environment, EnvironmentSpec};
use crate::model::fault::Fault;
use crate::model::history::{ConnectionChange, Event, Evidence, Severed};
use crate::model::seed::Seed;
use crate::netns::ClientNetns;
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::scenario::Scenario;
use crate::server::Binaries;

/// Time limit of anything that takes milliseconds on a quiet machine; a test that passes does not wait for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Returns the servers to test with: the installed binaries, and the newest image. Prints a message for each that is
/// missing.
pub(super) async fn servers() -> Vec<ServerSource> {
    let mut found = Vec::new();
    match Binaries::find() {
        Ok(binaries) => found.push(ServerSource::Local(binaries)),
        Err(error) => println!("skipped on local: {error}"),
    }
    const IMAGE: &str = "pgsquall/postgres:17";
    match crate::environment::docker_availability().await {
        Ok(images) if images.contains(IMAGE) => found.push(ServerSource::Docker(Some(IMAGE.into()))),
        other => println!("skipped on docker: needs {IMAGE} (ci/postgres-image.sh 17); found: {other:?}"),
    }
    found
}

/// An environment, armed faults, and the recorder of the gateway's events.
pub(super) struct Stage {
    pub environment: Environment,
    recorder: Recorder,
    faults: Vec<(Fault, Box<dyn Injection>)>,
}

impl Stage {
    /// Sets up the environment of a scenario without a kernel plane, and arms its faults.
    pub async fn set(source: &ServerSource, scenario: &str) -> Stage {
        Stage::set_on(None, source, scenario).await
    }

    /// Sets it up on the kernel plane, with the client in that namespace; `None`: without the kernel plane.
    pub async fn set_on(kernel: Option<ClientNetns>, source: &ServerSource, scenario: &str) -> Stage {
        let scenario =
            Scenario::parse("stage", "file", "stage.toml", scenario).unwrap_or_else(|error| panic!("{error}"));
        let plan = Plan::new(&scenario, "nobody", Seed(1), 0, 1);
        let recorder = Recorder::begin(plan.header.clone(), None, None);
        let blueprint = EnvironmentSpec {
            settings: &plan.settings,
            layout: &plan.header.layout,
            middlebox: plan.header.middlebox.as_ref(),
            seed: plan.header.setup.seed,
            kernel,
        };
        let environment = Environment::create(source, blueprint, std::sync::Arc::new(recorder.clone())).await;
        let environment = environment.unwrap_or_else(|error| panic!("{source}: {error}"));
        let mut faults = Vec::new();
        for fault in plan.header.faults {
            let mut injection = injection(&fault, environment.kernel.is_some());
            injection.arm(&environment).await.unwrap_or_else(|error| panic!("{source}: {error}"));
            faults.push((fault, injection));
        }
        Stage { environment, recorder, faults }
    }

    /// Returns the major version of the server, on which some texts depend.
    pub fn version(&self) -> u32 {
        self.environment.server().facts().version.split('.').next().unwrap().parse().unwrap()
    }

    /// Injects the fault with this index.
    pub async fn inject(&mut self, fault: usize) {
        let (fault, injection) = &mut self.faults[fault];
        let done = timeout(PATIENCE, injection.inject(&self.environment)).await;
        done.unwrap_or_else(|_| panic!("{} hangs", fault.kind))
            .unwrap_or_else(|error| panic!("{}: {error}", fault.kind));
    }

    /// Heals the fault with this index.
    pub async fn heal(&mut self, fault: usize) {
        let (fault, injection) = &mut self.faults[fault];
        let done = timeout(PATIENCE, injection.heal(&self.environment)).await;
        done.unwrap_or_else(|_| panic!("{} hangs", fault.kind))
            .unwrap_or_else(|error| panic!("{}: {error}", fault.kind));
    }

    /// Returns the evidence of the fault with this index.
    pub async fn evidence(&mut self, fault: usize) -> Vec<Evidence> {
        self.faults[fault].1.evidence(&self.environment).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Returns the sum of a fault's decisive evidence. Waits until it is at least `expected`, because a container's
    /// log arrives late.
    pub async fn proofs(&mut self, fault: usize, expected: u64) -> u64 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.evidence(fault).await.iter().filter(|found| found.decisive).map(|found| found.count).sum();
            if found >= expected || Instant::now() >= deadline {
                return found;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Signs in at the client's first address as a client would, in plaintext.
    ///
    /// *Errors*: that of the server; [`errors`](Stage::errors) contains a FATAL too.
    pub async fn sign_in(&self) -> Result<Signed, tokio_postgres::Error> {
        self.sign_in_at(self.environment.gateway.address()).await
    }

    /// Signs in at another of the client's addresses.
    ///
    /// *Errors*: as for [`sign_in`](Stage::sign_in).
    pub async fn sign_in_at(&self, place: SocketAddr) -> Result<Signed, tokio_postgres::Error> {
        let address = &self.environment.address;
        let mut config = address.at(place);
        config.password(address.current_password().unwrap());
        let (client, mut connection) = timeout(PATIENCE, config.connect(NoTls)).await.expect("no answer")?;
        let (say, heard) = mpsc::unbounded_channel();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut messages = poll_fn(|context| connection.poll_message(context));
            while let Some(message) = messages.next().await {
                let (said, last) = match message {
                    Ok(AsyncMessage::Notice(notice)) => (Some(notice), false),
                    Ok(_) => (None, false),
                    Err(error) => (error.as_db_error().cloned(), true),
                };
                if let Some(said) = said {
                    // The test may have dropped the receiver.
                    drop(say.send(said));
                }
                if last {
                    break;
                }
            }
        }));
        let id = self.connections().into_iter().max().expect("the gateway has seen it");
        Ok(Signed { client, id, heard, _task: task })
    }

    /// Returns the numbers of all connections through the gateways so far.
    pub fn connections(&self) -> Vec<u64> {
        let opened = |event: &Event| match event {
            Event::Connection { id, change: ConnectionChange::Opened, .. } => Some(*id),
            _ => None,
        };
        self.recorder.look(|history| history.events.iter().filter_map(opened).collect())
    }

    /// Returns severity and SQLSTATE of the server's errors on one connection, and of its notices of a crash.
    pub fn errors(&self, id: u64) -> Vec<(String, String)> {
        let said = |event: &Event| match event {
            Event::Connection { id: of, change: ConnectionChange::Error { severity, sqlstate, .. }, .. }
                if *of == id =>
            {
                Some((severity.clone(), sqlstate.clone().unwrap_or_default()))
            }
            _ => None,
        };
        self.recorder.look(|history| history.events.iter().filter_map(said).collect())
    }

    /// Waits for the end of a connection; returns how it ended. After an error that ends the session, either the
    /// server or the library may close the connection first.
    pub async fn end_of(&self, id: u64) -> Severed {
        let ended = |event: &Event| match event {
            Event::Connection { id: of, change: ConnectionChange::Ended { by, .. }, .. } if *of == id => Some(*by),
            _ => None,
        };
        timeout(PATIENCE, async {
            loop {
                if let Some(by) = self.recorder.look(|history| history.events.iter().find_map(ended)) {
                    return by;
                }
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("connection {id} does not end"))
    }

    /// Removes everything that the stage created.
    pub async fn close(self) {
        self.environment.close().await.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// A session through the gateway.
#[derive(Debug)]
pub(super) struct Signed {
    pub client: tokio_postgres::Client,
    /// The number of its connection at the gateway.
    pub id: u64,
    /// Notices, and the server's error that ended the session.
    heard: mpsc::UnboundedReceiver<DbError>,
    _task: AbortOnDropHandle<()>,
}

impl Signed {
    /// Waits for the server's next notice, or its last error; `None` if the session ended without one.
    pub async fn hears(&mut self) -> Option<DbError> {
        timeout(PATIENCE, self.heard.recv()).await.expect("the server says nothing")
    }
}
