//! An application as the client under test: it does its own work, and is only watched.
//!
//! It finds its database where adapters do, and is told by no one what to do: what it asks the server for is seen at the
//! gateway. A second command may say when it is ready, and a third give it work, as visitors do.

use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::child::{Group, Output, in_words};
use super::command_line::CommandLine;
use super::{Call, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
use crate::environment::support::Placements;
use crate::gateway::port::Reservation;
use crate::model::history::{self, Capability, ClientFacts, Ended, ErrorKind, OpError};

/// What stands in a command for the port that an application may listen on; it is also in the variable `PORT`.
pub const PORT: &str = "{port}";

/// What an application can be said to do. What only whoever is asked can do is not among it.
const CAPABILITIES: [Capability; 1] = [Capability::MultiHost];

/// Between two questions whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Longest for one such question.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// Before what gives it work is started again: it may end whenever the application does not answer it.
const LOAD_AGAIN: Duration = Duration::from_millis(100);

/// From SIGTERM to SIGKILL: time to close a pool in order.
const CLEAN_EXIT_WITHIN: Duration = Duration::from_secs(2);

/// From SIGKILL to giving up the wait.
const KILL_WITHIN: Duration = Duration::from_secs(5);

/// The command line of an application, and what goes with it.
#[derive(Clone, Debug)]
pub struct Application {
    words: CommandLine,
    ready: Option<CommandLine>,
    load: Option<CommandLine>,
    capabilities: Vec<Capability>,
}

impl Application {
    /// An application by its command line, in which [`PORT`] may stand.
    ///
    /// *Errors*: it cannot be split into words, or its first word is no program that can be run.
    pub fn new(command: &str) -> Result<Application, ClientError> {
        let words = understand("--app", command)?;
        Ok(Application { words, ready: None, load: None, capabilities: Vec::new() })
    }

    /// A command that ends with exit status 0 once the application is ready; it is asked again until then.
    ///
    /// *Errors*: as there.
    pub fn ready(self, command: &str) -> Result<Application, ClientError> {
        Ok(Application { ready: Some(understand("--ready", command)?), ..self })
    }

    /// A command that gives the application work from when it is ready until the end; if it ends, it is started again.
    ///
    /// *Errors*: as there.
    pub fn load(self, command: &str) -> Result<Application, ClientError> {
        Ok(Application { load: Some(understand("--load", command)?), ..self })
    }

    /// Something that the application can do, by the word that stands in an adapter's hello.
    ///
    /// *Errors*: there is no such capability that a scenario could need of an application.
    pub fn able_to(mut self, word: &str) -> Result<Application, ClientError> {
        let known = CAPABILITIES.into_iter().find(|capability| capability.word() == word);
        let none =
            || ClientError::NoCapability { word: word.to_owned(), known: CAPABILITIES.map(Capability::word).to_vec() };
        self.capabilities.push(known.ok_or_else(none)?);
        Ok(self)
    }

    /// Whether it listens on a port of the run's own, so that several of it can be there at once.
    pub fn is_told_its_port(&self) -> bool {
        self.commands().any(|words| words.text.contains(PORT))
    }

    fn commands(&self) -> impl Iterator<Item = &CommandLine> {
        std::iter::once(&self.words).chain(&self.ready).chain(&self.load)
    }

    fn abilities(&self) -> Vec<String> {
        self.capabilities.iter().map(|capability| capability.word().to_owned()).collect()
    }
}

fn understand(option: &'static str, command: &str) -> Result<CommandLine, ClientError> {
    let wrong = |reason| ClientError::Command { option, command: command.to_owned(), reason };
    let words = CommandLine::split(command).map_err(wrong)?;
    words.can_be_run().map_err(wrong)?;
    Ok(words)
}

#[async_trait]
impl ClientFactory for Application {
    fn name(&self) -> String {
        self.words.text.clone()
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: false, process: true }
    }

    fn application(&self) -> Option<history::Application> {
        let text = |words: &Option<CommandLine>| words.as_ref().map(|words| words.text.clone());
        Some(history::Application { ready: text(&self.ready), load: text(&self.load), capabilities: self.abilities() })
    }

    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        // Free as of now, and outside of where the system takes ports from by itself.
        let port = Reservation::new().map_err(|error| ClientError::SetUp(format!("no port is free: {error}")))?;
        let port = port.address().port().to_string();
        let mut variables = address.variables();
        variables.push(("PORT", port.clone()));
        let place = Place { variables, home };

        let words = self.words.with(PORT, &port);
        let (child, stderr) = place.start(&words, "client")?;
        let group = Arc::new(Group::of(&child));
        let facts = ClientFacts {
            name: words.program.rsplit('/').next().unwrap_or_default().to_owned(),
            version: String::new(),
            concurrency: 1,
            capabilities: self.abilities(),
            timeout: None,
        };
        let ready = self.ready.as_ref().map(|words| words.with(PORT, &port));
        let load = self.load.as_ref().map(|words| words.with(PORT, &port));
        let unready = ready.as_ref().map(|_| "it has not been asked yet".to_owned());
        let state = Arc::new(Mutex::new(State { unready, ..State::default() }));
        let gone = CancellationToken::new();
        let visitors = visit(place, ready, load, Arc::clone(&state));
        Ok(Arc::new(Watched {
            facts,
            group: Arc::clone(&group),
            _following: AbortOnDropHandle::new(tokio::spawn(follow(
                child,
                group,
                stderr,
                Arc::clone(&state),
                gone.clone(),
            ))),
            visiting: Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(visitors)))),
            state,
            gone,
        }))
    }
}

/// Where processes of an application are.
struct Place {
    variables: Vec<(&'static str, String)>,
    home: LaunchContext,
}

impl Place {
    /// Starts a command; both of its outputs are kept, under its name.
    fn start(&self, words: &CommandLine, name: &str) -> Result<(Child, Output), ClientError> {
        let (stderr, file) = Output::append(self.home.output.join(format!("{name}.stderr")))?;
        let (_, stdout) = Output::append(self.home.output.join(format!("{name}.stdout")))?;
        let mut command = words.command(None, self.variables.clone(), &self.home)?;
        command.stdin(Stdio::null()).stdout(stdout).stderr(file);
        Ok((words.start(command)?, stderr))
    }
}

#[derive(Default)]
struct State {
    /// Why it is not ready.
    unready: Option<String>,
    /// How it ended.
    ended: Option<Ended>,
    /// It is to end: nobody is told how, and nothing is started any more.
    closing: bool,
    /// Whether what gives it work stands still.
    paused: bool,
    /// What gives it work, while that runs.
    load: Option<Arc<Group>>,
}

/// An application at work. Dropping it kills it, and what gives it work.
struct Watched {
    facts: ClientFacts,
    group: Arc<Group>,
    state: Arc<Mutex<State>>,
    visiting: Mutex<Option<AbortOnDropHandle<()>>>,
    _following: AbortOnDropHandle<()>,
    /// Cancelled once its process is gone.
    gone: CancellationToken,
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Ends what gives it work.
    fn send_visitors_home(&self) {
        let visiting = self.visiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(visiting);
        let mut state = self.state();
        // Whoever is starting another one just now, on another thread, sees this, and ends it himself.
        state.closing = true;
        if let Some(load) = state.load.take() {
            load.signal(Signal::SIGKILL);
        }
    }
}

#[async_trait]
impl DynClient for Watched {
    fn facts(&self) -> ClientFacts {
        self.facts.clone()
    }

    async fn perform(&self, _call: Call) -> Result<Option<bool>, OpError> {
        Err(OpError::new(ErrorKind::Other, "an application does its own work"))
    }

    async fn listen(&self, _news: Notifications) -> Result<(), OpError> {
        Err(OpError::new(ErrorKind::Other, "an application does its own work"))
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
        self.send_visitors_home();
        for (signal, patience) in [(Signal::SIGTERM, CLEAN_EXIT_WITHIN), (Signal::SIGKILL, KILL_WITHIN)] {
            self.group.signal(signal);
            if timeout(patience, self.gone.cancelled()).await.is_ok() {
                return;
            }
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.send_visitors_home();
        self.group.signal(Signal::SIGKILL);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the application ends, and notes how.
async fn follow(
    mut child: Child,
    group: Arc<Group>,
    stderr: Output,
    state: Arc<Mutex<State>>,
    gone: CancellationToken,
) {
    let status = child.wait().await;
    group.disband();
    let status = status.map_or_else(|error| format!("its exit status is not known: {error}"), in_words);
    {
        let mut state = lock(&state);
        if !state.closing {
            state.ended = Some(Ended::Exited { status, stderr: stderr.tail() });
        }
    }
    gone.cancel();
}

/// Asks until the application is ready, then gives it work for as long as it is not told to stop.
async fn visit(place: Place, ready: Option<CommandLine>, load: Option<CommandLine>, state: Arc<Mutex<State>>) {
    if let Some(ready) = ready {
        while let Err(reason) = ask(&place, &ready).await {
            lock(&state).unready = Some(reason);
            sleep(ASK_EVERY).await;
        }
        lock(&state).unready = None;
    }
    let Some(load) = load else { return };
    loop {
        if let Err(error) = work(&place, &load, &state).await {
            // It is not the application that cannot be started; without work nothing will be seen of it, and that is told.
            lock(&state).unready = Some(error.to_string());
        }
        sleep(LOAD_AGAIN).await;
    }
}

/// Whether it is ready.
///
/// *Errors*: why it is not, in the words of who was asked.
async fn ask(place: &Place, ready: &CommandLine) -> Result<(), String> {
    let (mut child, stderr) = place.start(ready, "ready").map_err(|error| error.to_string())?;
    let asked = Asked(Group::of(&child));
    let answer = timeout(ASKED_WITHIN, child.wait()).await;
    let reason = match answer {
        Ok(Ok(status)) => {
            asked.0.disband();
            if status.success() {
                return Ok(());
            }
            in_words(status)
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {}", crate::model::time::show(ASKED_WITHIN)),
    };
    Err(match stderr.tail() {
        said if said.is_empty() => format!("{:?}: {reason}", ready.text),
        said => format!("{:?}: {reason}; its stderr ends with: {said}", ready.text),
    })
}

/// Gives it work until whoever does that ends.
async fn work(place: &Place, load: &CommandLine, state: &Mutex<State>) -> Result<(), ClientError> {
    let (mut child, _) = place.start(load, "load")?;
    let group = Arc::new(Group::of(&child));
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
    // Whoever takes it away first kills it.
    if lock(state).load.take().is_some() {
        group.disband();
    }
    status.map(drop).map_err(|error| ClientError::SetUp(format!("{:?}: {error}", load.text)))
}

/// Somebody who is asked; dropped before the answer, it is killed.
struct Asked(Group);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.signal(Signal::SIGKILL);
    }
}
