//! Tests the binary from its arguments to its output, files and exit code, as a user or a CI job sees them.

#[path = "../common/mod.rs"]
mod common;

mod adapters;
mod agreement;
mod application;
mod arguments;
mod baseline;
mod busy_machine;
#[cfg(feature = "simulation")]
mod calibrate;
mod doctor;
mod external;
mod files;
mod happy;
mod help;
mod interrupted;
mod kernel;
mod matrix;
mod names;
mod processes;
mod proxy;
mod psycopg;
mod report;
mod shipped;
mod supervised;
mod unprivileged;
