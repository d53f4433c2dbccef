//! `pgsquall report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::baseline::BaselineArguments;
use super::report_files::ReportFiles;

pub(super) const HELP: &str = "\
Examples:
  pgsquall run --seed 7 --shard 1/2 --out one      (on one machine)
  pgsquall run --seed 7 --shard 2/2 --out two      (on another)
  pgsquall report merge one two --out all --report junit=results.xml
      writes the report that one run of all shards would have written
  pgsquall report merge results --report html=index.html
      converts a stored report
  pgsquall report schema > report.schema.json
      writes the JSON Schema of report.json";

#[derive(Debug, Subcommand)]
pub enum ReportVerb {
    /// Merge the shards of one run, or convert the report of one
    Merge(MergeArguments),
    /// Print the JSON Schema of report.json
    Schema,
}

#[derive(Debug, Args)]
pub struct MergeArguments {
    /// Folders of `pgsquall run --out`
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,

    /// Folder for the merged report, histories and logs; default, if only one folder is given: that folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub baseline: BaselineArguments,

    #[command(flatten)]
    pub report: ReportFiles,
}
