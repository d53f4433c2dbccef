//! What can be typed. Values are understood here and go on as types of the library.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use pgsquall::environment::choice::ServerChoice;
use pgsquall::seed::Seed;
use pgsquall::time::parse_duration;

const EXIT_CODES: &str = "\
Exit codes:
  0    every verdict is pass
  1    a verdict is fail
  2    a verdict is unknown (and none is fail): the run proves nothing
  64   bad arguments, or a bad scenario file
  69   something needed is not available here: a server, the client
  70   the harness itself failed
  130  stopped by Ctrl-C, after cleaning up";

const RUN_EXAMPLES: &str = "\
Examples:
  pgsquall run
      every scenario, against the built-in reference client and the Postgres installed here
  pgsquall run connection-reset stall --client 'python3 my_client.py'
      two scenarios, against an adapter in any language
  pgsquall run my-outage.toml --server docker:postgres:17 --budget 10s
      a scenario of your own, on a container, with ten seconds to recover
  pgsquall run restart-fast --repeat 20 --seed 7 --out results
      twenty runs that sweep the moment of the fault, repeatable, with everything kept in results/";

/// Chaos testing for Postgres clients: real Postgres, real faults, one honest verdict.
#[derive(Debug, Parser)]
#[command(name = "pgsquall", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run scenarios against a client, and judge it
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunArguments),
    /// List scenarios, built-in clients, and what this machine can run
    List(ListArguments),
    /// Print a scenario: what it asks, its timeline, its file
    #[command(after_help = "Example:\n  pgsquall show long-recovery > my-outage.toml")]
    Show {
        /// A scenario's name
        scenario: String,
    },
    /// Check scenario files without running them
    #[command(after_help = "Example:\n  pgsquall check my-outage.toml")]
    Check {
        /// Scenario files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Judge stored histories again, offline
    #[command(after_help = "Example:\n  pgsquall judge pgsquall-runs/*/*/history.jsonl")]
    Judge {
        /// Files named history.jsonl, or the folders that hold one
        #[arg(required = true, value_name = "HISTORY")]
        histories: Vec<PathBuf>,
        /// Print the verdicts as they are stored in verdict.json
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// The server to say it for: auto, local[:BINDIR], docker[:IMAGE] or a URL
    #[arg(long, default_value = "auto", value_name = "SERVER")]
    pub server: ServerChoice,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Names of scenarios or paths of scenario files; without any, every scenario that is shipped
    #[arg(value_name = "SCENARIO|FILE")]
    pub scenarios: Vec<String>,

    /// The client under test: a built-in one by name, or the command line of an adapter
    #[arg(long, default_value = "reference", value_name = "NAME|COMMAND")]
    pub client: String,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_name = "SERVER")]
    pub server: ServerChoice,

    /// The longest acceptable time-to-recover, instead of each scenario's own
    #[arg(long, value_parser = positive, value_name = "DURATION")]
    pub budget: Option<Duration>,

    /// Run each scenario so many times, sweeping the moment of the fault
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub repeat: u32,

    /// Repeat an earlier run: the seed that it printed
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Runs at once; they wait more than they work, so the default is four for each core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,

    /// Where histories, verdicts and logs go; default: a new folder under pgsquall-runs/
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Explain every run, not only those that did not pass
    #[arg(long, short)]
    pub verbose: bool,
}

fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a budget of nothing cannot be kept".into()),
        duration => Ok(duration),
    }
}

fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map(Seed).map_err(|_| format!("{text:?} is not a seed: write the number that a run has printed"))
}
