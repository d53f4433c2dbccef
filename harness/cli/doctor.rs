//! `pgsquall doctor`: the documented checks, asked of a live server.

use pgsquall::doctor::{Diagnosis, Examination, Target, examine};

use crate::args::DoctorArguments;
use crate::exit::Exit;
use crate::print::{self, complain};

/// Where libpq too finds a password that the URL does not have: there `ps` does not show it.
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
                complain!("error: the diagnosis cannot be written as JSON: {error}");
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
