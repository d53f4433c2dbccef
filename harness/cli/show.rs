//! `pgsquall show`: prints a scenario's timeline, then its text.

use pgsquall::model::fault::Class;
use pgsquall::model::time::exact;
use pgsquall::scenario::Scenario;

use crate::exit::Exit;
use crate::print::{self, complain};

pub fn show(name: &str) -> Exit {
    match crate::run::find(name) {
        Ok(scenario) => {
            print::text(&describe(&scenario));
            Exit::Pass
        }
        Err(error) => {
            complain!("error: {error}");
            Exit::Usage
        }
    }
}

/// Returns the timeline as TOML comments, followed by the scenario's text, so that the output is a scenario file too.
fn describe(scenario: &Scenario) -> String {
    let class = match scenario.class {
        Class::Transient => "transient: the client must recover without help",
        Class::Persistent => "persistent: the client must report a clear error, and work again after the repair",
    };
    let mut text = format!("# {}/{}\n# {class}\n", scenario.group, scenario.name);
    for fault in &scenario.faults {
        text += &format!("# at {} {}", exact(fault.at), fault.kind);
        if !fault.kind.is_instant() {
            text += &format!(", for {}", exact(fault.lasts));
        }
        text += "\n";
    }
    if let Some(middlebox) = &scenario.middlebox {
        text += &format!("# through {middlebox}\n");
    }
    if let Some(pause) = scenario.load.pause {
        text += &format!("# at {} the workload pauses, for {}\n", exact(pause.at), exact(pause.lasts));
    }
    if scenario.budget.undisturbed {
        text += "# no operation may fail\n";
    }
    text += &format!("# budget: recovered within {}\n#\n", exact(scenario.budget.time_to_recover));
    text + &scenario.source
}
