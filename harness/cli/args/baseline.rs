//! `--baseline` and `--tolerance`, for every command that writes a report.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use pgsquall::model::time::parse_duration;

#[derive(Debug, Args)]
pub struct BaselineArguments {
    /// Compare with an earlier run (its report.json or its folder): the exit code is 1 only if something got worse.
    /// Scenarios that already failed in the baseline are reported but do not affect the exit code
    #[arg(long, value_name = "FILE|DIR")]
    pub baseline: Option<PathBuf>,

    /// How much later than in the baseline a client may recover; times are compared if both have five repeats or more
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
        struct Line {
            #[command(flatten)]
            baseline: BaselineArguments,
        }
        let line = <Line as clap::Parser>::parse_from(["test"]);
        assert_eq!(line.baseline.tolerance, USUAL_TOLERANCE);
    }
}
