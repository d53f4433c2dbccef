//! `pgsquall check`: are these scenario files in order?

use std::path::PathBuf;

use pgsquall::scenario::Scenario;

use crate::exit::Exit;

pub fn check(files: &[PathBuf]) -> Exit {
    let mut exit = Exit::Pass;
    for file in files {
        match Scenario::read(file) {
            Ok(scenario) => {
                let faults: Vec<_> = scenario.faults.iter().map(|fault| fault.kind.to_string()).collect();
                println!("{}: in order: {} ({})", file.display(), scenario.title, faults.join(", "));
            }
            Err(error) => {
                eprintln!("error: {error}");
                exit = exit.max(Exit::Usage);
            }
        }
    }
    exit
}
