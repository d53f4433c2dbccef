//! Shows progress on stderr: on a terminal a live line for each run, otherwise a plain line when a run has ended.
//! Stdout is for results, so that they can be piped.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgsquall::judge::{Verdict, VerdictKind};
use pgsquall::model::history::{Event, FaultStep, Phase};
use pgsquall::report::text::recovery;

use super::done::Ending;
use crate::print::complain;

/// How often the live lines are redrawn.
const DRAW_EVERY: Duration = Duration::from_millis(120);

/// Progress of all runs.
#[derive(Clone)]
pub struct Progress {
    lines: MultiProgress,
    total: ProgressBar,
    live: bool,
}

impl Progress {
    pub fn new(runs: usize) -> Progress {
        let live = std::io::stderr().is_terminal();
        let lines = MultiProgress::with_draw_target(match live {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        });
        let total = lines.add(ProgressBar::new(runs as u64));
        total.set_style(style("{bar:30} {pos}/{len} runs, {elapsed}"));
        Progress { lines, total, live }
    }

    /// Adds the line of a run that starts.
    pub fn begin(&self, name: &str) -> RunLine {
        let line = self.lines.insert_before(&self.total, ProgressBar::new_spinner());
        line.set_style(style("{spinner} {prefix:28} {msg}"));
        line.set_prefix(name.to_owned());
        line.set_message("starting the server");
        if self.live {
            line.enable_steady_tick(DRAW_EVERY);
        }
        RunLine { name: name.to_owned(), line, all: self.clone() }
    }

    /// Prints a line, above the live ones if there are any.
    pub fn print(&self, text: &str) {
        if self.live {
            // Fails only if the terminal is closed.
            let _ = self.lines.println(text);
        } else {
            complain!("{text}");
        }
    }

    pub fn finish(&self) {
        self.total.finish_and_clear();
    }
}

/// Progress of one run: its live line, then its last line.
#[derive(Clone)]
pub struct RunLine {
    name: String,
    line: ProgressBar,
    all: Progress,
}

impl RunLine {
    /// Shows the phase or the fault's step in the live line; ignores other events.
    pub fn show(&self, event: &Event) {
        let message = match event {
            Event::Phase { phase, .. } => match phase {
                Phase::Calibrate => "calibrating",
                Phase::SteadyState => "steady state",
                Phase::Observe => "waiting for recovery",
                Phase::Settle => "recovered, settling",
                Phase::Audit => "auditing",
            },
            Event::Fault { step, .. } => match step {
                FaultStep::Injecting => "injecting",
                FaultStep::InForce => "fault in force",
                FaultStep::Healing => "healing",
                FaultStep::Healed => "healed",
                FaultStep::Failed { .. } => "the fault failed",
            },
            _ => return,
        };
        self.line.set_message(message);
    }

    pub fn end(&self, ending: &Ending) {
        let text = match ending {
            Ending::Judged(run) => {
                format!("{:8} {}", run.verdict.verdict.to_string(), summarize(&run.verdict))
            }
            Ending::Skipped(_) => "skipped".into(),
            Ending::Failed(_) => "not carried out".into(),
            Ending::Interrupted => "stopped".into(),
        };
        self.line.finish_and_clear();
        self.all.print(&format!("{:28} {text}", self.name));
        self.all.total.inc(1);
    }
}

/// Summarizes a verdict in half a line: the first doubt, the failed checks, or the time to recover.
fn summarize(verdict: &Verdict) -> String {
    let failed: Vec<_> = verdict.failures().map(|(check, _)| check.to_string()).collect();
    match (verdict.verdict, &verdict.measures.time_to_recover) {
        (VerdictKind::Unknown, _) => verdict.doubts.first().cloned().unwrap_or_default(),
        (VerdictKind::Fail, _) => format!("fails {}", failed.join(", ")),
        (VerdictKind::Pass, ttr) => format!("recovered after {}", recovery(ttr)),
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; if one did not parse, a default bar still shows progress.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
