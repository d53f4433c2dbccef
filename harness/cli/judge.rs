//! `pgsquall judge`: judges stored histories again, with the checks of this version.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use pgsquall::model::history::History;
use pgsquall::report;

use crate::exit::Exit;
use crate::print::{self, complain};

pub fn judge(histories: &[PathBuf], json: bool) -> Exit {
    let mut exit = Exit::Pass;
    for path in histories {
        let path = if path.is_dir() { path.join("history.jsonl") } else { path.clone() };
        match read(&path) {
            Ok(history) => {
                let verdict = pgsquall::judge::judge(&history);
                exit = exit.max(verdict.verdict.into());
                if json {
                    print::text(&verdict.to_json());
                } else {
                    print::text(&report::explain(&verdict));
                }
            }
            Err(reason) => {
                let hint = "name the history.jsonl of a finished run, or its folder";
                complain!("error: {}: {reason}\nhint: {hint}", path.display());
                exit = exit.max(Exit::Usage);
            }
        }
    }
    exit
}

fn read(path: &Path) -> Result<History, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    History::read(BufReader::new(file)).map_err(|error| error.to_string())
}
