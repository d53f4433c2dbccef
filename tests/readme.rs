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

/// Returns the paths in a document: words that begin with a folder of this repository, and targets of links, which are
/// relative to the document's folder.
fn paths_in(text: &str) -> Vec<(bool, String)> {
    const FOLDERS: [&str; 5] = ["harness/", "scenarios/", "tests/", "benches/", "ci/"];
    let is_path = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let words = text.split(|c: char| !is_path(c)).map(|word| word.trim_end_matches('.'));
    let named = words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let links = links.filter(|link| !link.is_empty() && !link.contains("://"));
    named.map(|path| (false, path.to_owned())).chain(links.map(|link| (true, link.to_owned()))).collect()
}

#[test]
fn documents_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = ["README.md", "ARCHITECTURE.md", "scenarios/README.md", "scenarios/adapters/README.md"];
    let rooms = ["simulation", "toxiproxy", "doctor"].map(|room| format!("harness/{room}/README.md"));
    let mut missing = Vec::new();
    for document in documents.map(str::to_owned).into_iter().chain(rooms) {
        let text = fs::read_to_string(root.join(&document)).unwrap();
        let folder = root.join(&document).parent().unwrap().to_owned();
        let found = paths_in(&text);
        let absent = found.into_iter().filter(|(link, path)| {
            let base = if *link { folder.as_path() } else { root };
            !base.join(path).exists() && !folder.join(path).exists()
        });
        missing.extend(absent.map(|(_, path)| format!("{document}: {path}")));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn paths_are_found_in_documents() {
    let text = "run `tests/common/load.py {port}`, see [more](../README.md#top) and https://x.y/harness/z.";
    assert_eq!(paths_in(text), [(false, "tests/common/load.py".into()), (true, "../README.md".into())]);
}
