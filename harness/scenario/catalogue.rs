//! The scenarios that come with the program: their texts are part of it, so that they work from an empty folder.

use super::error::ScenarioError;
use super::{Scenario, near};

macro_rules! texts {
    ($($group:literal / $name:literal)*) => {
        &[$(Text {
            group: $group,
            name: $name,
            place: concat!("scenarios/", $group, "/", $name, ".toml"),
            text: include_str!(concat!("../../scenarios/", $group, "/", $name, ".toml")),
        }),*]
    };
}

struct Text {
    group: &'static str,
    name: &'static str,
    place: &'static str,
    text: &'static str,
}

/// Every file under `scenarios/`, in the order in which `pgsquall list` shows them; a test holds it complete.
const TEXTS: &[Text] = texts! {
    "connection"/"connection-closed"
    "connection"/"connection-reset"
    "connection"/"connection-reset-mid-query"
    "connection"/"connection-reset-in-transaction"
    "connection"/"commit-reply-lost"
    "connection"/"reply-truncated"
    "connection"/"connection-flapping"
    "connection"/"connection-reset-at-request"
    "connection"/"connection-reset-with-waiters"
    "connection"/"half-open"
    "network"/"blackhole"
    "network"/"blackhole-long"
    "network"/"one-way-blackhole"
    "network"/"packet-loss"
    "network"/"stall"
    "network"/"stall-with-deadline"
    "network"/"stall-established"
    "network"/"outage-outlasting"
    "network"/"connect-hang"
    "network"/"startup-stall"
    "network"/"tls-stall"
    "network"/"auth-stall"
    "network"/"slow-network"
    "network"/"slow-network-with-deadline"
    "network"/"low-bandwidth"
    "network"/"dns-unresolvable"
    "network"/"dns-failure"
    "network"/"dns-timeout"
    "network"/"dns-stale"
    "firewall"/"firewall-drop"
    "firewall"/"firewall-drop-new"
    "firewall"/"firewall-reject-reset"
    "firewall"/"firewall-reject-icmp"
    "firewall"/"firewall-terminate"
    "firewall"/"firewall-denied"
    "firewall"/"firewall-range"
    "firewall"/"firewall-outbound"
    "restart"/"restart-fast"
    "restart"/"restart-immediate"
    "restart"/"restart-smart"
    "restart"/"restart-while-idle"
    "restart"/"repeated-restarts"
    "restart"/"backend-crashed"
    "restart"/"session-terminated"
    "restart"/"server-killed"
    "restart"/"server-frozen"
    "restart"/"long-recovery"
    "failover"/"failover-same-address"
    "failover"/"failover-multi-host"
    "failover"/"failover-next-address"
    "failover"/"failover-demoted-primary"
    "failover"/"failover-wrong-node"
    "failover"/"failover-promoted-in-place"
    "failover"/"failover-old-primary-reachable"
    "failover"/"standby-listed-first"
    "failover"/"dead-address-first"
    "failover"/"refusing-address-first"
    "failover"/"failover-dns"
    "failover"/"dns-dead-address-first"
    "limits"/"connections-exhausted"
    "limits"/"reserved-slots-only"
    "limits"/"role-connection-limit"
    "limits"/"thundering-herd"
    "limits"/"out-of-memory"
    "limits"/"disk-full"
    "limits"/"wal-full"
    "limits"/"resource-pressure"
    "sign-in"/"wrong-password"
    "sign-in"/"wrong-user"
    "sign-in"/"wrong-database"
    "sign-in"/"wrong-host"
    "sign-in"/"wrong-port"
    "sign-in"/"password-rotated"
    "sign-in"/"not-permitted"
    "sign-in"/"connect-not-granted"
    "certificate"/"client-certificate-expired"
    "certificate"/"server-certificate-expired"
    "certificate"/"certificate-renewed"
    "certificate"/"server-certificate-wrong-host"
    "certificate"/"certificate-authority-changed"
    "certificate"/"client-certificate-unknown"
    "certificate"/"client-certificate-revoked"
    "certificate"/"not-yet-valid"
    "certificate"/"tls-required"
    "idle"/"idle-close"
    "idle"/"idle-drop"
    "idle"/"idle-keepalive"
    "idle"/"idle-server-push"
    "idle"/"idle-reset"
    "idle"/"idle-session-timeout"
    "idle"/"idle-in-transaction-timeout"
    "idle"/"statement-timeout"
    "idle"/"pgbouncer-idle"
    "idle"/"pgbouncer-restart"
    "idle"/"pgbouncer-server-lost"
    "idle"/"haproxy-idle"
    "listen"/"listen-closed"
    "listen"/"listen-reset"
    "listen"/"listen-restart"
    "listen"/"listen-idle-drop"
};

/// The folders of `scenarios/`, each with the cause that it stands for, in the words of the documents that name it.
const GROUPS: [(&str, &str); 10] = [
    ("connection", "Network instability: connections drop"),
    ("network", "Network instability; connection time-out; issues with the infrastructure"),
    ("firewall", "Firewall or security group changes"),
    ("restart", "Database restarts or maintenance"),
    ("failover", "Failover to new hardware"),
    ("limits", "Connection limit reached; resource exhaustion"),
    ("sign-in", "Incorrect sign-in information; user error"),
    ("certificate", "Client certificate expiration; SSL certificates"),
    ("idle", "Connection timeouts; load balancers and poolers"),
    ("listen", "A subscription: a connection that appears inactive"),
];

/// The documented cause that a folder of the catalogue stands for; `None` for what is no folder of it.
///
/// *Source*: Azure, "Troubleshoot connection issues to Hyperscale (Citus)"; Materialize, "Troubleshooting: Connection
/// closed".
pub fn cause_of(group: &str) -> Option<&'static str> {
    GROUPS.iter().find(|(folder, _)| *folder == group).map(|(_, cause)| *cause)
}

/// Every built-in scenario.
pub fn catalogue() -> Vec<Scenario> {
    // A file that does not parse fails a test, so that none is left out here.
    TEXTS.iter().filter_map(|text| parse(text).ok()).collect()
}

/// The built-in scenario of that name.
pub(super) fn built_in(name: &str) -> Result<Scenario, ScenarioError> {
    if let Some(text) = TEXTS.iter().find(|text| text.name == name) {
        return parse(text);
    }
    let names = || TEXTS.iter().map(|text| text.name);
    // A part of names tells what is looked for; else it is taken for a typing mistake.
    let mut near: Vec<_> = names().filter(|known| name.len() > 2 && known.contains(name)).collect();
    if near.is_empty() {
        near.extend(near::meant(name, names()));
    }
    let hint = match near.as_slice() {
        [] => "`pgsquall list` shows all names; a file of your own ends in .toml".to_owned(),
        near => format!("did you mean {}? `pgsquall list` shows all names", near.join(" or ")),
    };
    Err(ScenarioError::whole(name, "there is no scenario of this name", hint))
}

fn parse(text: &Text) -> Result<Scenario, ScenarioError> {
    Scenario::parse(text.name, text.group, text.place, text.text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::model::fault::Class;

    #[test]
    fn every_file_is_in_the_table() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files = BTreeSet::new();
        for folder in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
            let group = folder.file_name().unwrap().to_str().unwrap().to_owned();
            if !folder.is_dir() {
                assert!(!group.ends_with(".toml"), "{group} is in no folder, so it has no cause");
            } else if group != "adapters" {
                for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                    files.insert(format!("scenarios/{group}/{}", file.file_name().unwrap().to_str().unwrap()));
                }
            }
        }
        assert_eq!(TEXTS.iter().map(|text| text.place.to_owned()).collect::<BTreeSet<_>>(), files);
        // Groups follow each other as their causes do, and none comes twice.
        let mut groups: Vec<_> = TEXTS.iter().map(|text| text.group).collect();
        groups.dedup();
        assert_eq!(groups, GROUPS.map(|(group, _)| group));
    }

    #[test]
    fn every_file_is_a_scenario_that_says_what_it_asks() {
        for text in TEXTS {
            let scenario = parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert!(scenario.why.contains('?') && scenario.why.contains("Source:"), "{}: {}", text.name, scenario.why);
            assert!(!scenario.cause.is_empty(), "{} has no cause", text.name);
        }
        assert_eq!(catalogue().len(), TEXTS.len());
    }

    #[test]
    fn names_and_titles_are_unique() {
        let scenarios = catalogue();
        let count = |of: fn(&Scenario) -> &str| scenarios.iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(count(|scenario| &scenario.name), TEXTS.len());
        assert_eq!(count(|scenario| &scenario.title), TEXTS.len());
    }

    #[test]
    fn transient_problems_keep_to_the_documented_minute() {
        for scenario in catalogue().into_iter().filter(|scenario| scenario.class == Class::Transient) {
            assert!(scenario.budget.time_to_recover.as_secs() <= 60, "{}", scenario.name);
        }
    }
}
