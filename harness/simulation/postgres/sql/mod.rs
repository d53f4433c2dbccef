//! As much SQL as the workload needs: statements are recognised, not parsed in general.

mod ledger;
mod parse;
mod select;
pub(super) mod statement;
mod token;

pub(super) use parse::parse;
