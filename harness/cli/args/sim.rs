//! `pgsquall sim`.

use std::path::PathBuf;

use clap::Args;

pub(super) const HELP: &str = "\
Examples:
  pgsquall sim
      a thousand random schedules of faults against the built-in reference client, a simulated minute each
  pgsquall sim --client hangs --out found
      the first schedule that this client does not survive, shrunk, as a scenario file
  pgsquall sim blackhole-long idle-drop --client hangs
      scenarios of the catalogue
  pgsquall sim --seed 4711 --seeds 1
      the schedule of one seed again
  pgsquall sim --beside pgsquall-runs/NAME
      calibration: what was run for real, each run beside the simulation of the same scenario, client and seed
  Only clients written in Rust can be simulated; others than the built-in ones by the library (pgsquall::simulation).

Exit codes:
  0    every schedule was survived, or every verdict is pass
  1    a client failed; with --beside: it passes in one of two runs and fails in the other
  2    a verdict is unknown (of a scenario; a schedule whose run proves nothing is counted, and left); with --beside:
       there was nothing to compare
  64   bad arguments, a bad scenario file, or a bad folder of runs
  69   the folder of --out cannot be written to
  70   the harness itself failed";

#[derive(Debug, Args)]
pub struct SimArguments {
    /// Scenarios, by name or as files; without any, random schedules of faults
    #[arg(value_name = "SCENARIO")]
    pub scenarios: Vec<String>,

    /// The built-in client under test; may be given several times
    #[arg(long = "client", value_name = "NAME", default_value = "reference")]
    pub clients: Vec<String>,

    /// How many schedules, each with a seed of its own; the search ends with the first that a client does not survive
    #[arg(long, value_name = "N", default_value_t = 1000, conflicts_with = "scenarios")]
    pub seeds: u64,

    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,

    /// Simulations at once; as many as there are processors unless this says otherwise
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,

    /// Keep what was found in this folder: scenario files, histories, verdicts
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,

    /// Simulate what was run for real, and put both side by side: the folder of `pgsquall run --out FOLDER`
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["scenarios", "clients", "seeds", "seed"])]
    pub beside: Option<PathBuf>,
}
