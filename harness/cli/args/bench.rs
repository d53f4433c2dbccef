//! `pgsquall bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::model::plane::PlaneChoice;
use pgsquall::model::seed::Seed;

use super::baseline::BaselineArguments;
use super::report_files::ReportFiles;
use super::run::RunArguments;
use super::values::{ServerParser, positive, seed};

pub(super) const EXAMPLES: &str = "\
Examples:
  pgsquall bench --client psycopg-pool --client asyncpg-pool --scenario restart-fast
      thirty runs of each, in turns: which one recovers sooner, and is the difference chance?
  pgsquall bench --client ./mine --scenario connection-reset --scenario stall --repeat 50 --out results
      with histories, and recovery curves in results/report.html";

#[derive(Debug, Args)]
pub struct BenchArguments {
    /// A client, as for `pgsquall run`; may be given several times: all are compared with the first
    #[arg(long, required = true, value_name = "NAME|COMMAND")]
    pub client: Vec<String>,

    /// A scenario's name or file; may be given several times
    #[arg(long, required = true, value_name = "SCENARIO|FILE")]
    pub scenario: Vec<String>,

    /// Runs of each client in each scenario, at different moments of the fault; clients take turns
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub repeat: u32,

    /// Runs at the same time; default: one per core, so that they do not wait for each other
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=512), value_name = "N")]
    pub jobs: Option<u16>,

    /// The server: auto, local[:BINDIR], docker[:IMAGE] or postgres://user:password@host/database
    #[arg(long, default_value = "auto", value_parser = ServerParser, value_name = "SERVER")]
    pub server: ServerChoice,

    /// Network plane that injects the faults: auto (the most faithful one available here), proxy or kernel
    #[arg(long, default_value = "auto", value_name = "PLANE")]
    pub network: PlaneChoice,

    /// The longest acceptable time-to-recover, instead of each scenario's own
    #[arg(long, value_parser = positive, value_name = "DURATION")]
    pub budget: Option<Duration>,

    /// Seed; the one an earlier benchmark printed repeats it
    #[arg(long, value_parser = seed, value_name = "SEED")]
    pub seed: Option<Seed>,

    /// Folder for histories, verdicts and logs; default: a new folder under pgsquall-runs/
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub report: ReportFiles,

    #[command(flatten)]
    pub baseline: BaselineArguments,
}

impl From<BenchArguments> for RunArguments {
    fn from(bench: BenchArguments) -> RunArguments {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        RunArguments {
            scenarios: bench.scenario,
            client: bench.client,
            app: None,
            ready: None,
            load: None,
            app_capability: Vec::new(),
            supervise: false,
            server: bench.server,
            network: bench.network,
            device: None,
            scale: pgsquall::model::fault::USUAL_SCALE,
            budget: bench.budget,
            repeat: bench.repeat,
            seed: bench.seed,
            jobs: bench.jobs.or_else(|| u16::try_from(cores).ok()),
            out: bench.out,
            resume: false,
            report: bench.report,
            shard: None,
            baseline: bench.baseline,
            verbose: false,
        }
    }
}
