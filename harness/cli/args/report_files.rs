//! `--report`, for every command that writes a report.

use clap::Args;
use pgsquall::report::format::{Wanted, always, names};

/// Report files in addition to those in the folder of results.
#[derive(Args, Debug)]
pub struct ReportFiles {
    #[arg(id = "report", long = "report", value_name = "FORMAT=FILE", help = help())]
    pub files: Vec<Wanted>,
}

fn help() -> String {
    let always: Vec<_> = always().map(|wanted| wanted.file).collect();
    format!(
        "Also write a report; may be given several times; formats: {}. The folder of results has {} in any case",
        names(),
        always.join(", ")
    )
}
