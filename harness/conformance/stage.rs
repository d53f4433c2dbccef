//! Where cases are played: a server, a gateway before it, and the client, which is brought up anew after it has failed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{Case, ConformanceError, Finding, Found};
use crate::client::{ClientChoice, ClientError, ClientFactory, DynClient, LaunchContext};
use crate::environment::choice::ServerSource;
use crate::environment::{Environment, EnvironmentSpec};
use crate::model::fault::Class;
use crate::model::history::{Ended, FORMAT, Header};
use crate::model::seed::Seed;
use crate::recorder::Recorder;
use crate::server::bootstrap::LEDGER;
use crate::server::{ServerError, Session};

/// A row that is in the ledger from the beginning.
pub(super) const KNOWN: i64 = 1;

/// From the last answer of a case to its end: a second answer, or a stray line, follows the first at once.
const AFTERTHOUGHT: Duration = Duration::from_millis(20);

/// The most operations that are asked at once: enough to tell side by side from one by one, and far from the server's
/// limit of sessions.
const AT_ONCE: usize = 8;

/// How many lines of stderr are told: some languages end a trace with other words than the error.
const LAST_LINES: usize = 4;

/// Why a case did not pass.
pub(super) enum Trouble {
    /// What the adapter does wrong, and how to mend it.
    Wrong(String),
    /// Why it cannot be asked of this client.
    Skip(String),
    /// The harness itself could not go on.
    Harness(ConformanceError),
}

impl<E: Into<ConformanceError>> From<E> for Trouble {
    fn from(error: E) -> Trouble {
        Trouble::Harness(error.into())
    }
}

/// What is wrong, as the error of a case.
pub(super) fn wrong<T>(text: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Wrong(text.into()))
}

/// Everything that a case can use.
pub(super) struct Stage {
    /// Dropped before the server that it works on.
    client: Option<Arc<dyn DynClient>>,
    launch: Arc<dyn ClientFactory>,
    /// Straight to the server, not through the gateway.
    pub direct: Session,
    pub environment: Environment,
    /// The number of the last request, which is also the last key that was used.
    pub last: u64,
    /// How many operations have been seen to proceed side by side; 1 until somebody has looked.
    pub side_by_side: usize,
    /// Why nothing can be asked of this client.
    mute: Option<String>,
    /// What a case that passes has to add.
    pub note: Option<String>,
}

impl Stage {
    /// Brings up a server and a gateway, but no client yet.
    pub async fn set(client: &ClientChoice, source: &ServerSource) -> Result<Stage, ConformanceError> {
        let header = header(client.name());
        // Nothing here crashes the server: what is written need not outlive the machine.
        let settings = [("fsync".to_owned(), "off".to_owned())];
        let blueprint = EnvironmentSpec {
            settings: &settings,
            layout: &header.layout,
            middlebox: None,
            seed: header.seed,
            kernel: None,
        };
        let recorder = Recorder::begin(header.clone(), None, None);
        let environment = Environment::create(source, blueprint, Arc::new(recorder)).await?;
        let direct = session(&environment).await?;
        direct.batch(&format!("INSERT INTO {LEDGER} (id) VALUES ({KNOWN})")).await?;
        let launch = Arc::clone(&client.0);
        let (client, mute, note) = (None, None, None);
        Ok(Stage { client, launch, direct, environment, last: KNOWN as u64, side_by_side: 1, mute, note })
    }

    /// Asks one case.
    pub async fn ask(&mut self, case: &Case) -> Result<Finding, ConformanceError> {
        if let Some(reason) = &self.mute {
            return Ok(Finding::Skip(reason.clone()));
        }
        if let Err(error) = self.bring_up().await {
            return self.unlaunched(error);
        }
        if let Some(needed) = case.needs.filter(|needed| !self.client().is_ok_and(|client| client.facts().can(*needed)))
        {
            return Ok(Finding::Skip(format!("it has no capability {:?}", needed.word())));
        }
        self.note = None;
        let found = (case.play)(self).await;
        match self.with_hindsight(found).await {
            Ok(()) => Ok(Finding::Pass(match self.note.take() {
                Some(note) => format!("{} ({note})", case.asks),
                None => case.asks.to_owned(),
            })),
            Err(Trouble::Skip(reason)) => Ok(Finding::Skip(reason)),
            Err(Trouble::Wrong(text)) => {
                // Whatever it still has under way, or has got wrong, is not to be the next case's.
                self.client = None;
                Ok(Finding::Fail(one_line(&text)))
            }
            Err(Trouble::Harness(error)) => Err(error),
        }
    }

    /// What a case has found, unless the client has gone, or broken the protocol: then all else comes of that.
    async fn with_hindsight(&self, found: Found) -> Found {
        let Some(client) = &self.client else { return found };
        sleep(AFTERTHOUGHT).await;
        match client.ended() {
            None => found,
            Some(Ended::Violated { reason }) => wrong(format!("breaks the protocol: {reason}")),
            Some(Ended::Panicked { message }) => wrong(format!("panics: {message}")),
            Some(Ended::Exited { status, stderr }) => {
                let remedy = "an operation's error must be answered, and end nothing";
                wrong(format!("ends by itself ({status}){}; {remedy}", last_words(&stderr)))
            }
        }
    }

    /// The client that is there.
    pub fn client(&self) -> Result<&Arc<dyn DynClient>, Trouble> {
        self.client.as_ref().ok_or_else(|| Trouble::Wrong("has gone".into()))
    }

    /// The client, which nobody asks anything any more.
    pub fn take_client(&mut self) -> Result<Arc<dyn DynClient>, Trouble> {
        self.client.take().ok_or_else(|| Trouble::Wrong("has gone".into()))
    }

    async fn bring_up(&mut self) -> Result<(), ClientError> {
        if self.client.is_none() {
            let run: Arc<Path> = self.environment.folder().into();
            let home = LaunchContext { run: Arc::clone(&run), output: run, space: None, in_process: true };
            self.client = Some(self.launch.launch(&self.environment.address, home).await?);
        }
        Ok(())
    }

    /// What it means that no client could be had.
    fn unlaunched(&mut self, error: ClientError) -> Result<Finding, ConformanceError> {
        let text = match &error {
            ClientError::BadHello { reason, .. } => reason.clone(),
            ClientError::NoHello { .. } => error.to_string(),
            // It was here before: that it cannot be had again is the client's doing.
            _ if self.last > KNOWN as u64 => format!("cannot be started a second time: {error}"),
            _ => return Err(error.into()),
        };
        self.mute = Some("it has said no hello".into());
        Ok(Finding::Fail(one_line(&text)))
    }

    /// How many operations it is asked at once.
    pub fn at_once(&self) -> Result<usize, Trouble> {
        Ok((self.client()?.facts().concurrency as usize).min(AT_ONCE))
    }

    /// A key that nobody has used, and the number of its request.
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// How often a key is in the ledger.
    pub async fn copies(&self, key: i64) -> Result<usize, ServerError> {
        self.direct.count(&format!("SELECT count(*) FROM {LEDGER} WHERE id = $1"), &[&key]).await
    }

    /// How many of the client's sessions are in a state, given as a condition on `pg_stat_activity`.
    pub async fn sessions(&self, condition: &str) -> Result<usize, ServerError> {
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND ({condition})");
        self.direct.count(&count, &[&self.environment.address.user]).await
    }

    /// How many of the client's sessions are in a transaction in which nothing runs.
    pub async fn left_open(&self) -> Result<usize, ServerError> {
        self.sessions("state LIKE 'idle in transaction%'").await
    }

    /// Takes the ledger for the harness alone, so that whoever comes to it waits.
    pub async fn lock(&self, mode: &str) -> Result<Lock, Trouble> {
        let session = session(&self.environment).await?;
        session.batch("BEGIN").await?;
        match session.batch(&format!("LOCK TABLE {LEDGER} IN {mode} MODE")).await {
            Ok(()) => Ok(Lock(session)),
            Err(_) if self.left_open().await? > 0 => wrong(LEFT_OPEN),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes everything down.
    pub async fn close(self) -> Result<(), ConformanceError> {
        let Stage { client, direct, environment, .. } = self;
        if let Some(client) = client {
            client.close().await;
        }
        drop(direct);
        Ok(environment.close().await?)
    }
}

/// What makes a session the client's: on a server of somebody else's the harness signs in as the same user.
pub(super) const OURS: &str = "usename = $1 AND application_name <> 'pgsquall' AND backend_type = 'client backend'";

/// What is wrong with an adapter that ends no transaction.
pub(super) const LEFT_OPEN: &str = "leaves a session idle in transaction after its answer; use autocommit, or end the \
                                    transaction before you answer";

/// The ledger, locked; given back when dropped.
pub(super) struct Lock(Session);

impl Lock {
    /// Lets everybody go on; returns once they can.
    pub async fn release(self) -> Result<(), ServerError> {
        self.0.batch("ROLLBACK").await
    }
}

async fn session(environment: &Environment) -> Result<Session, ServerError> {
    let person = environment.server().superuser()?.in_database(&environment.address.database);
    let session = person.connect().await?;
    // A transaction that the client leaves open must not hold the harness up for long.
    session.batch("SET lock_timeout = '5s'").await?;
    Ok(session)
}

/// What a history would begin with; none is kept.
fn header(client: String) -> Header {
    Header {
        format: FORMAT,
        pgsquall: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: "conformance".into(),
        title: "The adapter protocol".into(),
        class: Class::Transient,
        client,
        application: None,
        seed: Seed(1),
        repeat: 0,
        repeats: 1,
        faults: Vec::new(),
        precedes_client: false,
        budget: Default::default(),
        load: Default::default(),
        middlebox: None,
        layout: Default::default(),
        plane: Default::default(),
        plane_asked: false,
        supervised: false,
        device: None,
    }
}

/// What a process wrote to stderr last, where it wrote anything.
pub(super) fn last_words(stderr: &str) -> String {
    let lines: Vec<_> = stderr.lines().collect();
    match &lines[lines.len().saturating_sub(LAST_LINES)..] {
        [] => String::new(),
        last => format!(", and wrote: {}", one_line(&last.join("\n"))),
    }
}

/// A text of several lines as one.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ")
}
