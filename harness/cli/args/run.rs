//! `pgsquall run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::model::fault::{IdleDevice, LARGEST_SCALE, USUAL_SCALE};
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;
use pgsquall::report::shard::Shard;

use super::baseline::BaselineArguments;
use super::report_files::ReportFiles;
use super::values::{ServerParser, device, positive, seed};

pub(super) const EXAMPLES: &str = "\
Examples:
  pgsquall run
      every scenario, against the built-in reference client and the Postgres installed here
  pgsquall run connection-reset stall --client 'python3 my_client.py'
      two scenarios, against an adapter in any language
  pgsquall run my-outage.toml --server docker:postgres:17 --budget 10s
      your own scenario, with Postgres in a container and ten seconds to recover
  pgsquall run --client psycopg-pool --client psycopg-pool:tuned --out results
      two clients; a table of clients by scenarios, also in results/report.md; --resume continues the run
  pgsquall run restart-fast --client './my_service --json' --supervise
      a client that exits when it loses its server, restarted as systemd or Kubernetes would
  pgsquall run idle-drop --device azure-lb
      what an Azure Load Balancer does after four minutes, here after three seconds; --scale 1: in real time
  pgsquall run restart-fast --repeat 20 --seed 7 --out results
      twenty repeatable runs, each with the fault at another moment; all artifacts in results/
  pgsquall run --repeat 10 --baseline main.json --report junit=results.xml --report markdown=summary.md
      in CI: fails if the client is worse than in an earlier run's report.json";

#[derive(Debug, Args)]
pub struct RunArguments {
    /// Scenario names or paths of scenario files; default: every shipped scenario
    #[arg(value_name = "SCENARIO|FILE")]
    pub scenarios: Vec<String>,

    /// The client under test: a built-in client, a shipped adapter (NAME:tuned uses its library's
    /// recovery settings), or the command line of any other adapter. May be given several times: one table, clients by
    /// scenarios
    #[arg(long, default_value = "reference", value_name = "NAME|COMMAND")]
    pub client: Vec<String>,

    /// Instead of a client: the command line of an application with a workload of its own. It gets its database's
    /// address as adapters do (DATABASE_URL, PGHOST, …) and is judged by its traffic. {port} is a free port, also set
    /// as PORT
    #[arg(long, conflicts_with = "client", value_name = "COMMAND")]
    pub app: Option<String>,

    /// A command that exits with status 0 once the application is ready
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub ready: Option<String>,

    /// A command that generates load for the application; restarted whenever it exits
    #[arg(long, requires = "app", value_name = "COMMAND")]
    pub load: Option<String>,

    /// A capability of the application: multi_host (it accepts a DATABASE_URL with several hosts)
    #[arg(long, requires = "app", value_name = "WORD")]
    pub app_capability: Vec<String>,

    /// Relaunch a client when its process exits, as systemd and Kubernetes do: after 1 s, then 2 s, up to 10 s if it
    /// exits again soon. Without this, an exit fails the check "process". Built-in clients then run as processes
    #[arg(long)]
    pub supervise: bool,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Network plane that injects the faults: auto (the most faithful one available here), proxy or kernel
    #[arg(long, default_value = "auto", value_name = "PLANE")]
    pub network: PlaneChoice,

    /// The device that ends idle connections, instead of each scenario's own (`pgsquall list` prints them); without
    /// scenario names, every scenario with such a device is run
    #[arg(long, value_parser = device, value_name = "DEVICE")]
    pub device: Option<IdleDevice>,

    /// Divide the device's real idle timeout by N; rounded up to whole seconds
    #[arg(
        long, default_value_t = USUAL_SCALE, requires = "device", value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(LARGEST_SCALE))
    )]
    pub scale: u32,

    /// The longest acceptable time-to-recover, instead of each scenario's own
    #[arg(long, value_parser = positive, value_name = "DURATION")]
    pub budget: Option<Duration>,

    /// Runs of each scenario, each with the fault at another moment
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub repeat: u32,

    /// Seed; the one an earlier run printed repeats it
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Runs at the same time; default: six per core, because a run mostly waits
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,

    /// Folder for histories, verdicts and logs; default: a new folder under pgsquall-runs/
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Keep the verdicts stored in the folder of --out, and run only what is missing or unknown
    #[arg(long, requires = "out")]
    pub resume: bool,

    #[command(flatten)]
    pub report: ReportFiles,

    /// Run one shard of N, to spread a run over several machines: 3/8. All shards need the same --seed;
    /// `pgsquall report merge` merges them
    #[arg(long, requires = "seed", value_name = "I/N")]
    pub shard: Option<Shard>,

    #[command(flatten)]
    pub baseline: BaselineArguments,

    /// Explain every run, not only those that did not pass
    #[arg(long, short)]
    pub verbose: bool,
}
