//! `pgsquall report`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pgsquall::report::format::Wanted;

use super::baseline::BaselineArguments;

pub(super) const HELP: &str = "\
Examples:
  pgsquall run --seed 7 --shard 1/2 --out one      (on one machine)
  pgsquall run --seed 7 --shard 2/2 --out two      (on another)
  pgsquall report merge one two --out all --report junit=results.xml
      the report that one run of everything would have given
  pgsquall report merge results --report html=index.html
      another format of what is there already
  pgsquall report schema > report.schema.json
      what report.json looks like, for machines";

#[derive(Debug, Subcommand)]
pub enum ReportVerb {
    /// Put the shards of one run together, or write other formats of one
    Merge(MergeArguments),
    /// Print the JSON Schema of report.json
    Schema,
}

#[derive(Debug, Args)]
pub struct MergeArguments {
    /// The folders that `pgsquall run --out` has left
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,

    /// Where everything goes, histories and logs too; may be left out where there is one folder, which it then is
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    #[command(flatten)]
    pub baseline: BaselineArguments,

    /// Also write a report: html, junit, json or markdown; may be given several times
    #[arg(long, value_name = "FORMAT=FILE")]
    pub report: Vec<Wanted>,
}
