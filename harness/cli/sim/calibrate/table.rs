//! Writes the comparison as a table, for the terminal and in Markdown, and its summary.

use std::collections::BTreeMap;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use pgsquall::judge::Verdict;
use pgsquall::model::time::show;
use pgsquall::report::text::{optional, recovery};

use super::pair::Pair;

/// As in the table of `pgsquall run`: a line under the header, and no other borders.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

const COLUMNS: [&str; 7] =
    ["scenario", "client", "verdict\nreal / sim", "ttr\nreal / sim", "noticed\nreal / sim", "errors\nreal / sim", "≠"];

/// Returns the table for a terminal.
pub fn text(pairs: &[Pair]) -> String {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic).set_header(COLUMNS);
    table.add_rows(pairs.iter().map(row));
    table.trim_fmt()
}

/// Returns the table in Markdown, with the notes below it.
pub fn markdown(pairs: &[Pair], notes: &[String]) -> String {
    let one_line = |cell: &str| cell.replace('\n', ", ");
    let mut table = Table::new();
    // No wrapping: the text goes to a file.
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(COLUMNS.map(|name| name.replace('\n', " ")));
    table.add_rows(pairs.iter().map(|pair| row(pair).map(|cell| one_line(&cell))));
    let notes: String = notes.iter().map(|line| format!("\n{line}\n")).collect();
    format!("{}\n{notes}", table.trim_fmt())
}

fn row(pair: &Pair) -> [String; 7] {
    let Pair { real, simulated } = pair;
    let both = |of: fn(&Verdict) -> String| format!("{} / {}", of(real), of(simulated));
    let errors = pair.errors().into_iter().map(|(kind, real, simulated)| format!("{kind} {real} / {simulated}"));
    let repeat = if real.setup.repeats > 1 { format!(" {}", real.setup.repeat) } else { String::new() };
    [
        format!("{}{repeat}", real.setup.scenario),
        real.setup.client.clone(),
        both(|verdict| verdict.verdict.to_string()),
        both(|verdict| recovery(&verdict.measures.time_to_recover)),
        both(|verdict| optional(verdict.measures.time_to_detect, "masked")),
        errors.collect::<Vec<_>>().join("\n"),
        pair.differences().join("\n"),
    ]
}

/// Returns the summary: a line of figures, and one for each reason to skip.
pub fn notes(pairs: &[Pair], skipped: &BTreeMap<String, usize>) -> Vec<String> {
    let count = |of: fn(&Pair) -> bool| pairs.iter().filter(|pair| of(pair)).count();
    let (agree, contradict) = (count(Pair::agrees), count(Pair::contradicts));
    let mut text = format!(
        "{} run{} compared: {agree} verdicts agree, {contradict} differ, {} unknown on either side",
        pairs.len(),
        if pairs.len() == 1 { "" } else { "s" },
        pairs.len() - agree - contradict
    );
    if let Some((ratio, difference, of)) = medians(pairs) {
        text +=
            &format!("; time-to-recover simulated / real: median {ratio:.2}, median distance {difference}, of {of}");
    }
    let reasons = skipped.iter().map(|(reason, count)| format!("{count} skipped: {reason}"));
    std::iter::once(text).chain(reasons).collect()
}

/// Returns the median of simulated / real times to recover, the median of their absolute differences, and the number of
/// pairs that recovered on both sides; `None` if there are none.
fn medians(pairs: &[Pair]) -> Option<(f64, String, usize)> {
    let times: Vec<_> = pairs.iter().filter_map(Pair::recovered).collect();
    let mut ratios: Vec<_> = times
        .iter()
        .filter(|(real, _)| !real.is_zero())
        .map(|(real, simulated)| simulated.as_secs_f64() / real.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let mut distances: Vec<_> = times.iter().map(|(real, simulated)| real.abs_diff(*simulated)).collect();
    distances.sort();
    Some((*ratios.get(ratios.len() / 2)?, show(*distances.get(distances.len() / 2)?), times.len()))
}
