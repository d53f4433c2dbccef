//! Checks that a client follows the adapter protocol: scripted cases, each with one result.
//!
//! A verdict on a client is unreliable if its adapter swallows errors, answers twice or serialises its requests. Each
//! *case* tests one rule of the protocol, against a real server behind a gateway (`bench`, `calls`; the cases are in
//! the other files). How a library reacts to faults, and how fast it recovers, is judged by scenarios: the cases give
//! it ample time.

mod basics;
mod bench;
mod calls;
mod delays;
mod ending;
mod listening;
mod loss;

use std::fmt;
use std::io;

use futures_util::future::BoxFuture;

use self::bench::{CaseBench, CaseError};
use crate::client::{ClientChoice, ClientError};
use crate::environment::EnvironmentError;
use crate::environment::choice::ServerChoice;
use crate::model::history::Capability;
use crate::server::ServerError;

/// The result of one case.
type CaseResult = Result<(), CaseError>;

/// One rule that every adapter must follow.
pub struct Case {
    pub name: &'static str,
    /// What the adapter does if the case passes; the subject is the adapter.
    pub requirement: &'static str,
    /// Why a run needs the rule.
    pub why: &'static str,
    /// The capability without which the case is skipped.
    needs: Option<Capability>,
    run: for<'a> fn(&'a mut CaseBench) -> BoxFuture<'a, CaseResult>,
}

/// Every case in order: later ones depend on earlier ones.
pub const CASES: [Case; 13] = [
    Case {
        name: "hello",
        requirement: "names its library and its capabilities",
        why: "scenarios for a capability that is missing or misspelt are skipped",
        needs: None,
        run: |bench| Box::pin(basics::hello(bench)),
    },
    Case {
        name: "write",
        requirement: "acknowledged writes are in the ledger, once",
        why: "lost writes are detected by comparing the ledger with acknowledged writes",
        needs: None,
        run: |bench| Box::pin(basics::write(bench)),
    },
    Case {
        name: "read",
        requirement: "finds existing rows, and no missing ones",
        why: "stale reads are detected by the rows that are found",
        needs: None,
        run: |bench| Box::pin(basics::read(bench)),
    },
    Case {
        name: "transaction",
        requirement: "runs several statements in one transaction, and commits it",
        why: "a fault between two statements must hit one transaction",
        needs: Some(Capability::Transaction),
        run: |bench| Box::pin(basics::transaction(bench)),
    },
    Case {
        name: "error",
        requirement: "passes on the server's SQLSTATE, and works afterwards",
        why: "the code tells whether the operation may have taken effect",
        needs: None,
        run: |bench| Box::pin(basics::error(bench)),
    },
    Case {
        name: "concurrency",
        requirement: "runs as many operations at once as its hello says, and makes more wait",
        why: "a fault on one connection must not stop the others",
        needs: None,
        run: |bench| Box::pin(delays::concurrency(bench)),
    },
    Case {
        name: "slow",
        requirement: "waits for replies that are 300 ms late, and answers correctly",
        why: "a timeout of the adapter would be mistaken for one of its library",
        needs: None,
        run: |bench| Box::pin(delays::slow(bench)),
    },
    Case {
        name: "hang",
        requirement: "acknowledges nothing while the server is silent, and answers once",
        why: "a write acknowledged too early looks like a lost write of the library",
        needs: None,
        run: |bench| Box::pin(delays::hang(bench)),
    },
    Case {
        name: "cancel",
        requirement: "ends a call at the application's deadline, and works afterwards",
        why: "only the library's own cancellation shows what it leaves behind",
        needs: Some(Capability::Deadline),
        run: |bench| Box::pin(delays::cancel(bench)),
    },
    Case {
        name: "restart",
        requirement: "answers every request although its sessions are ended, and reconnects",
        why: "an unanswered operation would be reported as hung in the library",
        needs: None,
        run: |bench| Box::pin(loss::restart(bench)),
    },
    Case {
        name: "cut",
        requirement: "answers every request although its connections are reset, and reconnects",
        why: "a reset runs other code of the library than an error message of the server",
        needs: None,
        run: |bench| Box::pin(loss::cut(bench)),
    },
    Case {
        name: "listen",
        requirement: "passes on each notification once, and reports when it may have missed some",
        why: "only the client knows which notifications arrived",
        needs: Some(Capability::Listen),
        run: |bench| Box::pin(listening::listen(bench)),
    },
    Case {
        name: "end",
        requirement: "exits when its stdin ends, and leaves no session on the server",
        why: "a session that lingers looks like a leak of the library",
        needs: None,
        run: |bench| Box::pin(ending::end(bench)),
    },
];

/// How one case ended for one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name of the case.
    pub case: &'static str,
    pub finding: Finding,
}

/// The result of a case, in one line for the adapter's author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The case's requirement, with a note if there is one.
    Pass(String),
    /// What is wrong, and how to fix it.
    Fail(String),
    /// Why the case was skipped.
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

/// Why the cases could not be run. A failing adapter is not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformanceError {
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot run the gateway: {0}")]
    Gateway(#[from] io::Error),
}

impl From<ServerError> for ConformanceError {
    fn from(error: ServerError) -> ConformanceError {
        ConformanceError::Environment(error.into())
    }
}

/// Runs every case against one client, on a server and behind a gateway of its own; in the order of [`CASES`].
///
/// *Errors*: the server or the gateway fails, or the client cannot be started the first time; a wrong or missing hello
/// is a failed case.
pub async fn check(client: &ClientChoice, server: &ServerChoice) -> Result<Vec<Outcome>, ConformanceError> {
    let (source, _) = server.resolve()?;
    let mut bench = CaseBench::create(client, &source).await?;
    let mut outcomes = Vec::new();
    for case in &CASES {
        outcomes.push(Outcome { case: case.name, finding: bench.run_case(case).await? });
    }
    bench.close().await?;
    Ok(outcomes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_is_one_aligned_line() {
        let line = |case, finding| Outcome { case, finding }.to_string();
        assert_eq!(line("write", Finding::Pass("it is there".into())), "pass  write        it is there");
        assert_eq!(line("concurrency", Finding::Fail("one by one".into())), "FAIL  concurrency  one by one");
        assert_eq!(line("listen", Finding::Skip("it cannot".into())), "skip  listen       it cannot");
    }

    #[test]
    fn case_names_are_unique_and_short() {
        let names: std::collections::BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), CASES.len());
        assert!(CASES.iter().all(|case| case.name.len() <= 12 && !case.requirement.ends_with('.')));
    }
}
