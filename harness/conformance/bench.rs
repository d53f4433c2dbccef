//! The set-up of the cases: a server, a gateway in front of it, and the client, which is launched again after a failed
//! case.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{Case, CaseResult, ConformanceError, Finding};
use crate::client::{ClientChoice, ClientError, ClientFactory, DynClient, LaunchContext};
use crate::environment::choice::ServerSource;
use crate::environment::{Environment, EnvironmentSpec};
use crate::model::fault::Class;
use crate::model::history::{Ended, FORMAT, Header, RunSetup};
use crate::model::seed::Seed;
use crate::recorder::Recorder;
use crate::server::bootstrap::LEDGER;
use crate::server::{ServerError, Session};

/// The key of a row that is in the ledger from the start.
pub(super) const KNOWN_KEY: i64 = 1;

/// Pause after the last answer of a case: a duplicate answer or a stray line follows at once.
const SETTLE: Duration = Duration::from_millis(20);

/// The maximum number of concurrent operations: enough to distinguish concurrent from serial, and far below the
/// server's connection limit.
const AT_ONCE: usize = 8;

/// Lines of stderr in a finding: some languages end a trace with other lines than the error.
const LAST_LINES: usize = 4;

/// Why a case did not pass.
pub(super) enum CaseError {
    /// What the adapter does wrong, and how to fix it.
    Wrong(String),
    /// Why the case does not apply to this client.
    Skip(String),
    /// The harness failed.
    Harness(ConformanceError),
}

impl<E: Into<ConformanceError>> From<E> for CaseError {
    fn from(error: E) -> CaseError {
        CaseError::Harness(error.into())
    }
}

/// The error of a case that the adapter fails.
pub(super) fn wrong<T>(text: impl Into<String>) -> Result<T, CaseError> {
    Err(CaseError::Wrong(text.into()))
}

/// Everything that a case uses.
pub(super) struct CaseBench {
    /// The running client; `None` before its launch and after a failed case. Dropped before the server that it uses.
    client: Option<Arc<dyn DynClient>>,
    launch: Arc<dyn ClientFactory>,
    /// A session directly to the server, not through the gateway.
    pub direct: Session,
    pub environment: Environment,
    /// The last number that [`next`](CaseBench::next) returned, for a request or a key.
    pub last: u64,
    /// The number of operations that ran concurrently; 1 until the case `concurrency` has measured it.
    pub concurrency_seen: usize,
    /// Why no case can be run with this client.
    unusable: Option<String>,
    /// An addition to the text of a passing case.
    pub note: Option<String>,
}

impl CaseBench {
    /// Starts a server and a gateway, but no client yet.
    pub async fn create(client: &ClientChoice, source: &ServerSource) -> Result<CaseBench, ConformanceError> {
        let header = header(client.name());
        // No case crashes the server, so its data need not be durable.
        let settings = [("fsync".to_owned(), "off".to_owned())];
        let blueprint = EnvironmentSpec {
            settings: &settings,
            layout: &header.layout,
            middlebox: None,
            seed: header.setup.seed,
            kernel: None,
        };
        let recorder = Recorder::begin(header.clone(), None, None);
        let environment = Environment::create(source, blueprint, Arc::new(recorder)).await?;
        let direct = session(&environment).await?;
        direct.batch(&format!("INSERT INTO {LEDGER} (id) VALUES ({KNOWN_KEY})")).await?;
        let launch = Arc::clone(&client.0);
        let (client, unusable, note) = (None, None, None);
        Ok(CaseBench {
            client,
            launch,
            direct,
            environment,
            last: KNOWN_KEY as u64,
            concurrency_seen: 1,
            unusable,
            note,
        })
    }

    /// Runs one case.
    pub async fn run_case(&mut self, case: &Case) -> Result<Finding, ConformanceError> {
        if let Some(reason) = &self.unusable {
            return Ok(Finding::Skip(reason.clone()));
        }
        if let Err(error) = self.launch_client().await {
            return self.launch_failure(error);
        }
        if let Some(needed) = case.needs.filter(|needed| !self.client().is_ok_and(|client| client.facts().can(*needed)))
        {
            return Ok(Finding::Skip(format!("the client has no capability {:?}", needed.word())));
        }
        self.note = None;
        let found = (case.run)(self).await;
        match self.check_client_alive(found).await {
            Ok(()) => Ok(Finding::Pass(match self.note.take() {
                Some(note) => format!("{} ({note})", case.requirement),
                None => case.requirement.to_owned(),
            })),
            Err(CaseError::Skip(reason)) => Ok(Finding::Skip(reason)),
            Err(CaseError::Wrong(text)) => {
                // A new client for the next case: operations and errors of this one must not affect it.
                self.client = None;
                Ok(Finding::Fail(one_line(&text)))
            }
            Err(CaseError::Harness(error)) => Err(error),
        }
    }

    /// The result of a case, unless the client has exited or broken the protocol, which explains all else.
    async fn check_client_alive(&self, found: CaseResult) -> CaseResult {
        let Some(client) = &self.client else { return found };
        sleep(SETTLE).await;
        match client.ended() {
            None => found,
            Some(Ended::Violated { reason }) => wrong(format!("breaks the protocol: {reason}")),
            Some(Ended::Panicked { message }) => wrong(format!("panics: {message}")),
            Some(Ended::Exited { status, stderr }) => {
                let remedy = "answer an operation's error, and keep running";
                wrong(format!("exits during the case ({status}){}; {remedy}", stderr_end(&stderr)))
            }
        }
    }

    /// The running client.
    pub fn client(&self) -> Result<&Arc<dyn DynClient>, CaseError> {
        self.client.as_ref().ok_or_else(|| CaseError::Wrong("has exited".into()))
    }

    /// Takes the client, to close it.
    pub fn take_client(&mut self) -> Result<Arc<dyn DynClient>, CaseError> {
        self.client.take().ok_or_else(|| CaseError::Wrong("has exited".into()))
    }

    async fn launch_client(&mut self) -> Result<(), ClientError> {
        if self.client.is_none() {
            let run: Arc<Path> = self.environment.folder().into();
            let context = LaunchContext { run: Arc::clone(&run), output: run, space: None, in_process: true };
            self.client = Some(self.launch.launch(&self.environment.address, context).await?);
        }
        Ok(())
    }

    /// The finding for a client that could not be launched.
    fn launch_failure(&mut self, error: ClientError) -> Result<Finding, ConformanceError> {
        let text = match &error {
            ClientError::BadHello { reason, .. } => reason.clone(),
            ClientError::NoHello { .. } => error.to_string(),
            // It was launched before, so failing to launch again is the client's fault.
            _ if self.last > KNOWN_KEY as u64 => format!("cannot be started a second time: {error}"),
            _ => return Err(error.into()),
        };
        self.unusable = Some("the client has sent no hello".into());
        Ok(Finding::Fail(one_line(&text)))
    }

    /// How many operations are sent to the client at once.
    pub fn concurrent_calls(&self) -> Result<usize, CaseError> {
        Ok((self.client()?.facts().concurrency as usize).min(AT_ONCE))
    }

    /// A new number, for a request or a key; no number is returned twice.
    pub fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of rows with this key.
    pub async fn copies(&self, key: i64) -> Result<usize, ServerError> {
        self.direct.count(&format!("SELECT count(*) FROM {LEDGER} WHERE id = $1"), &[&key]).await
    }

    /// The number of the client's sessions that meet a condition on `pg_stat_activity`.
    pub async fn sessions(&self, condition: &str) -> Result<usize, ServerError> {
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE {CLIENT_SESSIONS} AND ({condition})");
        self.direct.count(&count, &[&self.environment.address.user]).await
    }

    /// The number of the client's sessions that are idle in a transaction.
    pub async fn left_open(&self) -> Result<usize, ServerError> {
        self.sessions("state LIKE 'idle in transaction%'").await
    }

    /// Locks the ledger in a lock mode of Postgres, so that the client's statements that conflict with it wait.
    ///
    /// *Errors*: the adapter has left a transaction open that prevents the lock; the harness failed.
    pub async fn lock(&self, mode: &str) -> Result<Lock, CaseError> {
        let session = session(&self.environment).await?;
        session.batch("BEGIN").await?;
        match session.batch(&format!("LOCK TABLE {LEDGER} IN {mode} MODE")).await {
            Ok(()) => Ok(Lock(session)),
            Err(_) if self.left_open().await? > 0 => wrong(LEFT_OPEN),
            Err(error) => Err(error.into()),
        }
    }

    /// Closes the client, the gateway and the server.
    pub async fn close(self) -> Result<(), ConformanceError> {
        let CaseBench { client, direct, environment, .. } = self;
        if let Some(client) = client {
            client.close().await;
        }
        drop(direct);
        Ok(environment.close().await?)
    }
}

/// The condition for a session of the client, whose user is `$1`. It excludes the harness's sessions by their name,
/// because on an external server the harness may log in as the same user.
pub(super) const CLIENT_SESSIONS: &str =
    "usename = $1 AND application_name <> 'pgsquall' AND backend_type = 'client backend'";

/// The finding for an adapter that leaves a transaction open.
pub(super) const LEFT_OPEN: &str = "leaves a session idle in transaction after its answer; use autocommit, or end the \
                                    transaction before you answer";

/// A lock on the ledger; released when dropped.
pub(super) struct Lock(Session);

impl Lock {
    /// Releases the lock.
    pub async fn release(self) -> Result<(), ServerError> {
        self.0.batch("ROLLBACK").await
    }
}

async fn session(environment: &Environment) -> Result<Session, ServerError> {
    let superuser = environment.server().superuser()?.in_database(&environment.address.database);
    let session = superuser.connect().await?;
    // A transaction that the client leaves open must not block the harness for long.
    session.batch("SET lock_timeout = '5s'").await?;
    Ok(session)
}

/// The header of a history that is not stored.
fn header(client: String) -> Header {
    Header {
        format: FORMAT,
        pgsquall: env!("CARGO_PKG_VERSION").to_owned(),
        setup: RunSetup::new("conformance", client, Seed(1)),
        title: "The adapter protocol".into(),
        class: Class::Transient,
        faults: Vec::new(),
        precedes_client: false,
        budget: Default::default(),
        load: Default::default(),
        middlebox: None,
        layout: Default::default(),
    }
}

/// The last lines of a process's stderr, if there are any.
pub(super) fn stderr_end(stderr: &str) -> String {
    let lines: Vec<_> = stderr.lines().collect();
    match &lines[lines.len().saturating_sub(LAST_LINES)..] {
        [] => String::new(),
        last => format!(", and wrote: {}", one_line(&last.join("\n"))),
    }
}

/// Joins the lines of a text, without empty ones.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join(" | ")
}
