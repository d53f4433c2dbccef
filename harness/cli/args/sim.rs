//! `pgsquall sim`.

use std::path::PathBuf;

use clap::Args;

pub(super) const HELP: &str = "\
Examples:
  pgsquall sim
      a thousand random schedules of faults against the built-in reference client, a simulated minute each
  pgsquall sim --client hangs --out found
      finds a schedule that this client does not survive, shrinks it, and writes it as a scenario file
  pgsquall sim blackhole-long idle-drop --client hangs
      runs scenarios of the catalogue
  pgsquall sim --seed 4711 --seeds 1
      runs the schedule of one seed again
  pgsquall sim --calibrate pgsquall-runs/NAME
      compares each run with the simulation of the same scenario, client and seed
  Only clients written in Rust can be simulated: the built-in ones here, others with the library (pgsquall::simulation).

Exit codes:
  0    every schedule was survived, or every verdict is pass
  1    a client failed; with --calibrate: a run passed and its simulation failed, or the reverse
  2    the verdict of a scenario is unknown (schedules that prove nothing are only counted); with --calibrate:
       nothing could be compared
  64   bad arguments, a bad scenario file, or a bad folder of runs
  69   the folder of --out cannot be written to
  70   the harness itself failed";

#[derive(Debug, Args)]
pub struct SimArguments {
    /// Scenario names or files; default: random schedules of faults
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// The built-in client under test; may be given several times
    #[arg(long = "client", value_name = "NAME", default_value = "reference")]
    pub clients: Vec<String>,

    /// Number of schedules, each with its own seed; the search ends at the first that a client does not survive
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "scenarios")]
    pub seeds: u64,

    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Simulations at the same time; default: one per core
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,

    /// Folder for scenario files, histories and verdicts of failures
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Compare real runs with their simulations: the folder of `pgsquall run --out FOLDER`
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["scenarios", "clients", "seeds", "seed"])]
    pub calibrate: Option<PathBuf>,
}
