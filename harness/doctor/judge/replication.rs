//! Judges replication slots: inactive ones, the WAL they keep, and invalidated ones.

use super::Settings;
use crate::doctor::facts::{ServerFacts, Slot};
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "PostgreSQL manual, pg_replication_slots and \"Sending Servers\": max_slot_wal_keep_size";

pub(super) fn judge(server_facts: &ServerFacts) -> Vec<Finding> {
    let topic = Topic::ReplicationSlots;
    let slots = match &server_facts.slots {
        Ok(found) => &found.slots,
        Err(failure) => {
            return vec![Finding::unreadable(topic, "slots", &failure.text, "pg_monitor", SOURCE)];
        }
    };
    let settings = server_facts.settings.as_ref().ok();
    let max = settings.and_then(|settings| settings.get("max_replication_slots")?.number());
    let of = max.map(|max| format!(" of {max}")).unwrap_or_default();
    let active = slots.iter().filter(|slot| slot.active).count();
    let mut findings = vec![Finding::ok(topic, format!("{}{of} in use, {active} active", slots.len()), SOURCE)];
    findings.extend(slots.iter().filter_map(|slot| judge_slot(slot, settings)));
    findings
}

/// The finding for a slot with a problem.
fn judge_slot(slot: &Slot, settings: Option<&Settings>) -> Option<Finding> {
    let topic = Topic::ReplicationSlots;
    let retained = slot.retained.unwrap_or(0).max(0);
    let since = slot.inactive_since.as_ref().map(|since| format!(" since {since}")).unwrap_or_default();
    let state = if slot.active { "active".to_owned() } else { format!("inactive{since}") };
    let value = format!("{} ({}) is {state} and keeps {} of WAL", slot.slot_name, slot.slot_type, bytes(retained));
    let lost = slot.wal_status.as_deref() == Some("lost") || slot.conflicting == Some(true);
    if lost || slot.invalidation_reason.is_some() {
        let reason = slot.invalidation_reason.as_deref().unwrap_or("its WAL is gone, or conflicts with recovery");
        return Some(Finding::problem(
            topic,
            format!("{} ({}) is invalidated: {reason}", slot.slot_name, slot.slot_type),
            "its consumer cannot resume: drop the slot, and start the consumer with a new snapshot",
            SOURCE,
        ));
    }
    if slot.wal_status.as_deref() == Some("unreserved") {
        return Some(Finding::problem(
            topic,
            format!("{value}, more than max_slot_wal_keep_size"),
            "the next checkpoint invalidates it: make its consumer catch up now, or raise max_slot_wal_keep_size",
            SOURCE,
        ));
    }
    if slot.active {
        return None;
    }
    let unlimited = settings.and_then(|settings| settings.get("max_slot_wal_keep_size")?.number()) == Some(-1);
    Some(match unlimited && slot.retained.is_some() {
        true => Finding::problem(
            topic,
            format!("{value}, without limit (max_slot_wal_keep_size = -1)"),
            "its consumer is not connected: restart it, or drop the slot (pg_drop_replication_slot), before the disk is full",
            SOURCE,
        ),
        false => Finding::notice(
            topic,
            value,
            "its consumer is not connected: restart it before the slot is invalidated, or drop the slot",
            SOURCE,
        ),
    })
}

/// Bytes in the largest fitting unit.
fn bytes(count: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    fn slot(json: &str) -> Option<Finding> {
        let with_name = format!(r#"{{"slot_name":"s","slot_type":"logical",{json}}}"#);
        judge_slot(&serde_json::from_str(&with_name).unwrap(), None)
    }

    #[test]
    fn lost_slots_of_versions_13_to_17() {
        for json in [
            r#""active":false,"wal_status":"lost","retained":null"#,
            r#""active":false,"wal_status":"reserved","conflicting":true,"retained":4"#,
            r#""active":false,"wal_status":"lost","invalidation_reason":"wal_removed","retained":null"#,
        ] {
            let finding = slot(json).unwrap();
            assert_eq!(finding.level, Level::Problem);
            assert!(finding.value.contains("invalidated"), "{finding:?}");
        }
    }

    #[test]
    fn active_slot_is_no_finding() {
        assert_eq!(slot(r#""active":true,"wal_status":"extended","retained":9999999"#), None);
        let behind = slot(r#""active":true,"wal_status":"unreserved","retained":9999999"#).unwrap();
        assert!(behind.level == Level::Problem && behind.value.contains("9.5 MB"), "{behind:?}");
    }

    #[test]
    fn bytes_in_the_unit_that_fits() {
        assert_eq!([512, 2048, 16 << 20, 3 << 40].map(bytes), ["512 B", "2.0 kB", "16.0 MB", "3.0 TB"]);
    }
}
