//! What is going on: a live line for each run on a terminal, plain lines anywhere else. On stderr, so that the table on
//! stdout can be piped.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pgsquall::judge::{Verdict, VerdictKind};
use pgsquall::model::history::{Event, FaultStep, Phase};
use pgsquall::report::text::recovery;

use super::jobs::Ending;
use crate::print::complain;

/// How often the live lines are drawn anew.
const DRAW_EVERY: Duration = Duration::from_millis(120);

/// All runs together.
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

    /// Begins to watch one run.
    pub fn begin(&self, name: &str) -> Watched {
        let line = self.lines.insert_before(&self.total, ProgressBar::new_spinner());
        line.set_style(style("{spinner} {prefix:28} {msg}"));
        line.set_prefix(name.to_owned());
        line.set_message("starting the server");
        if self.live {
            line.enable_steady_tick(DRAW_EVERY);
        }
        Watched { name: name.to_owned(), line, all: self.clone() }
    }

    /// Says something that stays.
    pub fn say(&self, text: &str) {
        if self.live {
            // A terminal that cannot be written to has no reader.
            let _ = self.lines.println(text);
        } else {
            complain!("{text}");
        }
    }

    pub fn finish(&self) {
        self.total.finish_and_clear();
    }
}

/// One run.
#[derive(Clone)]
pub struct Watched {
    name: String,
    line: ProgressBar,
    all: Progress,
}

impl Watched {
    /// Shows what an event means for somebody who waits.
    pub fn see(&self, event: &Event) {
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
                format!("{:8} {}", run.verdict.verdict.to_string(), outcome(&run.verdict))
            }
            Ending::Skipped(_) => "skipped".into(),
            Ending::Failed(_) => "not carried out".into(),
            Ending::Interrupted => "stopped".into(),
        };
        self.line.finish_and_clear();
        self.all.say(&format!("{:28} {text}", self.name));
        self.all.total.inc(1);
    }
}

/// What a run came to, in half a line.
fn outcome(verdict: &Verdict) -> String {
    let failed: Vec<_> = verdict.failures().map(|(check, _)| check.to_string()).collect();
    match (verdict.verdict, &verdict.measures.time_to_recover) {
        (VerdictKind::Unknown, _) => verdict.doubts.first().cloned().unwrap_or_default(),
        (VerdictKind::Fail, _) => format!("fails {}", failed.join(", ")),
        (VerdictKind::Pass, ttr) => format!("recovered after {}", recovery(ttr)),
    }
}

fn style(template: &str) -> ProgressStyle {
    // Fixed templates: one that did not parse would be seen at once, and a plain line is still a line.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
