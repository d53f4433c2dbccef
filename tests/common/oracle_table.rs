//! `ci/oracle.toml`: which client fails which scenario by which check, and which client passes which.

#![allow(dead_code, reason = "every test crate that includes this uses a part of it")]

use std::collections::BTreeMap;

use pgsquall::judge::Check;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Table {
    /// Client, scenario, check.
    pub fails: BTreeMap<String, BTreeMap<String, Check>>,
    /// Client, scenarios.
    pub passes: BTreeMap<String, Vec<String>>,
    /// Client, scenarios: these rows run for real in `ci/oracle.sh` alone.
    pub nightly: BTreeMap<String, Vec<String>>,
    /// Client, deadline of its operations where the faults are shortened.
    pub op_deadline: BTreeMap<String, String>,
    pub run: Vec<Row>,
}

/// One run, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Row {
    pub client: String,
    /// A scenario of the catalogue, or a file's path from the root of the package.
    pub scenario: String,
    /// As `--network` has it.
    pub network: Option<String>,
    /// As `--device` has it.
    pub device: Option<String>,
    pub op_deadline: Option<String>,
    /// The check that fails; `None`: all of them pass.
    pub fails: Option<Check>,
    /// Evidence that the run must find, by its words.
    #[serde(default)]
    pub found: Vec<String>,
    /// Evidence of which the run must find none.
    #[serde(default)]
    pub not_found: Vec<String>,
    #[serde(skip)]
    pub nightly: bool,
}

impl Row {
    pub fn new(client: &str, scenario: &str, fails: Option<Check>) -> Row {
        Row {
            client: client.to_owned(),
            scenario: scenario.to_owned(),
            network: None,
            device: None,
            op_deadline: None,
            fails,
            found: Vec::new(),
            not_found: Vec::new(),
            nightly: false,
        }
    }

    /// The client, the scenario, and what the row has of its own.
    pub fn name(&self) -> String {
        let scenario = self.scenario.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
        let parts = [Some(self.client.as_str()), Some(scenario), self.device.as_deref(), self.network.as_deref()];
        parts.into_iter().flatten().collect::<Vec<_>>().join("::")
    }
}

impl Table {
    pub fn read() -> Table {
        toml::from_str(include_str!("../../ci/oracle.toml")).unwrap()
    }

    /// Every row but those of the reference, which passes the whole catalogue.
    pub fn rows(&self) -> Vec<Row> {
        let fails = self
            .fails
            .iter()
            .flat_map(|(client, fails)| fails.iter().map(|(scenario, check)| Row::new(client, scenario, Some(*check))));
        let passes = self.passes.iter().flat_map(|(client, passes)| {
            // Where packets can be lost.
            let kernel = Some("kernel".to_owned());
            passes.iter().map(move |scenario| Row { network: kernel.clone(), ..Row::new(client, scenario, None) })
        });
        let mut rows: Vec<_> = fails.chain(passes).collect();
        for row in &mut rows {
            row.nightly = self.nightly.get(&row.client).is_some_and(|nightly| nightly.contains(&row.scenario));
        }
        rows.extend(self.run.iter().cloned());
        for row in &mut rows {
            row.op_deadline = row.op_deadline.take().or_else(|| self.op_deadline.get(&row.client).cloned());
        }
        rows
    }
}
