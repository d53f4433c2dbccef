//! Capabilities that a client declares beyond reads and writes, and those that a run needs.

use std::fmt;

use super::ClientFacts;
use crate::model::pace::Pace;
use crate::model::topology::{SslMode, Topology};

/// One thing that not every client can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// Several statements and a COMMIT; a client without it gets writes instead.
    Transaction,
    /// It subscribes, and hands on notifications.
    Listen,
    /// It cancels a call after the application's deadline, by the means of its library.
    Deadline,
    /// It tries several hosts, and settles on one that takes writes if `target_session_attrs` requires it.
    MultiHost,
    /// It verifies the server by TLS, and shows a certificate of its own where it has one.
    Tls,
}

impl Capability {
    /// Every capability, by the word in a client's hello.
    pub const ALL: [(&str, Capability); 5] = [
        ("transaction", Capability::Transaction),
        ("listen", Capability::Listen),
        ("deadline", Capability::Deadline),
        ("multi_host", Capability::MultiHost),
        ("tls", Capability::Tls),
    ];

    /// The word in a client's hello.
    pub fn word(self) -> &'static str {
        // Every one of them is there.
        Capability::ALL.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }

    /// Without which a run of this kind says nothing about a client.
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
    /// Whether the client says that it can do this.
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
