//! Schedules of faults, drawn at random and shrunk by proptest: kinds, onsets, durations, overlaps.
//!
//! A schedule holds what a scenario file would hold; it can be written as such a file, and run on
//! the real planes as well.

mod faults;
mod setting;

use std::time::Duration;

use proptest::prelude::*;

use self::faults::{compatible, fault, idleness};
use self::setting::{ScheduleSetup, setting};
use crate::model::budget::Budget;
use crate::model::fault::{Class, Fault};
use crate::model::pace::{Pace, Pause};
use crate::model::topology::Topology;
use crate::scenario::{Question, Scenario, ScenarioError};

/// The most faults of one schedule.
const MOST: usize = 6;

/// How many operations are open at once, and the pace of each worker. Less than in a real run: it is what a simulated run costs,
/// and a client meets its faults with an operation a second as surely as with eighty.
const WORKERS: u32 = 2;
const INTERVAL: Duration = Duration::from_secs(2);

/// Several operations of each worker.
const STABILITY: Duration = Duration::from_secs(6);

/// A schedule of faults, and what it asks of the workload and the environment beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    faults: Vec<Fault>,
    pause: Option<Pause>,
    setting: ScheduleSetup,
}

impl Schedule {
    /// Its faults, in the order of their onsets.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// This schedule with only some of its faults, by their indices.
    pub(super) fn with_only(&self, places: &[usize]) -> Schedule {
        let faults = places.iter().filter_map(|place| self.faults.get(*place).copied()).collect();
        Schedule { faults, ..self.clone() }
    }

    /// The text of a scenario file that asks the same. `why`: what stands at its head.
    pub fn text(&self, title: &str, why: &str) -> String {
        self.question(title, why).text()
    }

    /// The scenario itself.
    ///
    /// *Errors*: none that a schedule drawn here could have.
    pub fn scenario(&self, name: &str) -> Result<Scenario, ScenarioError> {
        self.question("Random schedule of faults", "").scenario(name)
    }

    fn question(&self, title: &str, why: &str) -> Question {
        let mut question = Question {
            title: title.into(),
            why: why.into(),
            class: Class::Transient,
            budget: Budget { stability: STABILITY, ..Budget::default() },
            load: Pace { workers: WORKERS, interval: INTERVAL, pause: self.pause, ..Pace::default() },
            layout: Topology::default(),
            faults: self.faults.clone(),
        };
        self.setting.apply(&mut question);
        question
    }
}

/// Random schedules of one to six faults within thirty seconds, from the fourth second of steady state on.
///
/// In some of them there is a device that ends idle connections, and the workload pauses for long enough to meet it; in some
/// operations have a deadline, callers wait for connections, or the client listens; in some there is a failover, a password
/// that changes, a certificate that expires, a persistent fault, or one that leaves everything possible.
///
/// They shrink to fewer faults, to simpler ones, and to shorter ones.
pub fn schedules() -> impl Strategy<Value = Schedule> {
    let faults = prop::collection::vec(fault(), 1..=MOST);
    (faults, prop::option::weighted(0.25, idleness()), setting()).prop_map(|(mut faults, idleness, setting)| {
        let pause = idleness.filter(|_| setting.may_pause()).map(|(device, pause)| {
            // In the place of one of them, so that their number stays what it is.
            faults.truncate(MOST - 1);
            faults.insert(0, device);
            pause
        });
        Schedule { faults: compatible(setting.arrange(faults)), pause, setting }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest! {
        #[test]
        fn every_schedule_is_a_scenario_that_can_be_simulated(schedule in schedules()) {
            let scenario = schedule.scenario("drawn");
            prop_assert!(scenario.is_ok(), "{}\n{}", scenario.unwrap_err(), schedule.text("t", ""));
            let scenario = scenario.unwrap();
            prop_assert_eq!(&scenario.faults, &schedule.faults);
            prop_assert_eq!(crate::simulation::check_simulable(&scenario), Ok(()));
        }
    }
}
