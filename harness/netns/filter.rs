//! Packet filters between client and gateway: sets of nft rules, each installed in one transaction, read back, and
//! counted.
//!
//! A filter is a chain of its own at the same hook, so filters of several faults do not affect each other. A newer
//! one comes before the older ones, which do not see the packets that it drops (up to 149 filters). Its counters
//! survive its removal. Reading back compares the number of rules, not their text.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::iproute::Tool;
use super::namespace::NetNs;
use super::{CLIENT, GATEWAY, KernelError, PacketRule, Way};

/// The nft table of all chains and counters.
const TABLE: &str = "inet pgsquall";

/// A chain that tracks connections from their first packet on, so that a later filter can tell which are older than
/// itself.
const TRACK: &str = "table inet pgsquall {\n chain track {\n  type filter hook forward priority -150; policy accept;\n  \
                     ct state new,established,invalid counter\n }\n}\n";

/// Number of filters after which priorities repeat. All of them come after the tracking chain, whose priority is
/// -150.
const LATEST: u64 = 150;

/// Number of pairs of mark bits. Filters take them in turn, so the sixteenth shares its pair with the first.
const MARKS: u64 = 15;

/// Returns the nft match for one direction of packets.
fn match_direction(way: Way) -> String {
    match way {
        Way::Up => format!("iifname \"{CLIENT}\" oifname \"{GATEWAY}\""),
        Way::Down => format!("iifname \"{GATEWAY}\" oifname \"{CLIENT}\""),
    }
}

/// A filter that is or was in force.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(super) chain: String,
    /// Number of rules installed.
    rules: usize,
    counted: Vec<&'static str>,
    /// Whether the harness has removed it.
    is_removed: AtomicBool,
}

impl Filter {
    pub(super) fn counter(&self, index: usize) -> String {
        format!("{}_{index}", self.chain)
    }
}

/// Starts connection tracking.
pub(super) async fn track(nft: &Tool, netns: &NetNs) -> Result<(), KernelError> {
    nft.run(netns, &["-f", "-"], TRACK, []).await.map(|_| ())
}

/// Installs rules in one transaction; returns once they have been read back. `number` is unique to the filter.
///
/// *Errors*: `nft` rejects a rule, or does not list as many as were installed.
pub(super) async fn install(
    nft: &Tool,
    netns: &NetNs,
    number: u64,
    rules: &[PacketRule],
) -> Result<Filter, KernelError> {
    let chain = format!("fault{number}");
    let mut filter = Filter { chain, rules: rules.len(), counted: Vec::new(), is_removed: AtomicBool::new(false) };
    for counted in rules.iter().filter_map(|rule| rule.counted) {
        if !filter.counted.contains(&counted) {
            filter.counted.push(counted);
        }
    }
    let chain = &filter.chain;
    let mut text = String::new();
    // Writing to a String cannot fail.
    for index in 0..filter.counted.len() {
        let _ = writeln!(text, "add counter {TABLE} {}", filter.counter(index));
    }
    let priority = format!("-{}", number % LATEST);
    let hook = format!("type filter hook forward priority {priority}; policy accept;");
    let _ = writeln!(text, "add chain {TABLE} {chain} {{ {hook} }}");
    for rule in rules {
        let index = rule.counted.and_then(|counted| filter.counted.iter().position(|known| *known == counted));
        let counter = index.map(|index| format!("counter name {}", filter.counter(index))).unwrap_or_default();
        let PacketRule { way, matches, verdict, .. } = rule;
        let _ = writeln!(text, "add rule {TABLE} {chain} {} {matches} {counter} {verdict}", match_direction(*way));
    }
    let bit = |place: u64| format!("{:#x}", 1_u64 << (2 * (number % MARKS) + place));
    let text = text.replace("%mark", &bit(0)).replace("%second", &bit(1));
    nft.run(netns, &["-f", "-"], &text, []).await?;
    verify(nft, netns, &filter).await?;
    Ok(filter)
}

/// Removes a filter; returns once `nft` no longer lists it. A second call does nothing.
///
/// *Errors*: `nft` fails, or another program changed or removed the filter, at an unknown time; the rest is removed
/// even so.
pub(super) async fn remove(nft: &Tool, netns: &NetNs, filter: &Filter) -> Result<(), KernelError> {
    let chain = &filter.chain;
    if filter.is_removed.load(Ordering::Acquire) {
        return Ok(());
    }
    let was_there = verify(nft, netns, filter).await;
    // Another program may have removed only a part.
    if rules_in_force(nft, netns, chain).await?.is_some() {
        let text = format!("flush chain {TABLE} {chain}\ndelete chain {TABLE} {chain}\n");
        nft.run(netns, &["-f", "-"], &text, []).await?;
    }
    match rules_in_force(nft, netns, chain).await? {
        None => filter.is_removed.store(true, Ordering::Release),
        Some(found) => return Err(KernelError::NotInForce { chain: chain.clone(), expected: 0, found }),
    }
    was_there
}

/// Verifies that the chain of a filter is at its hook and has as many rules as were installed.
async fn verify(nft: &Tool, netns: &NetNs, filter: &Filter) -> Result<(), KernelError> {
    match rules_in_force(nft, netns, &filter.chain).await? {
        Some(found) if found == filter.rules => Ok(()),
        found => {
            let (chain, expected) = (filter.chain.clone(), filter.rules);
            Err(KernelError::NotInForce { chain, expected, found: found.unwrap_or(0) })
        }
    }
}

/// Returns the packets counted by each counter of a filter, with the counter's name.
pub(super) async fn count(nft: &Tool, netns: &NetNs, filter: &Filter) -> Result<Vec<(&'static str, u64)>, KernelError> {
    let listed = list(nft, netns, "counters").await?;
    let packets = |name: &str| {
        let counters = listed.iter().filter_map(|object| object.get("counter"));
        let found = counters.filter(|counter| counter["name"] == name);
        found.filter_map(|counter| counter["packets"].as_u64()).next_back()
    };
    let count = |(index, arguments): (usize, &&'static str)| {
        let name = filter.counter(index);
        packets(&name).map(|count| (*arguments, count)).ok_or(KernelError::NoCounter(name))
    };
    filter.counted.iter().enumerate().map(count).collect()
}

/// Returns the number of rules in a chain; `None` if there is no such chain.
async fn rules_in_force(nft: &Tool, netns: &NetNs, chain: &str) -> Result<Option<usize>, KernelError> {
    let listed = list(nft, netns, "table").await?;
    let is_there = listed.iter().any(|object| object["chain"]["name"] == chain && object["chain"]["hook"] == "forward");
    let rules = listed.iter().filter(|object| object["rule"]["chain"] == chain).count();
    Ok(is_there.then_some(rules))
}

/// Lists nft objects of the table: `what` is "table" or "counters".
async fn list(nft: &Tool, netns: &NetNs, what: &str) -> Result<Vec<Value>, KernelError> {
    let mut arguments = vec!["-j", "list", what];
    if what == "counters" {
        arguments.push("table");
    }
    arguments.extend(TABLE.split(' '));
    let text = nft.run(netns, &arguments, "", []).await?;
    let answer: Value = serde_json::from_str(&text)
        .map_err(|error| KernelError::Tool { command: arguments.join(" "), reason: error.to_string() })?;
    Ok(answer["nftables"].as_array().cloned().unwrap_or_default())
}
