//! Capabilities that a client declares beyond reads and writes, and those that a run needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ClientFacts;
use crate::model::pace::Pace;
use crate::model::topology::{SslMode, Topology};
use crate::model::words;

words! {
    /// An ability beyond reads and writes, by the word in a client's hello.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Capability {
        /// Several statements and a COMMIT; a client without it gets writes instead.
        Transaction = "transaction",
        /// The client subscribes to a channel and passes notifications on.
        Listen = "listen",
        /// The client cancels a call after the application's deadline, by the means of its library.
        Deadline = "deadline",
        /// The client tries several hosts, and settles on one that accepts writes if `target_session_attrs` requires it.
        MultiHost = "multi_host",
        /// The client verifies the server by TLS, and presents its own certificate if it has one.
        Tls = "tls",
    }
}

impl Capability {
    /// The capabilities that a run of this kind requires.
    pub fn needed(load: &Pace, layout: &Topology) -> Vec<Capability> {
        let needed = [
            (load.listen, Capability::Listen),
            (load.deadline.is_some(), Capability::Deadline),
            // The system's resolver handles one name with several addresses, for every client that uses it.
            (layout.hosts.len() > 1 && !layout.by_name, Capability::MultiHost),
            (layout.sslmode == SslMode::VerifyFull, Capability::Tls),
        ];
        needed.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, capability)| capability).collect()
    }
}

/// The capability in words, for the reason of a skip.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Transaction => "carry out transactions",
            Capability::Listen => "listen",
            Capability::Deadline => "cancel a call after a deadline",
            Capability::MultiHost => "try several hosts",
            Capability::Tls => "verify a server by TLS",
        })
    }
}

impl ClientFacts {
    /// Whether the client declares this capability.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.iter().any(|word| word == capability.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::topology::Host;

    #[test]
    fn a_plain_run_needs_nothing_and_others_what_they_ask_for() {
        assert_eq!(Capability::needed(&Pace::default(), &Topology::default()), []);
        let load = Pace { listen: true, deadline: Some(std::time::Duration::from_secs(1)), ..Pace::default() };
        let hosts = vec![Host::Primary, Host::Standby];
        let layout = Topology { hosts, sslmode: SslMode::VerifyFull, ..Topology::default() };
        let all = [Capability::Listen, Capability::Deadline, Capability::MultiHost, Capability::Tls];
        assert_eq!(Capability::needed(&load, &layout), all);
        assert_eq!(Capability::needed(&Pace::default(), &Topology { by_name: true, ..layout }), [Capability::Tls]);
    }
}
