//! An adapter at work, from its hello to its end.
//!
//! One task writes requests, so that an adapter that does not read blocks nobody; one follows the process. Either ends
//! with the process at the latest. What the adapter says of an operation is passed on unjudged.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::sys::signal::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::pending::{Answered, PendingRequests, closed};
use super::process::{EXIT_WITHIN, Heard, Process, SILENT};
use super::protocol::{self, LISTENING, Word};
use crate::client::child::Group;
use crate::client::{Call, DynClient, Notifications};
use crate::model::history::{ClientFacts, Ended, OpError};

/// From the end of stdin to SIGTERM: time to close a pool in order.
const CLEAN_EXIT_WITHIN: Duration = Duration::from_secs(2);

/// From SIGTERM to SIGKILL.
const TERMINATION_WITHIN: Duration = Duration::from_secs(1);

/// From SIGKILL to giving up the wait; more than `process` itself allows.
const KILL_WITHIN: Duration = Duration::from_secs(8);

/// Requests that wait for the adapter to read; more of them wait in their callers.
const QUEUE: usize = 64;

/// A launched adapter. Dropping it kills its process group.
pub(super) struct Session {
    facts: ClientFacts,
    requests: mpsc::Sender<String>,
    desk: Arc<PendingRequests>,
    group: Arc<Group>,
    /// Cancelled once the process is gone and every operation has its answer.
    gone: CancellationToken,
}

impl Session {
    /// Takes over a process that has said its hello.
    pub fn begin(facts: ClientFacts, process: Process, stdin: ChildStdin) -> Session {
        let (requests, queue) = mpsc::channel(QUEUE);
        let (desk, group, gone) = (Arc::new(PendingRequests::default()), process.group(), CancellationToken::new());
        tokio::spawn(follow(process, stdin, queue, desk.clone(), gone.clone()));
        Session { facts, requests, desk, group, gone }
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

    async fn perform(&self, call: Call) -> Answered {
        let answered = self.desk.ask(call.id, call.kind.into())?;
        // It fails only when nobody writes any more; then the end of the process answers.
        let _ = self.requests.send(protocol::request(call)).await;
        answered.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        self.desk.subscribe(news);
        let answered = self.desk.ask(LISTENING, Word::Listen)?;
        // As above.
        let _ = self.requests.send(protocol::listen()).await;
        answered.await.unwrap_or_else(|_| Err(closed()))?;
        self.gone.cancelled().await;
        Ok(())
    }

    fn ended(&self) -> Option<Ended> {
        self.desk.ended()
    }

    async fn close(&self) {
        self.desk.closing.cancel();
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
        self.desk.exit_status()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.desk.closing.cancel();
        self.group.signal(Signal::SIGKILL);
    }
}

/// Listens to the process until its end, and sees to it that there is one.
async fn follow(
    mut process: Process,
    stdin: ChildStdin,
    queue: mpsc::Receiver<String>,
    desk: Arc<PendingRequests>,
    gone: CancellationToken,
) {
    let deaf = CancellationToken::new();
    let writer = tokio::spawn(write(stdin, queue, desk.closing.clone(), deaf.clone()));
    let how = loop {
        let heard = tokio::select! {
            heard = process.hear() => heard,
            () = deaf.cancelled() => {
                break Ended::Violated { reason: "it closed its stdin though it goes on running; read requests from \
                                                 stdin until it ends".into() };
            }
        };
        match heard {
            Heard::Line(line) => match desk.take(&line) {
                Err(reason) if !desk.closing.is_cancelled() => break Ended::Violated { reason },
                _ => {}
            },
            Heard::Silent => break Ended::Violated { reason: SILENT.into() },
            Heard::Exited(status) => break Ended::Exited { status, stderr: process.stderr_tail() },
        }
    };
    process.end().await;
    writer.abort();
    desk.finish(how);
    gone.cancel();
}

/// Writes requests until the harness closes, which ends stdin, or the adapter does not want them: then it is `deaf`.
async fn write(
    mut stdin: ChildStdin,
    mut queue: mpsc::Receiver<String>,
    closing: CancellationToken,
    deaf: CancellationToken,
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
            // Most likely it is about to exit, which is another story than an adapter that stays without stdin.
            sleep(EXIT_WITHIN).await;
            deaf.cancel();
            return;
        }
    }
}
