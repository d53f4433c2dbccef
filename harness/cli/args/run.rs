//! `pgsquall run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::model::fault::{IdleDevice, LARGEST_SCALE, USUAL_SCALE};
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;
use pgsquall::report::format::Wanted;
use pgsquall::report::shard::Shard;

use super::baseline::BaselineArguments;
use super::values::{ServerParser, device, positive, seed};

pub(super) const EXAMPLES: &str = "\
Examples:
  pgsquall run
      every scenario, against the built-in reference client and the Postgres installed here
  pgsquall run connection-reset stall --client 'python3 my_client.py'
      two scenarios, against an adapter in any language
  pgsquall run my-outage.toml --server docker:postgres:17 --budget 10s
      a scenario of your own, on a container, with ten seconds to recover
  pgsquall run --client psycopg-pool --client psycopg-pool:tuned --out results
      two clients, and a table of clients by scenarios, also in results/report.md; --resume goes on with it
  pgsquall run restart-fast --client './my_service --json' --supervise
      a client that exits when it loses its server, restarted as systemd or Kubernetes would
  pgsquall run idle-drop --device azure-lb
      what an Azure Load Balancer does after four minutes, here after three seconds; --scale 1: in real time
  pgsquall run restart-fast --repeat 20 --seed 7 --out results
      twenty runs that sweep the moment of the fault, repeatable, with everything kept in results/
  pgsquall run --repeat 10 --baseline main.json --report junit=results.xml --report markdown=summary.md
      in CI: worse than the report.json of an earlier run? told to whoever reads it there";

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Names of scenarios or paths of scenario files; without any, every scenario that is shipped
    #[arg(value_name = "SCENARIO|FILE")]
    pub scenarios: Vec<String>,

    /// The client under test: a built-in one or a shipped adapter by name (NAME:tuned: with its library's settings for
    /// recovery), or the command line of any other adapter. Given more than once: one table, clients by scenarios
    #[arg(long, default_value = "reference", value_name = "NAME|COMMAND")]
    pub client: Vec<String>,

    /// Instead of a client: the command line of an application that does its own work. It finds its database as adapters do
    /// (DATABASE_URL, PGHOST, …), and is judged by what passes the gateway. {port} stands for a free port, also in PORT
    #[arg(long, conflicts_with = "client", value_name = "COMMAND")]
    pub app: Option<String>,

    /// A command that ends with exit status 0 once the application is ready
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub ready: Option<String>,

    /// A command that gives the application work, like visitors; started again whenever it ends
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub load: Option<String>,

    /// A capability of the application: multi_host (it accepts a DATABASE_URL with several hosts)
    #[arg(long, requires = "app", value_name = "WORD")]
    pub app_capability: Vec<String>,

    /// Launch a client again whenever its process exits, as systemd and Kubernetes do: after 1 s, doubled up to 10 s while
    /// it does not stay. Without this, an exit fails the check "process". Built-in clients are processes then
    #[arg(long)]
    pub supervise: bool,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Where faults are brought about: auto (the most faithful plane there is here), proxy or kernel
    #[arg(long, default_value = "auto", value_name = "PLANE")]
    pub network: PlaneChoice,

    /// Which device ends idle connections, instead of each scenario's own (`pgsquall list` names them); without names of
    /// scenarios, all that have such a device are run
    #[arg(long, value_parser = device, value_name = "DEVICE")]
    pub device: Option<IdleDevice>,

    /// By how much the device's own time is divided; whole seconds, rounded up
    #[arg(
        long, default_value_t = USUAL_SCALE, requires = "device", value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LARGEST_SCALE))
    )]
    pub scale: u32,

    /// The longest acceptable time-to-recover, instead of each scenario's own
    #[arg(long, value_parser = positive, value_name = "DURATION")]
    pub budget: Option<Duration>,

    /// Run each scenario so many times, sweeping the moment of the fault
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub repeat: u32,

    /// Repeat an earlier run: the seed that it printed
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Runs at once; they wait more than they work, so the default is six for each core
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,

    /// Where histories, verdicts and logs go; default: a new folder under pgsquall-runs/
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Keep the verdicts that are in the folder of --out already, and run what is missing or was unknown
    #[arg(long, requires = "out")]
    pub resume: bool,

    /// Also write a report: html, junit, json or markdown; may be given several times. The folder of --out has
    /// report.html, report.json and report.md in any case
    #[arg(long, value_name = "FORMAT=FILE")]
    pub report: Vec<Wanted>,

    /// Run one part of the whole, for several machines: 3/8. All parts need one --seed; `pgsquall report merge` puts them
    /// together
    #[arg(long, requires = "seed", value_name = "I/N")]
    pub shard: Option<Shard>,

    #[command(flatten)]
    pub baseline: BaselineArguments,

    /// Explain every run, not only those that did not pass
    #[arg(long, short)]
    pub verbose: bool,
}
