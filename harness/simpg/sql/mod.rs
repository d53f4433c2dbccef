//! As much SQL as the workload needs: statements are recognised, not parsed in general.

mod known;
mod ledger;
mod parse;
mod select;
pub(super) mod statement;
mod token;

pub(super) use known::recognise;
