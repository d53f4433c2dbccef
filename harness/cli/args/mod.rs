//! The command line. Parses values into types of the library. The doc comments of arguments are the text of `--help`.

mod baseline;
mod bench;
mod conformance;
mod doctor;
mod proxy;
mod report;
mod report_files;
mod run;
mod sim;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pgsquall::environment::choice::ServerChoice;

pub use self::baseline::BaselineArguments;
pub use self::bench::BenchArguments;
pub use self::conformance::ConformanceArguments;
pub use self::doctor::DoctorArguments;
pub use self::proxy::ProxyArguments;
pub use self::report::{MergeArguments, ReportVerb};
pub use self::run::RunArguments;
pub use self::sim::SimArguments;
use self::values::ServerParser;

const EXIT_CODES: &str = "\
Exit codes:
  0    every verdict is pass
  1    a verdict is fail
  2    a verdict is unknown (and none is fail): the run proves nothing
  64   bad arguments, or a bad scenario file
  69   something needed is not available here: a server, the client
  70   the harness itself failed
  130  stopped by Ctrl-C, SIGTERM or SIGHUP, after cleaning up";

const INIT_EXAMPLES: &str = "\
Examples:
  pgsquall init
      lists the shipped adapters
  pgsquall init psycopg-pool
      writes one to the folder psycopg-pool/ and prints how to run it
  pgsquall init sqlx --build
      builds one now instead of at its first run
  pgsquall run stall --client psycopg-pool:tuned
      runs one as it is shipped, with the settings that its library offers for recovery";

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
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", run::EXAMPLES))]
    Run(RunArguments),
    /// Compare how soon clients recover: many runs of each, in turns
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", bench::EXAMPLES))]
    Bench(BenchArguments),
    /// Simulate: random schedules of faults, or scenarios, in virtual time
    #[command(after_help = sim::HELP)]
    Sim(SimArguments),
    /// List scenarios, built-in clients, and what this machine can run
    #[command(after_help = "Example:\n  pgsquall list --server docker")]
    List(ListArguments),
    /// Print a scenario: its timeline and its file
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
    /// Run a proxy that injects faults between clients and a server, controlled over Toxiproxy's HTTP API
    #[command(after_help = proxy::HELP)]
    Proxy(ProxyArguments),
    /// Check a live server's settings and the network path to it
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArguments),
    /// Copy a shipped adapter to a folder, to read it, change it, or start your own from it
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// An adapter's name; without one, they are listed
        name: Option<String>,
        /// The folder to create for it, which must not exist yet; default: the adapter's name
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print its files instead of writing them
        #[arg(long, conflicts_with = "folder", requires = "name")]
        print: bool,
        /// Build it now, into the cache that runs use, instead of at its first run
        #[arg(long, conflicts_with_all = ["folder", "print"], requires = "name")]
        build: bool,
    },
    /// Check that adapters follow the adapter protocol, before their verdicts are trusted
    #[command(after_help = conformance::help())]
    Conformance(ConformanceArguments),
    /// Run a built-in client as a process that speaks the adapter protocol
    // The program starts this itself, because a client in its own network namespace must be a process.
    #[command(hide = true, after_help = "Example:\n  pgsquall run stall --client 'pgsquall adapter reference'")]
    Adapter {
        /// The name of a built-in client; it reads its database's address from libpq's variables (PGHOST, PGPORT, …)
        name: String,
    },
    /// Merge the reports of shards, convert a report, or print the schema
    #[command(after_help = report::HELP)]
    Report {
        #[command(subcommand)]
        verb: ReportVerb,
    },
    /// Judge stored histories again, offline
    #[command(after_help = "Example:\n  pgsquall judge pgsquall-runs/*/*/history.jsonl")]
    Judge {
        /// history.jsonl files, or folders that contain one
        #[arg(required = true, value_name = "HISTORY")]
        histories: Vec<PathBuf>,
        /// Print the verdicts as JSON, as in verdict.json
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// The server to check scenarios against: auto, local[:BINDIR], docker[:IMAGE] or a URL
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,
}
