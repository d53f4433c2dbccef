//! An application as the client under test: it does its own work, and the gateway only watches it.
//!
//! The application finds its database through the same variables as an adapter. Its statements are observed at the
//! gateway; the harness sends it no operations. A second command (`ready`) checks whether it is ready, and a third
//! (`load`) sends it requests.
//!
//! If the scenario has a pause, the load command is stopped by SIGSTOP and continued by SIGCONT; the application itself
//! keeps running.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use parking_lot::{Mutex, MutexGuard};
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::child::{Group, OutputFile, describe_exit};
use super::command_line::CommandLine;
use super::{Call, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
use crate::gateway::port::Reservation;
use crate::model::history::{self, Capability, ClientFacts, Ended, ErrorKind, OpError};
use crate::model::plane::Placements;

/// Placeholder in a command line for the port on which the application may listen; the variable `PORT` holds the same
/// port.
pub const PORT: &str = "{port}";

/// Capabilities that a user can declare for an application. The others concern operations sent by the harness.
const CAPABILITIES: [Capability; 1] = [Capability::MultiHost];

/// Pause between two readiness checks.
const READY_INTERVAL: Duration = Duration::from_millis(200);

/// Time limit of one readiness check.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Pause before the load command is started again: it may exit whenever the application does not answer.
const LOAD_RESTART_PAUSE: Duration = Duration::from_millis(100);

/// Time between SIGTERM and SIGKILL, in which the application can close its pool.
const CLEAN_EXIT_WITHIN: Duration = Duration::from_secs(2);

/// How long the harness waits for the exit after SIGKILL.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// The command line of an application, with its readiness check, load command and capabilities.
#[derive(Clone, Debug)]
pub struct Application {
    command_line: CommandLine,
    ready: Option<CommandLine>,
    load: Option<CommandLine>,
    capabilities: Vec<Capability>,
}

impl Application {
    /// An application started by this command line, which may contain [`PORT`].
    ///
    /// *Errors*: the command line cannot be split into words, or its first word is not an executable program.
    pub fn new(command: &str) -> Result<Application, ClientError> {
        let command_line = parse_command("--app", command)?;
        Ok(Application { command_line, ready: None, load: None, capabilities: Vec::new() })
    }

    /// Sets the readiness check: a command that exits with status 0 if the application is ready. It is repeated until
    /// then.
    ///
    /// *Errors*: the same as for [`Application::new`].
    pub fn ready(self, command: &str) -> Result<Application, ClientError> {
        Ok(Application { ready: Some(parse_command("--ready", command)?), ..self })
    }

    /// Sets the load command, which sends requests to the application until the end of the run. It is started when the
    /// application is ready, or at once if there is no readiness check; if it exits, it is started again.
    ///
    /// *Errors*: the same as for [`Application::new`].
    pub fn load(self, command: &str) -> Result<Application, ClientError> {
        Ok(Application { load: Some(parse_command("--load", command)?), ..self })
    }

    /// Declares a capability by its word in an adapter's hello.
    ///
    /// *Errors*: an application cannot have this capability.
    pub fn with_capability(mut self, word: &str) -> Result<Application, ClientError> {
        let known = CAPABILITIES.into_iter().find(|capability| capability.word() == word);
        let none =
            || ClientError::NoCapability { word: word.to_owned(), known: CAPABILITIES.map(Capability::word).to_vec() };
        self.capabilities.push(known.ok_or_else(none)?);
        Ok(self)
    }

    /// Whether one of the commands contains [`PORT`]: each instance then has its own port, so several can run at once.
    pub fn takes_port(&self) -> bool {
        self.commands().any(|command_line| command_line.text.contains(PORT))
    }

    fn commands(&self) -> impl Iterator<Item = &CommandLine> {
        std::iter::once(&self.command_line).chain(&self.ready).chain(&self.load)
    }

    fn capability_words(&self) -> Vec<String> {
        self.capabilities.iter().map(|capability| capability.word().to_owned()).collect()
    }
}

fn parse_command(option: &'static str, command: &str) -> Result<CommandLine, ClientError> {
    let wrong = |reason| ClientError::Command { option, command: command.to_owned(), reason };
    let command_line = CommandLine::split(command).map_err(wrong)?;
    command_line.check_runnable().map_err(wrong)?;
    Ok(command_line)
}

#[async_trait]
impl ClientFactory for Application {
    fn name(&self) -> String {
        self.command_line.text.clone()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    fn application(&self) -> Option<history::Application> {
        let text =
            |command_line: &Option<CommandLine>| command_line.as_ref().map(|command_line| command_line.text.clone());
        Some(history::Application {
            ready: text(&self.ready),
            load: text(&self.load),
            capabilities: self.capability_words(),
        })
    }

    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        // A free port outside the range from which the system assigns ports, reserved until this function returns.
        let port = Reservation::new().map_err(|error| ClientError::SetUp(format!("no free port: {error}")))?;
        let port = port.address().port().to_string();
        let mut variables = address.variables();
        variables.push(("PORT", port.clone()));
        let starter = ProcessStarter { variables, context };

        let command_line = self.command_line.replace(PORT, &port);
        let (child, stderr) = starter.start(&command_line, "client")?;
        let group = Arc::new(Group::led_by(&child));
        let facts = ClientFacts {
            name: command_line.program.rsplit('/').next().unwrap_or_default().to_owned(),
            version: String::new(),
            concurrency: 1,
            capabilities: self.capability_words(),
            timeout: None,
        };
        let ready = self.ready.as_ref().map(|command_line| command_line.replace(PORT, &port));
        let load = self.load.as_ref().map(|command_line| command_line.replace(PORT, &port));
        let unready = ready.as_ref().map(|_| "its readiness has not been checked yet".to_owned());
        let state = Arc::new(Mutex::new(ApplicationState { unready, ..ApplicationState::default() }));
        let gone = CancellationToken::new();
        let load_driver = drive(starter, ready, load, Arc::clone(&state));
        Ok(Arc::new(RunningApplication {
            facts,
            group: Arc::clone(&group),
            _following: AbortOnDropHandle::new(tokio::spawn(follow(
                child,
                group,
                stderr,
                Arc::clone(&state),
                gone.clone(),
            ))),
            load_task: Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(load_driver)))),
            state,
            gone,
        }))
    }
}

/// Starts the processes of one application, with the same variables and in the same context.
struct ProcessStarter {
    variables: Vec<(&'static str, String)>,
    context: LaunchContext,
}

impl ProcessStarter {
    /// Starts a command; its stdout and stderr are appended to files named after it in the output folder.
    fn start(&self, command_line: &CommandLine, name: &str) -> Result<(Child, OutputFile), ClientError> {
        let (stderr, file) = OutputFile::append(self.context.output.join(format!("{name}.stderr")))?;
        let (_, stdout) = OutputFile::append(self.context.output.join(format!("{name}.stdout")))?;
        let mut command = command_line.command(None, self.variables.clone(), &self.context)?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(file);
        Ok((command_line.start(command)?, stderr))
    }
}

#[derive(Default)]
struct ApplicationState {
    /// Why the application is not ready; `None` if it is.
    unready: Option<String>,
    /// How the application ended, if the harness has not ended it.
    ended: Option<Ended>,
    /// Set when the harness ends the application: its exit is no longer reported, and a load command that is being
    /// started is killed.
    closing: bool,
    /// Whether the load is paused.
    paused: bool,
    /// The process group of the load command; `None` while none runs.
    load: Option<Arc<Group>>,
}

/// A running application. Dropping it kills the application and its load command.
struct RunningApplication {
    facts: ClientFacts,
    group: Arc<Group>,
    state: Arc<Mutex<ApplicationState>>,
    load_task: Mutex<Option<AbortOnDropHandle<()>>>,
    _following: AbortOnDropHandle<()>,
    /// Cancelled once the application's process is gone.
    gone: CancellationToken,
}

impl RunningApplication {
    fn state(&self) -> MutexGuard<'_, ApplicationState> {
        lock(&self.state)
    }

    /// Kills the load command, and prevents its restart.
    fn stop_load(&self) {
        let load_task = self.load_task.lock().take();
        drop(load_task);
        let mut state = self.state();
        // A load command being started on another thread right now sees this flag, and is killed there.
        state.closing = true;
        if let Some(load) = state.load.take() {
            load.signal(Signal::SIGKILL);
        }
    }
}

#[async_trait]
impl DynClient for RunningApplication {
    fn facts(&self) -> ClientFacts {
        self.facts.clone()
    }

    async fn perform(&self, _call: Call) -> Result<Option<bool>, OpError> {
        Err(OpError::new(ErrorKind::Other, "an application takes no operations from the harness"))
    }

    async fn listen(&self, _news: Notifications) -> Result<(), OpError> {
        Err(OpError::new(ErrorKind::Other, "an application takes no operations from the harness"))
    }

    fn ended(&self) -> Option<Ended> {
        self.state().ended.clone()
    }

    fn pause(&self, idle: bool) {
        let mut state = self.state();
        state.paused = idle;
        if let Some(load) = &state.load {
            load.signal(if idle { Signal::SIGSTOP } else { Signal::SIGCONT });
        }
    }

    fn unready(&self) -> Option<String> {
        self.state().unready.clone()
    }

    async fn close(&self) {
        self.stop_load();
        for (signal, patience) in [(Signal::SIGTERM, CLEAN_EXIT_WITHIN), (Signal::SIGKILL, KILL_WITHIN)] {
            self.group.signal(signal);
            if timeout(patience, self.gone.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

impl Drop for RunningApplication {
    fn drop(&mut self) {
        self.stop_load();
        self.group.signal(Signal::SIGKILL);
    }
}

fn lock(state: &Mutex<ApplicationState>) -> MutexGuard<'_, ApplicationState> {
    state.lock()
}

/// Waits until the application exits, and records how, unless the harness ended it. Kills its remaining children.
async fn follow(
    mut child: Child,
    group: Arc<Group>,
    stderr: OutputFile,
    state: Arc<Mutex<ApplicationState>>,
    gone: CancellationToken,
) {
    let status = child.wait().await;
    group.disband();
    let status = status.map_or_else(|error| format!("its exit status is unknown: {error}"), describe_exit);
    {
        let mut state = lock(&state);
        if !state.closing {
            state.ended = Some(Ended::Exited { status, stderr: stderr.tail() });
        }
    }
    gone.cancel();
}

/// Repeats the readiness check until it succeeds, then keeps the load command running.
async fn drive(
    starter: ProcessStarter,
    ready: Option<CommandLine>,
    load: Option<CommandLine>,
    state: Arc<Mutex<ApplicationState>>,
) {
    if let Some(ready) = ready {
        while let Err(reason) = check_ready(&starter, &ready).await {
            lock(&state).unready = Some(reason);
            sleep(READY_INTERVAL).await;
        }
        lock(&state).unready = None;
    }
    let Some(load) = load else { return };
    loop {
        if let Err(error) = run_load(&starter, &load, &state).await {
            // The load command could not be started: without load no statement is observed, so the run reports this as
            // the reason.
            lock(&state).unready = Some(error.to_string());
        }
        sleep(LOAD_RESTART_PAUSE).await;
    }
}

/// Runs the readiness check once.
///
/// *Errors*: why the application is not ready, with the end of the check's stderr.
async fn check_ready(starter: &ProcessStarter, ready: &CommandLine) -> Result<(), String> {
    let (mut child, stderr) = starter.start(ready, "ready").map_err(|error| error.to_string())?;
    let check = KilledOnDrop(Group::led_by(&child));
    let answer = timeout(READY_WITHIN, child.wait()).await;
    let reason = match answer {
        Ok(Ok(status)) => {
            check.0.disband();
            if status.success() {
                return Ok(());
            }
            describe_exit(status)
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {}", crate::model::time::show(READY_WITHIN)),
    };
    Err(match stderr.tail() {
        stderr_tail if stderr_tail.is_empty() => format!("{:?}: {reason}", ready.text),
        stderr_tail => format!("{:?}: {reason}; its stderr ends with: {stderr_tail}", ready.text),
    })
}

/// Runs the load command once, until it exits.
///
/// *Errors*: the command cannot be started, or its exit status cannot be read.
async fn run_load(
    starter: &ProcessStarter,
    load: &CommandLine,
    state: &Mutex<ApplicationState>,
) -> Result<(), ClientError> {
    let (mut child, _) = starter.start(load, "load")?;
    let group = Arc::new(Group::led_by(&child));
    {
        let mut state = lock(state);
        if state.closing {
            group.signal(Signal::SIGKILL);
            return Ok(());
        }
        state.unready = None;
        if state.paused {
            group.signal(Signal::SIGSTOP);
        }
        state.load = Some(Arc::clone(&group));
    }
    let status = child.wait().await;
    // `None`: `stop_load` has taken the group and killed it.
    if lock(state).load.take().is_some() {
        group.disband();
    }
    status.map(drop).map_err(|error| ClientError::SetUp(format!("{:?}: {error}", load.text)))
}

/// A process group that is killed when dropped, unless it has been disbanded.
struct KilledOnDrop(Group);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGKILL);
    }
}
