//! A name of a host that is nobody's, and whether this machine's resolver says so.

use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// Reserved never to be anybody's.
///
/// *Source*: RFC 6761, section 6.4.
pub(crate) const NOBODYS_NAME: &str = "pgsquall.invalid";

/// Longest for a resolver to say that there is no such name. One that takes longer, because nobody answers it, makes
/// another fault of it: clients would wait, and not be told.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Asks the resolver that clients ask.
///
/// *Errors*: it finds the name, or says nothing in time; in words that can stand in a report.
pub(crate) async fn leads_nowhere() -> Result<(), String> {
    match timeout(ANSWER_WITHIN, lookup_host((NOBODYS_NAME, 0))).await {
        Ok(Err(_)) => Ok(()),
        Ok(Ok(found)) => Err(format!(
            "{NOBODYS_NAME} resolves here, to {} addresses: this machine's resolver makes answers up",
            found.count()
        )),
        Err(_) => Err(format!(
            "this machine's resolver did not say within {} that there is no {NOBODYS_NAME}: does its name server answer?",
            crate::model::time::show(ANSWER_WITHIN)
        )),
    }
}
