//! Writes a scenario as a file, so that a schedule of faults found by a search can run anywhere. Reading the file
//! gives an equal scenario.

use std::fmt::Display;
use std::time::Duration;

use super::Scenario;
use super::error::ScenarioError;
use crate::model::budget::Budget;
use crate::model::fault::{Class, Fault, FaultKind, Value};
use crate::model::pace::Pace;
use crate::model::time::exact;
use crate::model::topology::{Host, SslMode, TargetSession, Topology};

/// The parts of a scenario that a search varies; everything else has its default.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Question {
    pub title: String,
    /// The head comment of the file, of one or more lines.
    pub why: String,
    pub class: Class,
    pub budget: Budget,
    pub load: Pace,
    /// Written of it: standby, TLS, hosts, `target_session_attrs`, `sslmode`, client certificate, and password file.
    pub layout: Topology,
    pub faults: Vec<Fault>,
}

impl Question {
    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for line in self.why.lines() {
            text += format!("# {line}").trim_end();
            text.push('\n');
        }
        text += &format!("schema = 1\ntitle = {}\n", quoted(&self.title));
        if self.class == Class::Persistent {
            text += "class = \"persistent\"\n";
        }
        for (table, keys) in [("server", server(&self.layout)), ("client", client(&self.layout))] {
            text += &of_table(&format!("[{table}]"), &keys);
        }
        text += &of_table("[budget]", &budget(&self.budget));
        text += &of_table("[load]", &load(&self.load));
        for fault in &self.faults {
            let mut keys = vec![("kind", quoted(fault.kind.word()))];
            keys.extend(keys_of(fault.kind));
            keys.push(("at", time(fault.at)));
            keys.extend((!fault.lasts.is_zero()).then(|| ("for", time(fault.lasts))));
            text += &of_table("[[fault]]", &keys);
        }
        text
    }

    /// Returns the scenario, parsed from its text.
    ///
    /// *Errors*: the faults cannot be in force together, or at these times.
    pub fn scenario(&self, name: &str) -> Result<Scenario, ScenarioError> {
        Scenario::parse(name, "file", &format!("{name}.toml"), &self.text())
    }
}

type Keys = Vec<(&'static str, String)>;

fn of_table(head: &str, keys: &Keys) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let lines: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("\n{head}\n{lines}")
}

fn quoted(text: impl Display) -> String {
    // Generated titles need no other TOML escapes than these two.
    format!("\"{}\"", text.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

fn time(time: Duration) -> String {
    quoted(exact(time))
}

/// Writes a key, unless its value is the default.
fn unless<T: PartialEq>(usual: &T, key: &'static str, value: &T, written: impl Fn(&T) -> String) -> Keys {
    if value == usual { Vec::new() } else { vec![(key, written(value))] }
}

fn server(layout: &Topology) -> Keys {
    let mut keys = unless(&false, "standby", &layout.standby, bool::to_string);
    keys.extend(layout.tls.map(|version| ("tls", quoted(version.word()))));
    keys
}

fn client(layout: &Topology) -> Keys {
    let hosts = |hosts: &Vec<Host>| {
        let words: Vec<_> = hosts.iter().map(|host| quoted(host.word())).collect();
        format!("[{}]", words.join(", "))
    };
    let mut keys = unless(&Topology::default().hosts, "hosts", &layout.hosts, hosts);
    keys.extend(unless(&TargetSession::Any, "target_session_attrs", &layout.target_session, |choice| {
        quoted(choice.word())
    }));
    keys.extend(unless(&SslMode::Disable, "sslmode", &layout.sslmode, |mode| quoted(mode.word())));
    keys.extend(unless(&false, "certificate", &layout.client_certificate, bool::to_string));
    keys.extend(unless(&false, "password", &layout.password_file, |_| quoted("file")));
    keys
}

fn budget(budget: &Budget) -> Keys {
    let usual = Budget::default();
    let times = [
        ("time_to_recover", usual.time_to_recover, budget.time_to_recover),
        ("op_deadline", usual.op_deadline, budget.op_deadline),
        ("stability", usual.stability, budget.stability),
    ];
    let mut keys: Keys =
        times.into_iter().flat_map(|(key, usual, value)| unless(&usual, key, &value, |value| time(*value))).collect();
    keys.extend(unless(&usual.undisturbed, "undisturbed", &budget.undisturbed, bool::to_string));
    keys
}

fn load(load: &Pace) -> Keys {
    let usual = Pace::default();
    let mut keys = unless(&usual.workers, "workers", &load.workers, u32::to_string);
    keys.extend(unless(
        &usual.callers_per_connection,
        "callers_per_connection",
        &load.callers_per_connection,
        u32::to_string,
    ));
    keys.extend(unless(&usual.interval, "interval", &load.interval, |interval| time(*interval)));
    keys.extend(unless(&false, "listen", &load.listen, bool::to_string));
    keys.extend(load.deadline.map(|deadline| ("deadline", time(deadline))));
    keys.extend(
        load.pause.map(|pause| ("pause", format!("{{ at = {}, for = {} }}", time(pause.at), time(pause.lasts)))),
    );
    keys
}

/// Writes the keys of a fault other than its kind and its times.
fn keys_of(kind: FaultKind) -> Keys {
    // A time of a fault in a file cannot be zero; such a key is left out.
    let values = kind.values().0.into_iter().filter(|(_, value)| *value != Value::Time(Duration::ZERO));
    let written = values.map(|(key, value)| match value {
        Value::Time(value) => (key.name, time(value)),
        Value::Count(count) => (key.name, count.to_string()),
        Value::Share(share) => (key.name, format!("{:?}", share.as_f64())),
        Value::Word(word) => (key.name, quoted(word)),
    });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::catalogue;

    #[test]
    fn what_is_written_of_a_scenario_is_read_again() {
        let mut written = 0;
        for scenario in catalogue() {
            let Topology { tls, small_disk, keepalive, by_name, .. } = scenario.layout;
            let is_plain = tls.is_none() && small_disk.is_none() && keepalive.is_none() && !by_name;
            if scenario.middlebox.is_some() || !is_plain {
                continue;
            }
            let Budget { time_to_recover, op_deadline, stability, undisturbed, .. } = scenario.budget;
            let question = Question {
                title: scenario.title.clone(),
                why: scenario.why.clone(),
                class: scenario.class,
                budget: Budget { time_to_recover, op_deadline, stability, undisturbed, ..Budget::default() },
                load: scenario.load,
                layout: scenario.layout.clone(),
                faults: scenario.faults.clone(),
            };
            let again =
                question.scenario(&scenario.name).unwrap_or_else(|error| panic!("{error}\n{}", question.text()));
            let found = (again.title, again.why, again.class, again.budget, again.load, again.layout, again.faults);
            let Question { title, why, class, budget, load, layout, faults } = question;
            assert_eq!(found, (title, why, class, budget, load, layout, faults), "{}", scenario.name);
            written += 1;
        }
        assert!(written > 50, "{written}");
    }
}
