//! What can be typed. Values are understood here and go on as types of the library.

mod baseline;
mod bench;
mod conformance;
mod doctor;
mod proxy;
mod report;
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
  130  stopped by Ctrl-C, after cleaning up";

const INIT_EXAMPLES: &str = "\
Examples:
  pgsquall init
      lists the adapters that are shipped
  pgsquall init psycopg-pool
      writes one to the folder psycopg-pool/, and says how to run it
  pgsquall init sqlx --build
      builds one for later, so that no run has to
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
    /// Compare how soon clients recover: many runs of each, by turns
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", bench::EXAMPLES))]
    Bench(BenchArguments),
    /// Simulate: random schedules of faults, or scenarios, in virtual time
    #[command(after_help = sim::HELP)]
    Sim(SimArguments),
    /// List scenarios, built-in clients, and what this machine can run
    #[command(after_help = "Example:\n  pgsquall list --server docker")]
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
    /// Stand between clients and a server, with faults switched over Toxiproxy's HTTP API
    #[command(after_help = proxy::HELP)]
    Proxy(ProxyArguments),
    /// Examine a live server, and the way to it
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArguments),
    /// Write out an adapter that is shipped, to read it, to change it, or to begin one of your own
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// An adapter's name; without one, they are listed
        name: Option<String>,
        /// The folder to write it to, which must not be there yet; default: one of the adapter's name
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// Print its files instead
        #[arg(long, conflicts_with = "folder", requires = "name")]
        print: bool,
        /// Build it where runs look for it, so that the first of them need not
        #[arg(long, conflicts_with_all = ["folder", "print"], requires = "name")]
        build: bool,
    },
    /// Check that adapters speak the protocol right, before their verdicts are believed
    #[command(after_help = conformance::help())]
    Conformance(ConformanceArguments),
    /// Be a built-in client, as a process that speaks the adapter protocol
    // For the program itself: a client that is to be in a network namespace is a process.
    #[command(hide = true, after_help = "Example:\n  pgsquall run stall --client 'pgsquall adapter reference'")]
    Adapter {
        /// The name of a built-in client; where its database is stands in libpq's variables (PGHOST, PGPORT, …)
        name: String,
    },
    /// Put the reports of shards together; write other formats; print the schema
    #[command(after_help = report::HELP)]
    Report {
        #[command(subcommand)]
        verb: ReportVerb,
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
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,
}
