//! The scenarios that come with the program: their texts are part of it, so that they work from an empty folder.

use super::error::ScenarioError;
use super::{Scenario, near};

/// One file under `scenarios/`.
struct Text {
    group: &'static str,
    name: &'static str,
    text: &'static str,
}

/// Every file that the build script `embed.rs` found.
const TEXTS: &[Text] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// The folders of `scenarios/`, each with its documented cause, as the source words it.
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

/// Returns the documented cause of a folder of the catalogue; `None` for an unknown folder.
///
/// *Source*: Azure, "Troubleshoot connection issues to Hyperscale (Citus)"; Materialize, "Troubleshooting: Connection
/// closed".
pub fn cause_of(group: &str) -> Option<&'static str> {
    GROUPS.iter().find(|(folder, _)| *folder == group).map(|(_, cause)| *cause)
}

/// Returns every file in the order of `pgsquall list`: folders in the order of their causes, files by their key
/// `order`.
fn texts() -> impl Iterator<Item = &'static Text> {
    GROUPS.iter().flat_map(|(group, _)| TEXTS.iter().filter(move |text| text.group == *group))
}

/// Returns every built-in scenario.
pub fn catalogue() -> Vec<Scenario> {
    // A test parses every file, so none is left out here.
    texts().filter_map(|text| parse(text).ok()).collect()
}

/// Returns the built-in scenario with this name.
pub(super) fn built_in(name: &str) -> Result<Scenario, ScenarioError> {
    if let Some(text) = texts().find(|text| text.name == name) {
        return parse(text);
    }
    let names = || texts().map(|text| text.name);
    // If the text is a part of names, these are suggested; otherwise it counts as a typing mistake.
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
    let place = format!("scenarios/{}/{}.toml", text.group, text.name);
    Scenario::parse(text.name, text.group, &place, text.text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::model::fault::Class;

    #[test]
    fn every_file_is_found() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files = BTreeSet::new();
        for folder in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
            let group = folder.file_name().unwrap().to_str().unwrap().to_owned();
            if !folder.is_dir() {
                assert!(!group.ends_with(".toml"), "{group} is in no folder, so it has no cause");
            } else if group != "adapters" {
                assert!(cause_of(&group).is_some(), "scenarios/{group}/ has no cause: add it to GROUPS");
                for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                    files.insert(format!("{group}/{}", file.file_stem().unwrap().to_str().unwrap()));
                }
            }
        }
        assert_eq!(texts().map(|text| format!("{}/{}", text.group, text.name)).collect::<BTreeSet<_>>(), files);
    }

    #[test]
    fn files_are_in_the_order_of_their_key() {
        for (group, first) in
            [("connection", "connection-closed"), ("network", "blackhole"), ("limits", "connections-exhausted")]
        {
            assert_eq!(texts().find(|text| text.group == group).unwrap().name, first);
        }
        let places = texts().map(|text| text.text.lines().find_map(|line| line.strip_prefix("order = ")));
        let places: Vec<u32> = places.map(|place| place.map_or(u32::MAX, |place| place.parse().unwrap())).collect();
        let groups = texts().map(|text| text.group);
        let placed: Vec<_> = groups.zip(places).collect();
        assert!(placed.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 <= pair[1].1));
    }

    #[test]
    fn every_file_is_a_scenario_that_says_what_it_asks() {
        for text in texts() {
            let scenario = parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert!(scenario.why.contains('?') && scenario.why.contains("Source:"), "{}: {}", text.name, scenario.why);
            assert!(scenario.why.contains("\nEvidence: "), "{} does not say what proves its faults", text.name);
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
