//! The doctor: the documented checks, asked of a live server by its URL.
//!
//! *Gathering* (`gather`) goes the way that a client goes, in stages (DNS, TCP, TLS, sign-in), each with a deadline and
//! timed, and then asks the server what it may be asked. *Judging* (`judge`) is pure: gathered `facts` become
//! [`Finding`]s, one file for each topic. `text` prints them; JSON is serde's.
//!
//! It reads and never changes anything, needs no superuser, and prints no password. It says what it could not read.

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

/// How long one stage, and one question to the server, may take unless the caller says otherwise: a healthy path needs
/// less than a second, and a SYN that is lost once is sent again within three.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be examined, and how.
pub struct Examination {
    pub target: Target,
    /// After how long a device of the caller's own forgets an idle connection; where `None`, what is documented of the
    /// provider that the host's name belongs to.
    pub idle_timeout: Option<Duration>,
    /// Longest for one stage, one address or one question.
    pub patience: Duration,
}

/// Goes to the server and judges what was found.
///
/// *Shape*: a server that cannot be reached is a finding of the stage that failed, never an error. It ends: each
/// stage and each question has its deadline.
pub async fn examine(examination: &Examination) -> Diagnosis {
    let facts = gather::gather(&examination.target, examination.patience).await;
    judge::judge(&facts, &Circumstances { idle_timeout: examination.idle_timeout, now: SystemTime::now() })
}

/// What judging needs beside the facts.
struct Circumstances {
    idle_timeout: Option<Duration>,
    now: SystemTime,
}
