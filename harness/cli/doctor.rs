//! `pgsquall doctor`: checks a live server and the path to it, and prints the diagnosis.

use pgsquall::doctor::{Diagnosis, Examination, Target, examine};

use crate::args::DoctorArguments;
use crate::exit::Exit;
use crate::print::{self, complain};

/// As in libpq, this variable holds the password if the URL has none. `ps` shows arguments but not variables.
const PASSWORD: &str = "PGPASSWORD";

pub async fn doctor(arguments: DoctorArguments) -> Exit {
    let target: Target = match arguments.url.parse() {
        Ok(target) => target,
        Err(error) => {
            complain!("error: {error}");
            return Exit::Usage;
        }
    };
    let target = match std::env::var(PASSWORD) {
        Ok(password) => target.or_password(&password),
        Err(_) => target,
    };
    let examination = Examination { target, idle_timeout: arguments.idle_timeout, patience: arguments.timeout };
    let diagnosis = examine(&examination).await;
    match arguments.json {
        false => print::text(&diagnosis.to_string()),
        true => match diagnosis.to_json() {
            Ok(json) => print::text(&json),
            Err(error) => {
                complain!("error: cannot write the diagnosis as JSON: {error}");
                return Exit::Internal;
            }
        },
    }
    exit(&diagnosis)
}

fn exit(diagnosis: &Diagnosis) -> Exit {
    match (diagnosis.failed, diagnosis.problems) {
        (Some(_), _) => Exit::Unavailable,
        (None, 0) => Exit::Pass,
        (None, _) => Exit::Fail,
    }
}
