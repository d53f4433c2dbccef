//! Reads `ci/oracle.toml`: which client fails which scenario by which check, and which client passes which scenario.

#![allow(dead_code, reason = "every test crate that includes this uses a part of it")]

use std::collections::BTreeMap;

use pgsquall::judge::Check;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Table {
    /// Client → scenario → the check that fails.
    pub fails: BTreeMap<String, BTreeMap<String, Check>>,
    /// Client → scenarios that it passes on the kernel plane.
    pub passes: BTreeMap<String, Vec<String>>,
    /// Client → scenarios whose rows run on real servers only in `ci/oracle.sh`.
    pub nightly: BTreeMap<String, Vec<String>>,
    /// Client → deadline of its operations in `tests/oracle.rs`, which shortens faults.
    pub op_deadline: BTreeMap<String, String>,
    pub run: Vec<Row>,
}

/// One run and its expected result.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Row {
    pub client: String,
    /// A scenario of the catalogue, or a file's path from the root of the package.
    pub scenario: String,
    /// A value of `--network`.
    pub network: Option<String>,
    /// A value of `--device`.
    pub device: Option<String>,
    pub op_deadline: Option<String>,
    /// The check that fails; `None`: the verdict is pass.
    pub fails: Option<Check>,
    /// Evidence that the run must find, by its text.
    #[serde(default)]
    pub found: Vec<String>,
    /// Evidence that the run must not find.
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

    /// Returns the name of the row's test: client, scenario, device and network.
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

    /// Returns every row of the table. The reference has none, because it passes the whole catalogue.
    pub fn rows(&self) -> Vec<Row> {
        let fails = self
            .fails
            .iter()
            .flat_map(|(client, fails)| fails.iter().map(|(scenario, check)| Row::new(client, scenario, Some(*check))));
        let passes = self.passes.iter().flat_map(|(client, passes)| {
            // The plane on which packets can be lost.
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
