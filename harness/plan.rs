//! A plan: a scenario with absolute times, in which every random choice is resolved from the seed. Pure: equal
//! arguments give equal plans, byte for byte, so that the command in a report repeats its run.

use std::time::Duration;

use rand::Rng;
use serde::Serialize;

use crate::model::history::{FORMAT, Header, RunSetup};
use crate::model::seed::Seed;
use crate::scenario::Scenario;

/// Width of the window over which the repeats of a run spread their onsets, in microseconds.
///
/// One second is the commonest period of the timers inside clients (health checks, backoff steps, pool sweeps); a
/// fault that always came at the same point of them would find always the same defect, or never.
const PHASE_US: u64 = 1_000_000;

/// The absolute timeline of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// The header of the run's history.
    pub header: Header,
    /// Settings of the server.
    ///
    /// *Durability*: where no fault crashes the server, `fsync` is off unless the scenario sets it. fsync guards
    /// against the loss of the page cache, and in such a run nothing loses it: the server is shut down in order or not
    /// at all, and the audit reads through the same cache. Where a fault crashes the server, every setting of
    /// durability stays as the scenario or Postgres has it, so that no lost write can be blamed on the harness.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    /// Resolves a scenario for one client and one repeat.
    ///
    /// The `of` repeats of a run are stratified: each has an equal part of the phase to itself, and its place in that
    /// part is drawn from the seed. All faults of one run, and the pause of its workload, move together, so that what
    /// the scenario says of their order stays true; a timeline that begins before the client does not move, since no
    /// timer runs yet that it could meet.
    ///
    /// *Shape*: `repeat` counts from 0; an `of` of 0 means 1, and repeats beyond `of` begin again at the first part.
    pub fn new(scenario: &Scenario, client: &str, seed: Seed, repeat: u32, of: u32) -> Plan {
        // Only a persistent fault, or an arrangement, may lie at zero.
        let precedes_client = scenario.faults.first().is_some_and(|fault| fault.at.is_zero());
        let shift = if precedes_client { Duration::ZERO } else { phase(&scenario.name, seed, repeat, of) };
        let mut faults = scenario.faults.clone();
        for fault in &mut faults {
            fault.at += shift;
        }
        let mut load = scenario.load;
        if let Some(pause) = &mut load.pause {
            pause.at += shift;
        }
        let mut settings = scenario.settings.clone();
        let crashes = faults.iter().any(|fault| fault.kind.crashes_server());
        if !crashes && !settings.iter().any(|(name, _)| name == "fsync") {
            settings.push(("fsync".to_owned(), "off".to_owned()));
        }
        let header = Header {
            format: FORMAT,
            pgsquall: env!("CARGO_PKG_VERSION").to_owned(),
            setup: RunSetup {
                repeat,
                repeats: of.max(1),
                device: scenario.device.clone(),
                ..RunSetup::new(scenario.asked(), client, seed)
            },
            title: scenario.title.clone(),
            class: scenario.class,
            faults,
            precedes_client,
            budget: scenario.budget.clone(),
            load,
            middlebox: scenario.middlebox.clone(),
            layout: scenario.layout.clone(),
        };
        Plan { header, settings }
    }
}

/// How far the timeline of one repeat is shifted: less than [`PHASE_US`].
fn phase(scenario: &str, seed: Seed, repeat: u32, of: u32) -> Duration {
    let of = u64::from(of.max(1));
    // A draw of its own for each repeat: adding repeats never changes the draws of those before. Fixed-point
    // multiplication of the generator's raw output, because the ways in which libraries draw from a range, and floating
    // point, may change between versions and platforms; this cannot.
    let raw = seed.fork(&format!("phase of {scenario}, repeat {repeat}")).rng().next_u64();
    let draw = ((u128::from(raw) * u128::from(PHASE_US)) >> 64) as u64;
    Duration::from_micros((u64::from(repeat) % of * PHASE_US + draw) / of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::fault::{Fault, FaultKind, FaultSpec, Memory, Values};
    use crate::scenario::catalogue;

    fn json(plan: &Plan) -> String {
        serde_json::to_string(plan).unwrap()
    }

    fn plan(name: &str, seed: u64, repeat: u32, of: u32) -> Plan {
        Plan::new(&Scenario::built_in(name).unwrap(), "tokio-postgres", Seed(seed), repeat, of)
    }

    #[test]
    fn the_sequence_is_fixed_for_ever() {
        // Changing these figures changes what every printed seed means: that takes a new version of the format.
        let onsets = [0, 1, 2].map(|repeat| plan("connection-closed", 42, repeat, 3).header.faults[0].at.as_micros());
        assert_eq!(onsets, [2_311_344, 2_549_540, 2_902_320]);
    }

    #[test]
    fn repeats_cover_the_phase_evenly() {
        for of in [1, 2, 7, 30] {
            for repeat in 0..of {
                let shift = plan("restart-fast", 7, repeat, of).header.faults[0].at - Duration::from_secs(2);
                assert_eq!((shift.as_micros() as f64 * f64::from(of) / 1e6).floor() as u32, repeat, "of {of}");
            }
        }
    }

    #[test]
    fn seeds_repeats_and_scenarios_differ() {
        let onset = |plan: Plan| plan.header.faults[0].at;
        assert_ne!(json(&plan("stall", 1, 0, 1)), json(&plan("stall", 2, 0, 1)));
        assert_ne!(onset(plan("stall", 1, 0, 1)), onset(plan("stall", 2, 0, 1)));
        assert_ne!(onset(plan("stall", 1, 0, 1)), onset(plan("stall", 1, 1, 1)));
        assert_ne!(onset(plan("connection-closed", 1, 0, 1)), onset(plan("connection-reset", 1, 0, 1)));
    }

    #[test]
    fn faults_of_one_run_move_together() {
        let text = "schema = 1\ntitle = \"two\"\n[[fault]]\nkind = \"close\"\nat = \"5s\"\n[[fault]]\nkind = \"reset\"\nat = \"2s\"\n";
        let scenario = Scenario::parse("two", "file", "two.toml", text).unwrap();
        let faults = Plan::new(&scenario, "c", Seed(3), 0, 1).header.faults;
        assert_eq!((faults[0].kind, faults[1].at - faults[0].at), (FaultKind::Reset, Duration::from_secs(3)));
        assert_ne!(faults[0].at, Duration::from_secs(2));
    }

    #[test]
    fn the_pause_moves_with_the_faults() {
        let text = "schema = 1\ntitle = \"pause\"\n[load]\npause = { at = \"3s\", for = \"5s\" }\n\
                    [[fault]]\nkind = \"reset\"\nat = \"4s\"\n";
        let scenario = Scenario::parse("pause", "file", "pause.toml", text).unwrap();
        let header = Plan::new(&scenario, "c", Seed(3), 0, 1).header;
        let pause = header.load.pause.unwrap();
        assert_eq!((header.faults[0].at - pause.at, pause.lasts), (Duration::from_secs(1), Duration::from_secs(5)));
        assert_ne!(pause.at, Duration::from_secs(3));
    }

    #[test]
    fn what_precedes_the_client_does_not_move() {
        let header = plan("wrong-password", 9, 3, 5).header;
        assert!(header.precedes_client && header.faults[0].at.is_zero());
        assert!(!plan("restart-fast", 9, 3, 5).header.precedes_client);
    }

    #[test]
    fn fsync_is_off_only_where_the_server_keeps_its_memory() {
        let is_off = |plan: &Plan| plan.settings.contains(&("fsync".to_owned(), "off".to_owned()));
        for scenario in catalogue() {
            let keeps = scenario.faults.iter().all(|fault| fault.kind.spec().memory == Memory::Kept);
            assert_eq!(is_off(&Plan::new(&scenario, "c", Seed(0), 0, 1)), keeps, "{}", scenario.name);
        }
        // One row that loses the server's memory is enough.
        let mut scenario = Scenario::built_in("stall").unwrap();
        for spec in FaultSpec::all().filter(|spec| spec.memory == Memory::Lost && spec.shape.keys.is_empty()) {
            let kind = (spec.shape.build)(&Values::default()).unwrap();
            scenario.faults.push(Fault { kind, ..scenario.faults[0] });
            assert!(!is_off(&Plan::new(&scenario, "c", Seed(0), 0, 1)), "{kind}");
            scenario.faults.pop();
        }
        assert!(is_off(&Plan::new(&scenario, "c", Seed(0), 0, 1)));
        scenario.settings = vec![("fsync".into(), "on".into())];
        assert_eq!(Plan::new(&scenario, "c", Seed(0), 0, 1).settings, scenario.settings);
    }

    #[test]
    fn scenarios_that_end_the_server_keep_fsync() {
        // Named here and not taken from the rows, so that a wrong row shows: without fsync, a write that the harness
        // lost would be held against the client.
        for name in [
            "restart-immediate",
            "server-killed",
            "long-recovery",
            "backend-crashed",
            "out-of-memory",
            "disk-full",
            "wal-full",
            "failover-same-address",
            "failover-multi-host",
            "failover-next-address",
            "failover-dns",
        ] {
            let plan = plan(name, 0, 0, 1);
            assert!(plan.settings.iter().all(|(name, _)| name != "fsync"), "{name}");
        }
    }

    proptest! {
        #[test]
        fn equal_arguments_equal_bytes(seed: u64, repeat: u32, of: u32, which: prop::sample::Index) {
            let scenarios = catalogue();
            let scenario = which.get(&scenarios);
            let plan = Plan::new(scenario, "c", Seed(seed), repeat, of);
            prop_assert_eq!(json(&plan), json(&Plan::new(scenario, "c", Seed(seed), repeat, of)));
            let shift = plan.header.faults[0].at - scenario.faults[0].at;
            prop_assert!(shift < Duration::from_secs(1));
        }
    }
}
