//! Whether a client speaks the adapter protocol right: scripted cases, each with one answer.
//!
//! A verdict on a client is worth nothing while its adapter swallows errors, answers twice or works through its requests
//! one by one. Each *case* asks for one thing of the protocol, against a real server behind a gateway. What a library
//! makes of a fault, and how soon it is back, is left to scenarios: here it has ample time.

mod asking;
mod ending;
mod listening;
mod loss;
mod plain;
mod pressure;
mod stage;

use std::fmt;
use std::io;

use futures_util::future::BoxFuture;

use self::stage::{Stage, Trouble};
use crate::client::{ClientChoice, ClientError};
use crate::environment::EnvironmentError;
use crate::environment::choice::ServerChoice;
use crate::model::history::Capability;
use crate::server::ServerError;

/// What one case has found.
type Found = Result<(), Trouble>;

/// One thing that is asked of every adapter.
pub struct Case {
    pub name: &'static str,
    /// What is so where it passes.
    pub asks: &'static str,
    /// What a run would be worth without it.
    pub why: &'static str,
    /// Without which it is not asked.
    needs: Option<Capability>,
    play: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, Found>,
}

/// Every case, in the order in which they are asked: those that later ones build upon first.
pub const CASES: [Case; 13] = [
    Case {
        name: "hello",
        asks: "says who it is and what it can do",
        why: "what it does not claim is not asked of it, and what it misspells neither",
        needs: None,
        play: |stage| Box::pin(plain::hello(stage)),
    },
    Case {
        name: "write",
        asks: "what it acknowledges is in the ledger, once",
        why: "a write that is lost is told by what was acknowledged",
        needs: None,
        play: |stage| Box::pin(plain::write(stage)),
    },
    Case {
        name: "read",
        asks: "finds what is there, and does not find what is not",
        why: "a stale read is told by what is found",
        needs: None,
        play: |stage| Box::pin(plain::read(stage)),
    },
    Case {
        name: "transaction",
        asks: "several statements in one transaction, which is committed",
        why: "a fault between two statements must hit one transaction",
        needs: Some(Capability::Transaction),
        play: |stage| Box::pin(plain::transaction(stage)),
    },
    Case {
        name: "error",
        asks: "hands on the server's SQLSTATE, and works afterwards",
        why: "what did not happen is told from what may have happened by the code",
        needs: None,
        play: |stage| Box::pin(plain::error(stage)),
    },
    Case {
        name: "concurrency",
        asks: "as many operations proceed side by side as it has said, and more wait",
        why: "a fault that hits one connection must leave the others at work",
        needs: None,
        play: |stage| Box::pin(pressure::concurrency(stage)),
    },
    Case {
        name: "slow",
        asks: "waits for answers that are 300 ms late, and gets them right",
        why: "an adapter with a timer of its own would be judged for its library",
        needs: None,
        play: |stage| Box::pin(pressure::slow(stage)),
    },
    Case {
        name: "hang",
        asks: "acknowledges nothing while the server is silent, and answers once",
        why: "what is acknowledged too early looks like a lost write of the library",
        needs: None,
        play: |stage| Box::pin(pressure::hang(stage)),
    },
    Case {
        name: "cancel",
        asks: "ends a call at the application's deadline, and works afterwards",
        why: "only where the library's own means are used do they show what they leave behind",
        needs: Some(Capability::Deadline),
        play: |stage| Box::pin(pressure::cancel(stage)),
    },
    Case {
        name: "restart",
        asks: "answers everything though its sessions are ended, and comes back",
        why: "an operation without an answer is taken for one that hangs in the library",
        needs: None,
        play: |stage| Box::pin(loss::restart(stage)),
    },
    Case {
        name: "cut",
        asks: "answers everything though its connections are reset, and comes back",
        why: "as above; and other code of a library is asked than by a word of the server",
        needs: None,
        play: |stage| Box::pin(loss::cut(stage)),
    },
    Case {
        name: "listen",
        asks: "hands on each notification once, and says when it may have missed some",
        why: "nobody else knows whether a notification was heard",
        needs: Some(Capability::Listen),
        play: |stage| Box::pin(listening::listen(stage)),
    },
    Case {
        name: "end",
        asks: "leaves by itself when its stdin ends, and leaves no session behind",
        why: "a session that lingers looks like a leak of the library",
        needs: None,
        play: |stage| Box::pin(ending::end(stage)),
    },
];

/// How one case ended for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name of the case.
    pub case: &'static str,
    pub finding: Finding,
}

/// What came of a case, in one line for the author of the adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What was so.
    Pass(String),
    /// What is wrong, and how to mend it.
    Fail(String),
    /// Why it was not asked.
    Skip(String),
}

impl Outcome {
    pub fn failed(&self) -> bool {
        matches!(self.finding, Finding::Fail(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match &self.finding {
            Finding::Pass(text) => ("pass", text),
            Finding::Fail(text) => ("FAIL", text),
            Finding::Skip(text) => ("skip", text),
        };
        write!(f, "{word}  {:12} {text}", self.case)
    }
}

/// Why the cases could not be asked. An adapter that fails them is never an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the gateway: {0}")]
    Gateway(#[from] io::Error),
}

impl From<ServerError> for ConformanceError {
    fn from(error: ServerError) -> ConformanceError {
        ConformanceError::Environment(error.into())
    }
}

/// Asks every case of one client, on a server and behind a gateway of its own; in the order of [`CASES`].
///
/// *Errors*: there is no such server here, or the client cannot be started.
pub async fn check(client: &ClientChoice, server: &ServerChoice) -> Result<Vec<Outcome>, ConformanceError> {
    let (source, _) = server.resolve()?;
    let mut stage = Stage::set(client, &source).await?;
    let mut outcomes = Vec::new();
    for case in &CASES {
        outcomes.push(Outcome { case: case.name, finding: stage.ask(case).await? });
    }
    stage.close().await?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_one_line_under_the_others() {
        let line = |case, finding| Outcome { case, finding }.to_string();
        assert_eq!(line("write", Finding::Pass("it is there".into())), "pass  write        it is there");
        assert_eq!(line("concurrency", Finding::Fail("one by one".into())), "FAIL  concurrency  one by one");
        assert_eq!(line("listen", Finding::Skip("it cannot".into())), "skip  listen       it cannot");
    }

    #[test]
    fn names_are_words_and_there_is_one_of_each() {
        let names: std::collections::BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(CASES.iter().all(|case| case.name.len() <= 12 && !case.asks.ends_with('.')));
    }
}
