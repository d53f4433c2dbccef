//! Random schedules of faults, which proptest draws and shrinks: kinds, onsets, durations, overlaps.
//!
//! A schedule has the contents of a scenario file; it can be written as one, and then also runs on the real planes.

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

/// The most faults drawn for one schedule; a setting with a fault of its own adds that one.
const MOST: usize = 6;

/// The most operations open at once, and the pace of each worker: one operation a second instead of the eighty of a
/// real run. Operations dominate the cost of a simulated run, and the faults affect the client as surely with fewer.
const WORKERS: u32 = 2;
const INTERVAL: Duration = Duration::from_secs(2);

/// Long enough for three operations of each worker.
const STABILITY: Duration = Duration::from_secs(6);

/// Faults with their onsets and durations, and the workload and environment that they need.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    faults: Vec<Fault>,
    pause: Option<Pause>,
    setting: ScheduleSetup,
}

impl Schedule {
    /// The faults, in the order of their onsets.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// A copy with only the faults at these indices.
    pub(super) fn with_only(&self, places: &[usize]) -> Schedule {
        let faults = places.iter().filter_map(|place| self.faults.get(*place).copied()).collect();
        Schedule { faults, ..self.clone() }
    }

    /// The text of the equivalent scenario file. `why`: the comment at its head.
    pub fn text(&self, title: &str, why: &str) -> String {
        self.question(title, why).text()
    }

    /// The equivalent scenario.
    ///
    /// *Errors*: the scenario is invalid; that of a schedule drawn by [`schedules`] is always valid.
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

/// Random schedules of one to six faults, rarely seven. They begin 4 s to 30 s after the steady state; a persistent
/// fault instead precedes the client, and is the only one.
///
/// Some schedules have a device that expires idle connections, and a pause of the workload that is long enough for
/// it; in others operations have a deadline, callers wait for connections, or the client listens; in others there is
/// a failover, a changed password, an expiring certificate, a persistent fault, or added latency under which no
/// operation may fail.
///
/// proptest shrinks them to fewer, simpler and shorter faults.
pub fn schedules() -> impl Strategy<Value = Schedule> {
    let faults = prop::collection::vec(fault(), 1..=MOST);
    (faults, prop::option::weighted(0.25, idleness()), setting()).prop_map(|(mut faults, idleness, setting)| {
        let pause = idleness.filter(|_| setting.may_pause()).map(|(device, pause)| {
            // The device replaces the last of `MOST` faults.
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
