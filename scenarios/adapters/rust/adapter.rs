//! The adapter protocol, for clients in Rust: requests on stdin, answers on stdout, one JSON object per line.
//! Independent of any library. A client implements `Worker`.

#![allow(dead_code)] // a query builder has no use for the statements

use std::io::{self, ErrorKind};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{error::Elapsed, timeout};

pub const WORKERS: usize = 4;
/// Callers of a pool with one connection per worker: the others wait in the pool.
pub const CALLERS: usize = 2 * WORKERS;
pub const WRITE: &str = "INSERT INTO pgsquall_ledger (id) VALUES ($1)";
pub const READ: &str = "SELECT 1 FROM pgsquall_ledger WHERE id = $1";

/// Time for operations in progress when stdin ends.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
pub enum Op {
    Write,
    Read,
    Transaction,
}

/// The library's error of a failed operation; `kind` is one of the protocol's words.
#[derive(Default)]
pub struct Failure {
    pub message: String,
    pub sqlstate: Option<String>,
    pub retryable: Option<bool>,
    pub kind: Option<&'static str>,
}

impl From<Elapsed> for Failure {
    fn from(elapsed: Elapsed) -> Failure {
        Failure { message: elapsed.to_string(), kind: Some("deadline"), ..Failure::default() }
    }
}

/// The protocol's word for an I/O error.
pub fn kind(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::ConnectionRefused => Some("refused"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Some("reset"),
        ErrorKind::UnexpectedEof => Some("closed"),
        ErrorKind::TimedOut => Some("timeout"),
        _ => None,
    }
}

/// Performs one operation at a time; a read returns whether the key was found. The future is dropped at its deadline.
pub trait Worker: Send + 'static {
    fn perform(&mut self, op: Op, key: i64) -> impl Future<Output = Result<Option<bool>, Failure>> + Send;
}

/// Whether the profile, the last argument, is the tuned one.
pub fn is_tuned() -> bool {
    match std::env::args().next_back().as_deref() {
        Some("default") => false,
        Some("tuned") => true,
        other => panic!("the last argument must be default or tuned, not {other:?}"),
    }
}

/// Prints the hello. The version is that of `library` in the build's Cargo.lock.
pub fn hello(name: &str, library: &str, capabilities: &[&str], timeout: Option<Duration>) {
    let package = format!("name = \"{library}\"\nversion = \"");
    let (_, rest) = include_str!("Cargo.lock").split_once(&package).expect("Cargo.lock names the library");
    let version = rest.split('"').next();
    let mut hello = json!({"name": name, "version": version, "concurrency": WORKERS});
    hello["capabilities"] = json!(capabilities);
    if let Some(timeout) = timeout {
        hello["timeout_ms"] = json!(timeout.as_millis());
    }
    say(json!({"hello": hello}));
}

/// Answers requests until stdin ends. `listen` is started on request.
pub async fn serve<W: Worker>(workers: Vec<W>, listen: impl Future<Output = ()> + Send + 'static) {
    let count = workers.len();
    let (idle, mut workers_at_rest) = channel(count);
    for worker in workers {
        idle.try_send(worker).ok().expect("there is room for every worker");
    }
    let mut listen = Some(listen);
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await.expect("stdin can be read") {
        let request: Value = serde_json::from_str(&line).expect("a request is JSON");
        if request["op"] == "listen" {
            tokio::spawn(listen.take().expect("listening is requested once"));
        } else {
            let worker = workers_at_rest.recv().await.expect("workers come back");
            tokio::spawn(work(worker, request, idle.clone()));
        }
    }
    let all_at_rest = async {
        for _ in 0..count {
            drop(workers_at_rest.recv().await);
        }
    };
    // Hung operations end with the process: no caller waits for their answers.
    let _ = timeout(FAREWELL, all_at_rest).await;
    std::process::exit(0);
}

async fn work<W: Worker>(mut worker: W, request: Value, idle: Sender<W>) {
    let op = match request["op"].as_str() {
        Some("write") => Op::Write,
        Some("read") => Op::Read,
        Some("transaction") => Op::Transaction,
        _ => panic!("{request} asks for something unknown"),
    };
    let call = worker.perform(op, request["key"].as_i64().expect("an operation has a key"));
    let result = match request["deadline_ms"].as_u64() {
        None => call.await,
        Some(limit) => match timeout(Duration::from_millis(limit), call).await {
            Ok(result) => result,
            Err(elapsed) => Err(elapsed.into()),
        },
    };
    let mut answer = json!({"id": request["id"]});
    match result {
        Ok(found) => {
            answer["ok"] = json!(true);
            found.inspect(|found| answer["found"] = json!(found));
        }
        Err(failure) => answer["error"] = described(failure),
    }
    say(answer);
    let _ = idle.send(worker).await;
}

fn described(Failure { message, sqlstate, retryable, kind }: Failure) -> Value {
    let mut error = json!({"message": message});
    sqlstate.inspect(|sqlstate| error["sqlstate"] = json!(sqlstate));
    retryable.inspect(|retryable| error["retryable"] = json!(retryable));
    kind.inspect(|kind| error["kind"] = json!(kind));
    error
}

/// Rust's stdout is flushed at each line end, and locked for each call.
pub fn say(line: Value) {
    println!("{line}");
}
