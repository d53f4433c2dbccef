//! Checks the tables of `scenarios/README.md`, which `PGSQUALL_UPDATE=1` rewrites from the scenario files, and the
//! number of scenarios in `README.md`.

use std::fs;
use std::path::Path;

use pgsquall::scenario::{Scenario, catalogue, cause_of};

/// The lines before and after the tables.
const BEGIN: &str =
    "<!-- The tables come from the scenario files: PGSQUALL_UPDATE=1 cargo nextest run --test readme -->\n";
const END: &str = "\n<!-- end of tables -->";

/// Compares a document with the expected one; with `PGSQUALL_UPDATE`, writes the expected one.
fn check(name: &str, expected: impl FnOnce(&str) -> String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let found = fs::read_to_string(&file).unwrap();
    let expected = expected(&found);
    if found == expected {
        return;
    }
    if std::env::var_os("PGSQUALL_UPDATE").is_some() {
        return fs::write(&file, expected).unwrap();
    }
    let line = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let line = line.unwrap_or(found.lines().count().min(expected.lines().count()));
    panic!(
        "{name}:{} is not what the scenario files say: {:?}, expected {:?}; run PGSQUALL_UPDATE=1 cargo nextest run --test readme",
        line + 1,
        found.lines().nth(line).unwrap_or_default(),
        expected.lines().nth(line).unwrap_or_default()
    );
}

/// Returns the question with which a scenario's comment begins.
fn question(scenario: &Scenario) -> String {
    let (question, _) = scenario.why.split_once('?').unwrap();
    format!("{}?", question.replace('\n', " "))
}

/// Returns the paragraph `Evidence: …` of a scenario's comment, without that word and the last full stop.
fn evidence(scenario: &Scenario) -> String {
    let (_, evidence) = scenario.why.split_once("\nEvidence: ").unwrap();
    let (evidence, _) = evidence.split_once("\n\n").unwrap();
    evidence.replace('\n', " ").trim_end_matches('.').to_owned()
}

fn tables() -> String {
    let scenarios = catalogue();
    let mut text = String::new();
    let mut group = "";
    for scenario in &scenarios {
        if scenario.group != group {
            group = &scenario.group;
            let cause = cause_of(group).unwrap();
            text += &format!("\n| `{group}/` {cause} | question | evidence |\n|---|---|---|\n");
        }
        text += &format!("| {} | {} | {} |\n", scenario.name, question(scenario), evidence(scenario));
    }
    text
}

#[test]
fn scenario_tables_match_the_files() {
    check("scenarios/README.md", |found| {
        let (before, rest) = found.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        format!("{before}{BEGIN}{}{END}{after}", tables())
    });
}

#[test]
fn readme_counts_the_scenarios() {
    let count = match catalogue().len() {
        100 => "hundred scenarios".to_owned(),
        other => format!("{other} scenarios"),
    };
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(&count), "README.md does not say that there are {count}: correct its count by hand");
}
