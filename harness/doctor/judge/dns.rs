//! Judges DNS: whether the name resolves, and how fast.

use std::time::Duration;

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "Azure, \"Troubleshoot connection issues\": mistyped server name; man 5 resolv.conf";

/// A resolver slower than this has probably waited for a name server that did not answer; every new connection waits
/// too.
///
/// *Source*: man 5 resolv.conf, `timeout`: 5 s for each name server; a healthy one answers within milliseconds.
const SLOW: Duration = Duration::from_secs(1);

pub(super) fn judge(facts: &Facts) -> Option<Finding> {
    let lookup = facts.lookup.as_ref()?;
    let host = &facts.host;
    let finding = match &lookup.result {
        Err(reason) => Finding::problem(
            Topic::Dns,
            format!("{host}: {reason}"),
            format!(
                "is the name right (getent hosts {host})? can this machine reach its name servers, or the VPN that \
                 resolves the name? the name of a new or moved server may take minutes to appear"
            ),
            SOURCE,
        ),
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let value = format!("{host} resolves to {}", addresses.join(", "));
            match lookup.took > SLOW {
                false => Finding::ok(Topic::Dns, value, SOURCE),
                true => Finding::notice(
                    Topic::Dns,
                    value,
                    "every new connection waits this long: look for a dead name server in /etc/resolv.conf",
                    SOURCE,
                ),
            }
        }
    };
    Some(finding.timed(lookup.took))
}
