//! `--baseline`, for whatever makes a report.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgsquall::model::time::parse_duration;

#[derive(Debug, Args)]
pub struct BaselineArguments {
    /// Compare with an earlier run: its report.json, or its folder. What failed there already is told and does not count:
    /// the exit code is 1 where something is worse than it was
    #[arg(long, value_name = "FILE|DIR")]
    pub baseline: Option<PathBuf>,

    /// How much later a client may recover than in the baseline. Times are compared where both have five repeats or more
    #[arg(long, requires = "baseline", value_parser = parse_duration, value_name = "DURATION", default_value = "500ms")]
    pub tolerance: Duration,
}

#[cfg(test)]
mod tests {
    use pgsquall::report::baseline::USUAL_TOLERANCE;

    use super::*;

    #[test]
    fn the_default_is_the_usual_tolerance() {
        #[derive(clap::Parser)]
        struct Words {
            #[command(flatten)]
            baseline: BaselineArguments,
        }
        let words = <Words as clap::Parser>::parse_from(["words"]);
        assert_eq!(words.baseline.tolerance, USUAL_TOLERANCE);
    }
}
