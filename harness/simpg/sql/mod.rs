//! The SQL of the workloads. Only the statements in `statement` are recognised; there is no general parser.

mod known;
mod ledger;
mod parse;
mod select;
pub(super) mod statement;
mod token;

pub(super) use known::recognise;
