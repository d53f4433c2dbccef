//! A benchmark for the terminal: for each scenario the recovery times of each client with their confidence intervals, and
//! whether the other clients differ from the first by more than chance.

use super::baseline::{chance, span};
use super::cell::Cell;
use super::model::Report;
use super::table::plain_table;
use super::text::bound;
use crate::model::time::show;
use crate::statistics::{Bound, Quantile, Sample, least_repeats, quantile, shift};

/// Confidence of all intervals.
const CONFIDENCE: f64 = 0.95;

/// Length of the longest bar, in characters.
const WIDEST: usize = 50;

const COLUMNS: [&str; 7] = ["client", "p50", "95 % interval", "p95", "95 % interval", "max", "runs"];

/// Writes all scenarios, one below the other; the bars are shortened to fit into `width` characters. Ends with a
/// newline.
pub fn text(report: &Report, width: usize) -> String {
    let cells = report.cells();
    let mut text = String::new();
    for scenario in &report.scenarios {
        let rows: Vec<(&Cell, Sample)> =
            cells.iter().filter(|cell| cell.scenario == scenario.name).map(|cell| (cell, cell.sample())).collect();
        text += &format!("{}: time to recover\n\n", scenario.name);
        text += &figures(&rows);
        text += &format!("\n{}", bars(&rows, width));
        text += &format!("{}\n", differences(&rows));
    }
    text
}

fn figures(rows: &[(&Cell, Sample)]) -> String {
    let mut table = plain_table(&COLUMNS);
    for (cell, sample) in rows {
        let Some(longest) = sample.max() else {
            let state = cell.worst().map_or(cell.state(), |worst| match worst.checks.is_empty() {
                true => "",
                false => "not measured",
            });
            table.add_row([cell.client, state]);
            continue;
        };
        let [(median, about_median), (tail, about_tail)] = [0.5, 0.95].map(|share| {
            let found = quantile(sample, share, CONFIDENCE);
            found.map_or_else(Default::default, |found| (bound(found.estimate), interval(&found)))
        });
        let censored = if sample.censored() > 0 { format!(", {} censored", sample.censored()) } else { String::new() };
        let runs = format!("{}{censored}", sample.len());
        table.add_row([cell.client.to_owned(), median, about_median, tail, about_tail, bound(longest), runs]);
    }
    table.trim_fmt() + "\n"
}

/// One bar for each client: solid to its median, light to its 95th percentile. A censored percentile is drawn as an
/// arrow, because its lower bound, drawn to scale, would make all other bars too short to compare.
fn bars(rows: &[(&Cell, Sample)], width: usize) -> String {
    let shares = |sample: &Sample| {
        Some([quantile(sample, 0.5, CONFIDENCE)?.estimate, quantile(sample, 0.95, CONFIDENCE)?.estimate])
    };
    let all: Vec<_> = rows.iter().filter_map(|(cell, sample)| Some((cell.client, shares(sample)?))).collect();
    let Some(longest) = all.iter().flat_map(|(_, shares)| shares).filter_map(|share| share.known()).max() else {
        return String::new();
    };
    let names = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let widest = width.saturating_sub(names + 3).clamp(10, WIDEST);
    let length = |share: Bound| match share.known() {
        // An instantaneous recovery still has a visible bar.
        Some(time) if !longest.is_zero() => {
            ((time.as_secs_f64() / longest.as_secs_f64() * widest as f64).round() as usize).max(1)
        }
        Some(_) => 1,
        None => widest,
    };
    let mut text = String::new();
    for (name, [median, tail]) in &all {
        let solid = if median.known().is_some() { length(*median) } else { 0 };
        let light = length(*tail).saturating_sub(solid);
        let arrow = if tail.known().is_none() { "▸" } else { "" };
        text += &format!("{name:names$}  {}{}{arrow}\n", "█".repeat(solid), "░".repeat(light));
    }
    let scale = format!("{widest} characters are {}", show(longest));
    text + &format!("{:names$}  █ median, ░ 95th percentile, ▸ not recovered when the run ended; {scale}\n\n", "")
}

/// Each other client compared with the first.
fn differences(rows: &[(&Cell, Sample)]) -> String {
    let Some(((first, before), others)) = rows.split_first() else { return String::new() };
    let mut text = String::new();
    for (cell, now) in others {
        let what = match shift(before, now, CONFIDENCE) {
            None => format!("a comparison needs {} runs of each", least_repeats(CONFIDENCE).unwrap_or_default()),
            Some(shift) => {
                let share = shift.superiority * 100.0;
                format!(
                    "{} (95 % interval {}), p {}; slower in {share:.0} % of pairs",
                    span(shift.estimate.into()),
                    span(shift.interval.into()),
                    chance(shift.either)
                )
            }
        };
        text += &format!("{} against {}: {what}\n", cell.client, first.client);
    }
    text
}

/// The confidence interval of a quantile; `…` for a limit that needs more repeats.
fn interval(Quantile { lower, upper, .. }: &Quantile) -> String {
    let limit = |limit: &Option<Bound>, none: &str| limit.map_or_else(|| none.to_owned(), bound);
    match (lower, upper) {
        (None, None) => "too few runs".to_owned(),
        _ => format!("{} – {}", limit(lower, "…"), limit(upper, "…")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::Recovery;
    use crate::judge::samples::Sample as History;
    use crate::report::model::{Ending, Entry};
    use crate::report::samples::{judged, report, skipped};

    /// Repeats of one client: times-to-recover in milliseconds, and the number of censored ones.
    fn repeats(client: &str, times: impl Iterator<Item = u64>, censored: usize) -> Vec<Entry> {
        let recovered = times.map(|ms| Recovery::Recovered { after: Duration::from_millis(ms) });
        let beyond = Recovery::Censored { beyond: Duration::from_secs(60) };
        let all: Vec<_> = recovered.chain(std::iter::repeat_n(beyond, censored)).collect();
        let of = all.len() as u32;
        let entry = judged(client, "restart-fast", &History::healthy());
        (0..of)
            .zip(all)
            .map(|(repeat, recovery)| {
                let mut entry = Entry { repeat, repeats: of, ..entry.clone() };
                let Ending::Judged { verdict } = &mut entry.ending else { panic!("{entry:?}") };
                verdict.measures.time_to_recover = recovery;
                entry
            })
            .collect()
    }

    #[test]
    fn benchmark_compares_clients() {
        let quick = repeats("quick", (40..70).step_by(1), 0);
        let slow = repeats("slow", (900..1_200).step_by(10), 0);
        let lost = repeats("lost", (100..120).step_by(1), 10);
        let few = repeats("few", 40..42, 0);
        let runs = [quick, slow, lost, few, vec![skipped("absent", "restart-fast")]].concat();
        insta::assert_snapshot!(text(&report(runs), 100));
    }
}
