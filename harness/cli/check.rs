//! `pgsquall check`: reads scenario files; prints the error of each, or its faults. Runs nothing.

use std::path::PathBuf;

use pgsquall::scenario::Scenario;

use crate::exit::Exit;
use crate::print::{complain, say};

pub fn check(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Pass;
    for file in files {
        match Scenario::read(file) {
            Ok(scenario) => {
                let faults: Vec<_> = scenario.faults.iter().map(|fault| fault.kind.to_string()).collect();
                say!("{}: in order: {} ({})", file.display(), scenario.title, faults.join(", "));
            }
            Err(error) => {
                complain!("error: {error}");
                exit = exit.max(Exit::Usage);
            }
        }
    }
    exit
}
