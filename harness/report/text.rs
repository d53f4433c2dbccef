//! The terminal page of one verdict: doubts, findings, figures, evidence and the command that repeats the run; and the words in
//! which all formats write figures.

use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use super::cell::{Cell, observation};
use crate::judge::{CheckResult, Listening, Measures, Recovery, Restarts, Verdict, by_frequency};
use crate::model::budget::Budget;
use crate::model::fault::DeviceAsked;
use crate::model::history::{Application, RunSetup};
use crate::model::plane::Plane;
use crate::model::time::{exact, show};
use crate::scenario::RANDOM;
use crate::statistics::{Bound, Sample, quantile};

/// Writes the page of one verdict. Ends with a newline; has no colours.
pub fn explain(verdict: &Verdict) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text, verdict);
    text
}

fn write(to: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let Verdict { setup: RunSetup { scenario, client, .. }, measures, .. } = verdict;
    writeln!(to, "{scenario} with {client}: {}", verdict.verdict)?;
    for doubt in &verdict.doubts {
        writeln!(to, "  doubt     {doubt}")?;
    }
    for (check, findings) in verdict.failures() {
        for finding in findings {
            writeln!(to, "  fails     {check}: {}", finding.what)?;
            if !finding.ops.is_empty() {
                writeln!(to, "            operations {}", list(&finding.ops))?;
            }
            writeln!(to, "            try: {}", finding.advice)?;
        }
    }
    let passed: Vec<_> = verdict
        .checks
        .iter()
        .filter(|(_, result)| matches!(result, CheckResult::Pass))
        .map(|(check, _)| check.to_string())
        .collect();
    if !passed.is_empty() {
        writeln!(to, "  passes    {}", passed.join(", "))?;
    }
    writeln!(to, "  times     {}", times(verdict))?;
    writeln!(
        to,
        "  ops       {}{}; errors: {}",
        operations(verdict),
        if verdict.setup.application.is_some() { " (statements and sign-ins at the gateway)" } else { "" },
        errors(verdict)
    )?;
    if let Some(listening) = &measures.listening {
        writeln!(to, "  listen    {}", subscription(listening))?;
    }
    if let Some(restarts) = &measures.restarts {
        writeln!(to, "  process   {}", process(restarts))?;
    }
    writeln!(to, "  evidence  {}", evidence(verdict))?;
    let server = verdict.server.as_deref().unwrap_or("unknown");
    writeln!(to, "  server    {server}, faults by the {} plane", verdict.setup.plane)?;
    writeln!(to, "  repeat    {}", repeat_command(verdict))
}

/// The three times of a run: `noticed after 2.00 ms, first success after 10.0 ms, recovered after 32.0 ms`.
fn times(verdict: &Verdict) -> String {
    let measures = &verdict.measures;
    let detected = match measures.time_to_detect {
        Some(after) => format!("noticed after {}", show(after)),
        None => undetected(verdict).to_owned(),
    };
    let success = match measures.time_to_first_success {
        Some(after) => format!("first success after {}", show(after)),
        None => "no success after it".to_owned(),
    };
    match measures.time_to_recover {
        Recovery::Recovered { after } => format!("{detected}, {success}, recovered after {}", show(after)),
        Recovery::Censored { beyond } => format!("{detected}, {success}, recovered after > {}", show(beyond)),
        Recovery::NotMeasured => format!("{detected}, recovery not timed"),
    }
}

/// The reason for a missing time-to-detect.
pub(super) fn undetected(verdict: &Verdict) -> &'static str {
    match verdict.setup.application {
        Some(_) => "no failure observed",
        None => "no operation failed (fault masked)",
    }
}

/// The command line that repeats the run with the same seed.
///
/// A local server needs no option, because `auto` chooses it; the password of an external server is not known here.
pub fn repeat_command(verdict: &Verdict) -> String {
    if verdict.setup.plane == Plane::Simulation {
        let (client, seed) = (quoted(&verdict.setup.client), verdict.setup.seed);
        return match verdict.setup.scenario == RANDOM {
            true => format!("pgsquall sim --client {client} --seed {seed} --seeds 1"),
            false => format!("pgsquall sim {} --client {client} --seed {seed}", quoted(&verdict.setup.scenario)),
        };
    }
    let mut line = format!("pgsquall run {}", quoted(&verdict.setup.scenario));
    match &verdict.setup.application {
        None => line += &format!(" --client {}", quoted(&verdict.setup.client)),
        Some(Application { ready, load, capabilities }) => {
            line += &format!(" --app {}", quoted(&verdict.setup.client));
            let options = [("ready", ready), ("load", load)];
            for (option, command) in options.into_iter().filter_map(|(option, text)| Some((option, text.as_ref()?))) {
                line += &format!(" --{option} {}", quoted(command));
            }
            line.extend(capabilities.iter().map(|word| format!(" --app-capability {}", quoted(word))));
        }
    }
    match verdict.server.as_deref().and_then(|server| server.split_whitespace().next()) {
        Some("docker") => line += " --server docker",
        Some("external") => line += " --server postgres://…",
        _ => {}
    }
    if verdict.setup.supervised {
        line += " --supervise";
    }
    if verdict.setup.plane_asked {
        line += &format!(" --network {}", verdict.setup.plane);
    }
    if let Some(DeviceAsked { device, scale }) = &verdict.setup.device {
        line += &format!(" --device {} --scale {scale}", quoted(device));
    }
    if verdict.budget != Budget::default().time_to_recover {
        line += &format!(" --budget {}", quoted(&exact(verdict.budget).to_string()));
    }
    line += &format!(" --seed {}", verdict.setup.seed);
    if verdict.setup.repeats > 1 {
        line += &format!(" --repeat {}", verdict.setup.repeats);
    }
    line
}

fn quoted(word: &str) -> String {
    // Only a NUL byte cannot be quoted, and no command line holds one.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Cow::into_owned)
}

/// Errors by code, most frequent first: `57P03 × 40, refused × 3`.
pub fn errors(verdict: &Verdict) -> String {
    let errors = &verdict.measures.errors;
    if errors.is_empty() { "none".into() } else { by_frequency(errors) }
}

/// The figures of a subscription: `recovered after 3.00 s; 20 of 80 notifications lost`.
pub(super) fn subscription(listening: &Listening) -> String {
    let Listening { time_to_recover, sent, lost, gaps_reported, gaps_hidden } = listening;
    let recovered = match time_to_recover {
        Recovery::Recovered { after } => format!("recovered after {}", show(*after)),
        Recovery::Censored { beyond } => format!("recovered after > {}", show(*beyond)),
        Recovery::NotMeasured => "recovery not timed".to_owned(),
    };
    let mut text = format!("{recovered}; {lost} of {sent} notifications lost");
    if gaps_reported + gaps_hidden > 0 {
        text += &format!("; the client reported {gaps_reported} of {} gaps", gaps_reported + gaps_hidden);
    }
    text
}

/// Exits and restarts of a supervised client: `restarted 2 times, first exit 350 ms after the fault (exit status 1)`.
pub(super) fn process(restarts: &Restarts) -> String {
    let Restarts { restarted, failed, first_exit, first_status, away, is_away } = restarts;
    let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let first = first_exit.zip(first_status.as_ref());
    let first = first.map(|(after, status)| format!("{} after the fault ({status})", show(after)));
    let mut text = match (restarted, first) {
        (0, None) => "supervised, never restarted".to_owned(),
        (0, Some(first)) => format!("exited {first}, never restarted"),
        (count, None) => format!("restarted {}", times(*count)),
        (count, Some(first)) => format!("restarted {}, first exit {first}", times(*count)),
    };
    if *failed > 0 {
        text += &format!("; {failed} failed relaunch{}", if *failed == 1 { "" } else { "es" });
    }
    if *is_away || !away.is_zero() {
        text += &format!("; no process for {}{}", show(*away), if *is_away { ", none at the end" } else { "" });
    }
    text
}

/// The evidence of the faults: `4 sessions lost, 240 operations failed or held up meanwhile`.
pub fn evidence(verdict: &Verdict) -> String {
    let found: Vec<_> = verdict
        .evidence
        .iter()
        .flat_map(|fault| &fault.found)
        .filter(|found| found.count > 0)
        .map(|found| format!("{} {}", found.count, found.what))
        .collect();
    if found.is_empty() { "none".into() } else { found.join(", ") }
}

/// A time-to-recover in words; `> 10.0 s` for a lower bound.
pub fn recovery(recovery: &Recovery) -> String {
    match recovery {
        Recovery::Recovered { after } => show(*after),
        Recovery::Censored { beyond } => format!("> {}", show(*beyond)),
        Recovery::NotMeasured => "–".into(),
    }
}

/// Each finding with its check: `recovered: not recovered within 10.0 s of heal, …`.
pub fn broken(verdict: &Verdict) -> impl Iterator<Item = String> + '_ {
    let found = verdict.failures().flat_map(|(check, all)| all.iter().map(move |one| (check, one)));
    found.map(|(check, finding)| format!("{check}: {}", finding.what))
}

/// The time-to-recover of one client in one scenario; for several repeats their [`distribution`].
pub fn recovered(cell: &Cell) -> String {
    match (cell.runs.len(), cell.worst()) {
        (1, Some(only)) => recovery(&only.measures.time_to_recover),
        _ => distribution(cell.recoveries()),
    }
}

/// Median, 95th percentile, maximum and number of several times-to-recover; censored ones are counted, never averaged.
pub fn distribution(recoveries: impl Iterator<Item = Recovery>) -> String {
    let sample = Sample::new(recoveries.filter_map(|recovery| observation(&recovery)));
    let Some([median, tail, longest]) = ranks(&sample) else { return recovery(&Recovery::NotMeasured) };
    let mut text = format!("p50 {median}, p95 {tail}, max {longest}, n {}", sample.len());
    if sample.censored() > 0 {
        text += &format!(", {} censored", sample.censored());
    }
    text
}

/// Median, 95th percentile and maximum of several times-to-recover; `None` if there are none.
pub(super) fn ranks(sample: &Sample) -> Option<[String; 3]> {
    // Only the estimate is used, and it does not depend on the confidence.
    let at = |share| quantile(sample, share, 0.5).map(|quantile| bound(quantile.estimate));
    Some([at(0.5)?, at(0.95)?, bound(sample.max()?)])
}

/// Operations by outcome: `128 ok, 4 failed, 0 indeterminate`.
pub fn operations(verdict: &Verdict) -> String {
    let Measures { ok, fail, info, .. } = &verdict.measures;
    format!("{ok} ok, {fail} failed, {info} indeterminate")
}

/// The time-to-detect as a table's column shows it.
pub fn noticed(verdict: &Verdict) -> String {
    let none = if verdict.setup.application.is_some() { "not observed" } else { "masked" };
    optional(verdict.measures.time_to_detect, none)
}

/// The time-to-first-success.
pub fn first_success(verdict: &Verdict) -> String {
    optional(verdict.measures.time_to_first_success, "never")
}

/// A rank of several times-to-recover, written like a single one.
pub fn bound(bound: Bound) -> String {
    recovery(&match bound {
        Bound::Known(after) => Recovery::Recovered { after },
        Bound::Beyond(beyond) => Recovery::Censored { beyond },
    })
}

/// A duration, or a word for its absence.
pub fn optional(duration: Option<Duration>, none: &str) -> String {
    duration.map_or_else(|| none.to_owned(), show)
}

pub(super) fn list(ids: &[u64]) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_formatted_in_one_line() {
        let secs = Duration::from_secs;
        let (first_exit, first_status) = (None, None);
        let never =
            Restarts { restarted: 0, failed: 0, first_exit, first_status, away: Duration::ZERO, is_away: false };
        assert_eq!(process(&never), "supervised, never restarted");
        let first_status = Some("exit status 1".to_owned());
        let exited = Restarts { first_exit: Some(Duration::from_millis(350)), first_status, away: secs(3), ..never };
        let twice = Restarts { restarted: 2, ..exited.clone() };
        let text = "restarted 2 times, first exit 350 ms after the fault (exit status 1); no process for 3.00 s";
        assert_eq!(process(&twice), text);
        let lost = Restarts { failed: 1, is_away: true, ..exited };
        let text = "exited 350 ms after the fault (exit status 1), never restarted; 1 failed relaunch; no process for \
                    3.00 s, none at the end";
        assert_eq!(process(&lost), text);
    }

    #[test]
    fn censored_recovery_is_shown_as_a_lower_bound() {
        let beyond = Duration::from_millis(61_500);
        assert_eq!(recovery(&Recovery::Censored { beyond }), "> 61.5 s");
        assert_eq!(recovery(&Recovery::Recovered { after: beyond }), "61.5 s");
        assert_eq!(recovery(&Recovery::NotMeasured), "–");
    }
}
