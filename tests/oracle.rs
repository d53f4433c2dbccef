//! Tests the verdicts on real servers: the reference passes every scenario, and each planted defect fails by the
//! check that `ci/oracle.toml` names. There is a trial for each scenario and for each row; nightly rows are ignored.
//! Transient faults last at most five seconds here; `ci/oracle.sh` runs them at full length, and the reference many
//! times.

#[path = "common/busy_machine.rs"]
mod busy_machine;
#[path = "common/oracle_table.rs"]
mod oracle_table;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use busy_machine::was_overloaded;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use oracle_table::{Row, Table};
use pgsquall::client::{ClientChoice, reference};
use pgsquall::judge::{Check, VerdictKind, checks};
use pgsquall::model::fault::{Class, IdleDevice, USUAL_SCALE};
use pgsquall::model::plane::PlaneChoice;
use pgsquall::scenario::{Scenario, catalogue};
use pgsquall::{Error, Experiment, Run};

/// Long enough for every client that recovers, on a busy machine.
const BUDGET: Duration = Duration::from_secs(15);

/// The budget of rows that must fail: such a run lasts until its budget ends.
const SHORT_BUDGET: Duration = Duration::from_secs(4);

/// The maximum duration of a transient fault here.
const LONGEST_FAULT: Duration = Duration::from_secs(5);

/// The maximum number of runs of a row, if the machine is too busy for a verdict.
const ATTEMPTS: usize = 4;

/// Texts of the reasons to skip a row: tools or rights that are missing here.
const NEEDS: [&str; 3] = ["is not installed", "small disk", "kernel plane is not available"];

fn main() -> ExitCode {
    let table = Table::read();
    let reference = catalogue().into_iter().map(|scenario| Row::new("reference", &scenario.name, None));
    let runs = reference.chain(table.rows()).map(|row| {
        let (name, nightly) = (row.name(), row.nightly);
        Trial::ignorable_test(name, move || check(&row)).with_ignored_flag(nightly)
    });
    let trials = runs.chain(of_the_table()).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs a row, and compares its verdict, plane, device and evidence.
#[tokio::main(flavor = "multi_thread")]
async fn check(row: &Row) -> Result<Completion, Failed> {
    let run = match run(row).await {
        Err(Error::NotExpressible { reason, .. }) if NEEDS.iter().any(|need| reason.contains(need)) => {
            println!("skipped: {reason}");
            return Ok(Completion::ignored_with(reason));
        }
        run => run?,
    };
    match row.fails {
        None => run.assert_pass(),
        Some(check) => assert_fails(&run, check),
    }
    if let Some(network) = &row.network {
        assert_eq!(run.verdict.setup.plane.to_string(), *network, "{run}");
    }
    if let Some(device) = &row.device {
        assert!(run.to_string().contains(&format!("--device {device} --scale {USUAL_SCALE}")), "{run}");
    }
    for what in &row.found {
        assert!(evidence(&run, what) > 0, "no {what}:\n{run}");
    }
    for what in &row.not_found {
        assert_eq!(evidence(&run, what), 0, "{what}:\n{run}");
    }
    Ok(Completion::Completed)
}

fn assert_fails(run: &Run, check: Check) {
    assert_eq!(run.verdict.verdict, VerdictKind::Fail, "{run}");
    let findings = run.verdict.failures().find(|(failed, _)| *failed == check).map(|(_, findings)| findings);
    let finding = findings.and_then(<[_]>::first).unwrap_or_else(|| panic!("{check} did not fail:\n{run}"));
    assert!(finding.what.contains(|c: char| c.is_ascii_digit()), "a finding holds figures: {}", finding.what);
    assert!(!finding.advice.is_empty());
}

/// Returns the count of this evidence, over all faults of the run.
fn evidence(run: &Run, what: &str) -> u64 {
    let found = run.verdict.evidence.iter().flat_map(|fault| &fault.found).filter(|found| found.what == what);
    found.map(|found| found.count).sum()
}

async fn run(row: &Row) -> Result<Run, Error> {
    let scenario = scenario(row);
    let client = ClientChoice::parse_in(&row.client, Path::new(env!("CARGO_BIN_EXE_pgsquall"))).unwrap();
    let network = row.network.as_ref().map_or(PlaneChoice::Auto, |network| network.parse().unwrap());
    let mut attempts = 1..ATTEMPTS;
    loop {
        let run = Experiment::new(scenario.clone()).network(network).client_choice(&client).run().await?;
        let was_overloaded = run.verdict.verdict == VerdictKind::Unknown && was_overloaded(&run.to_string());
        if !was_overloaded || attempts.next().is_none() {
            return Ok(run);
        }
        println!("repeated, because the machine was overloaded: {run}");
    }
}

/// Returns the row's scenario, with an early first fault, short transient faults and short budgets.
fn scenario(row: &Row) -> Scenario {
    let mut scenario = named(&row.scenario);
    if let Some(device) = &row.device {
        let (_, device) = IdleDevice::ALL.into_iter().find(|(word, _)| word == device).unwrap();
        scenario = scenario.before(&device, USUAL_SCALE).unwrap();
    }
    // All faults move by the same time, because their distances are part of the scenario.
    let early = scenario.faults[0].at.saturating_sub(Duration::from_secs(1));
    for fault in &mut scenario.faults {
        fault.at -= early;
        // A persistent fault keeps its duration, because the time until the client reports it is judged.
        if scenario.class == Class::Transient {
            fault.lasts = fault.lasts.min(LONGEST_FAULT);
        }
    }
    if let Some(pause) = &mut scenario.load.pause {
        pause.at -= early;
    }
    // The table gives shorter deadlines where a shortened fault would otherwise not exceed them.
    let deadline = row
        .op_deadline
        .as_ref()
        .map_or(Duration::from_secs(15), |text| text.parse::<humantime::Duration>().unwrap().into());
    scenario.budget.op_deadline = scenario.budget.op_deadline.min(deadline);
    scenario.budget.time_to_recover = if row.fails.is_some() { SHORT_BUDGET } else { BUDGET };
    scenario
}

fn named(scenario: &str) -> Scenario {
    let Some((_, file)) = scenario.rsplit_once('/') else { return Scenario::built_in(scenario).unwrap() };
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(scenario)).unwrap();
    Scenario::parse(file.trim_end_matches(".toml"), "file", scenario, &text).unwrap()
}

/// A rule about the table.
type Rule = fn(&[Row]);

/// Returns the trials of the table itself; they run no scenario.
fn of_the_table() -> impl Iterator<Item = Trial> {
    let rules: [(&str, Rule); 5] = [
        ("every_client_has_a_row", every_client_has_a_row),
        ("every_row_has_its_own_name", every_row_has_its_own_name),
        ("every_nightly_row_exists", every_nightly_row_exists),
        ("every_check_fails_a_client_at_each_commit", every_check_fails_a_client_at_each_commit),
        ("every_nightly_row_has_one_like_it_at_each_commit", every_nightly_row_has_one_like_it_at_each_commit),
    ];
    rules.into_iter().map(|(name, rule)| {
        Trial::test(format!("table::{name}"), move || {
            rule(&Table::read().rows());
            Ok(())
        })
    })
}

fn every_client_has_a_row(rows: &[Row]) {
    for (client, _) in reference::built_in().filter(|(client, _)| *client != "reference") {
        assert!(rows.iter().any(|row| row.client == client), "{client} has no row");
    }
}

fn every_row_has_its_own_name(rows: &[Row]) {
    let mut names = BTreeSet::new();
    for row in rows {
        assert!(names.insert(row.name()), "two rows are named {}", row.name());
    }
}

fn every_nightly_row_exists(rows: &[Row]) {
    let found = rows.iter().filter(|row| row.nightly).count();
    let listed: usize = Table::read().nightly.values().map(Vec::len).sum();
    assert_eq!(found, listed, "a client or a scenario of [nightly] has no row");
}

fn every_check_fails_a_client_at_each_commit(rows: &[Row]) {
    let failed: BTreeSet<_> = rows.iter().filter(|row| !row.nightly).filter_map(|row| row.fails).collect();
    for check in checks() {
        assert!(failed.contains(&check), "{check} has no planted defect");
    }
}

/// For each nightly row, a row at each commit has the same client and check, and one the same group of scenarios and
/// check.
fn every_nightly_row_has_one_like_it_at_each_commit(rows: &[Row]) {
    let each_commit: Vec<_> = rows.iter().filter(|row| !row.nightly && row.fails.is_some()).collect();
    for row in rows.iter().filter(|row| row.nightly && row.fails.is_some()) {
        let alike = || each_commit.iter().filter(|other| other.fails == row.fails);
        assert!(alike().any(|other| other.client == row.client), "{}: no other scenario", row.name());
        let group = named(&row.scenario).group;
        assert!(alike().any(|other| named(&other.scenario).group == group), "{}: no other of {group}", row.name());
    }
}
