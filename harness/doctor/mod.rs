//! The doctor: checks a live server, given by its URL, against documented recommendations.
//!
//! *Gathering* (`gather`) connects as a client does, in stages (DNS, TCP, TLS, sign-in), each timed and with a time
//! limit, and then queries the server. *Judging* (`judge`) is pure: gathered `facts` become [`Finding`]s, one file per
//! topic. `text` prints them; JSON is serde's.
//!
//! The doctor changes nothing, needs no superuser, and prints no password. A fact that it cannot read is a finding.

mod diagnosis;
mod facts;
mod finding;
mod gather;
mod judge;
mod provider;
mod target;
#[cfg(test)]
mod tests;
mod text;

use std::time::{Duration, SystemTime};

pub use self::diagnosis::{Diagnosis, FORMAT};
pub use self::finding::{Finding, Level, Stage, Topic};
pub use self::target::{BadUrl, Target};

/// The default time limit of one stage and of one query: a healthy path needs less than a second, and the kernel
/// repeats a lost SYN within three seconds.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The target and limits of an examination.
pub struct Examination {
    pub target: Target,
    /// The idle time after which a device known to the caller drops connections; if `None`, the documented figures of
    /// the host's provider apply.
    pub idle_timeout: Option<Duration>,
    /// Time limit of one stage, one address or one query.
    pub patience: Duration,
}

/// Examines a server and judges the facts.
///
/// *Shape*: if the server cannot be reached, that is a finding of the stage that failed, never an error. The call
/// always ends, because each stage and each query has a time limit.
pub async fn examine(examination: &Examination) -> Diagnosis {
    let facts = gather::gather(&examination.target, examination.patience).await;
    judge::judge(&facts, &Circumstances { idle_timeout: examination.idle_timeout, now: SystemTime::now() })
}

/// The inputs of judging besides the facts.
struct Circumstances {
    idle_timeout: Option<Duration>,
    now: SystemTime,
}
