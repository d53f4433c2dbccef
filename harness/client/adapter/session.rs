//! A running adapter, from its hello to its exit.
//!
//! One task writes requests and another follows the process, so that an adapter that does not read its stdin does not
//! stop the reading of its stdout. Both end with the process at the latest. The adapter's results are passed on
//! unjudged.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::pending::{OpResult, PendingRequests, client_closed};
use super::process::{EXIT_WITHIN, Process, ProcessEvent, STDOUT_CLOSED};
use super::protocol::{self, LISTENING, RequestKind};
use crate::client::child::Group;
use crate::client::{Call, DynClient, Notifications};
use crate::model::history::{ClientFacts, Ended, OpError};

/// Time from the end of stdin to SIGTERM, in which the adapter can close its pool.
const CLEAN_EXIT_WITHIN: Duration = Duration::from_secs(2);

/// Time from SIGTERM to SIGKILL.
const TERMINATION_WITHIN: Duration = Duration::from_secs(1);

/// How long the harness waits for the exit after SIGKILL; longer than the limit in `process`.
const KILL_WITHIN: Duration = Duration::from_secs(8);

/// Requests queued for the adapter; further ones wait in their callers.
const QUEUE_LIMIT: usize = 64;

/// A launched adapter. Dropping it kills its process group.
pub(super) struct Session {
    facts: ClientFacts,
    requests: mpsc::Sender<String>,
    pending: Arc<PendingRequests>,
    group: Arc<Group>,
    /// Cancelled once the process is gone and every operation has an answer.
    gone: CancellationToken,
}

impl Session {
    /// Takes over a process that has sent its hello.
    pub fn start(facts: ClientFacts, process: Process, stdin: ChildStdin) -> Session {
        let (requests, queue) = mpsc::channel(QUEUE_LIMIT);
        let (pending, group, gone) = (Arc::new(PendingRequests::default()), process.group(), CancellationToken::new());
        tokio::spawn(follow(process, stdin, queue, pending.clone(), gone.clone()));
        Session { facts, requests, pending, group, gone }
    }

    async fn gone_within(&self, within: Duration) -> bool {
        timeout(within, self.gone.cancelled()).await.is_ok()
    }
}

#[async_trait]
impl DynClient for Session {
    fn facts(&self) -> ClientFacts {
        self.facts.clone()
    }

    async fn perform(&self, call: Call) -> OpResult {
        let answer = self.pending.register(call.id, call.kind.into())?;
        // Sending fails only if the writer has ended; then the end of the process answers.
        let _ = self.requests.send(protocol::format_request(call)).await;
        answer.await.unwrap_or_else(|_| Err(client_closed()))
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        self.pending.subscribe(news);
        let answer = self.pending.register(LISTENING, RequestKind::Listen)?;
        // A failure to send is answered by the end of the process.
        let _ = self.requests.send(protocol::format_listen()).await;
        answer.await.unwrap_or_else(|_| Err(client_closed()))?;
        self.gone.cancelled().await;
        Ok(())
    }

    fn ended(&self) -> Option<Ended> {
        self.pending.ended()
    }

    async fn close(&self) {
        self.pending.closing.cancel();
        if self.gone_within(CLEAN_EXIT_WITHIN).await {
            return;
        }
        self.group.signal(Signal::SIGTERM);
        if self.gone_within(TERMINATION_WITHIN).await {
            return;
        }
        self.group.signal(Signal::SIGKILL);
        self.gone_within(KILL_WITHIN).await;
    }

    fn exit_status(&self) -> Option<Ended> {
        self.pending.exit_status()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.pending.closing.cancel();
        self.group.signal(Signal::SIGKILL);
    }
}

/// Reads the process's lines until its end, and ensures that it ends.
async fn follow(
    mut process: Process,
    stdin: ChildStdin,
    queue: mpsc::Receiver<String>,
    pending: Arc<PendingRequests>,
    gone: CancellationToken,
) {
    let stdin_closed = CancellationToken::new();
    let writer = tokio::spawn(write(stdin, queue, pending.closing.clone(), stdin_closed.clone()));
    let how = loop {
        let event = tokio::select! {
            event = process.next_event() => event,
            () = stdin_closed.cancelled() => {
                break Ended::Violated { reason: "it closed its stdin but keeps running; read requests from \
                                                 stdin until it ends".into() };
            }
        };
        match event {
            ProcessEvent::Line(line) => match pending.accept_line(&line) {
                Err(reason) if !pending.closing.is_cancelled() => break Ended::Violated { reason },
                _ => {}
            },
            ProcessEvent::StdoutClosed => break Ended::Violated { reason: STDOUT_CLOSED.into() },
            ProcessEvent::Exited(status) => break Ended::Exited { status, stderr: process.stderr_tail() },
        }
    };
    process.kill().await;
    writer.abort();
    pending.finish(how);
    gone.cancel();
}

/// Writes requests until the harness closes the client, which ends stdin, or the adapter closes its stdin.
async fn write(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<String>,
    closing: CancellationToken,
    stdin_closed: CancellationToken,
) {
    loop {
        let written = tokio::select! {
            () = closing.cancelled() => return,
            written = async {
                match queue.recv().await {
                    Some(line) => Some(stdin.write_all(line.as_bytes()).await),
                    None => None,
                }
            } => written,
        };
        let Some(written) = written else { return };
        if written.is_err() {
            // The process is most likely about to exit, which is no violation.
            sleep(EXIT_WITHIN).await;
            stdin_closed.cancel();
            return;
        }
    }
}
