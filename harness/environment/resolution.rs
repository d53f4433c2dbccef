//! A host name that never exists, and the check that this machine's resolver reports it as missing.

use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// A reserved name that no host can have.
///
/// *Source*: RFC 6761, section 6.4.
pub(crate) const NOBODYS_NAME: &str = "pgsquall.invalid";

/// Longest wait for the resolver's answer that the name does not exist. A slower resolver would be another fault:
/// clients would wait instead of getting an error.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Checks with this machine's resolver, which clients use, that the name does not exist.
///
/// *Errors*: the name resolves, or there is no answer in time; for reports.
pub(crate) async fn leads_nowhere() -> Result<(), String> {
    match timeout(ANSWER_WITHIN, lookup_host((NOBODYS_NAME, 0))).await {
        Ok(Err(_)) => Ok(()),
        Ok(Ok(found)) => Err(format!(
            "{NOBODYS_NAME} must not resolve, but this machine's resolver returns {} addresses; use one that does not",
            found.count()
        )),
        Err(_) => Err(format!(
            "this machine's resolver did not answer within {} that {NOBODYS_NAME} does not exist; check its name server",
            crate::model::time::show(ANSWER_WITHIN)
        )),
    }
}
