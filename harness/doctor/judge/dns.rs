//! DNS: does the name lead anywhere, and how soon?

use std::time::Duration;

use crate::doctor::facts::Facts;
use crate::doctor::finding::{Finding, Topic};

const SOURCE: &str = "Azure, \"Troubleshoot connection issues\": mistyped server name; man 5 resolv.conf";

/// A resolver that takes longer has asked a name server that did not answer: every connection waits for it.
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
                "is the name right (getent hosts {host})? does this machine reach its name servers, or the VPN that has \
                 the name? a server that was just made or moved may take minutes to get its name"
            ),
            SOURCE,
        ),
        Ok(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            let value = format!("{host} is {}", addresses.join(", "));
            match lookup.took > SLOW {
                false => Finding::ok(Topic::Dns, value, SOURCE),
                true => Finding::notice(
                    Topic::Dns,
                    value,
                    "every new connection waits so long: look for a dead name server in /etc/resolv.conf",
                    SOURCE,
                ),
            }
        }
    };
    Some(finding.timed(lookup.took))
}
