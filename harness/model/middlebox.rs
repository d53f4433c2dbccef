//! The middlebox between gateway and server: a real program with its settings. Plain data; `environment` runs it.

use std::fmt;

use crate::model::words;
use serde::{Deserialize, Serialize};

words! {
    /// A program that stands in the path of every connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Program {
        /// A pool of server sessions that speaks the protocol itself: its own errors are FATAL 08P01.
        PgBouncer = "pgbouncer",
        /// A load balancer of TCP connections: it knows bytes, and no protocol.
        HaProxy = "haproxy",
    }
}

impl Program {
    /// Whether its sessions at the server are its own, kept when a client leaves, so that they say nothing of clients.
    pub fn pools_sessions(self) -> bool {
        self == Program::PgBouncer
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Program::PgBouncer => "PgBouncer",
            Program::HaProxy => "HAProxy",
        })
    }
}

/// A program in the path, and what a scenario says of its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Middlebox {
    pub through: Program,
    /// By name, each at most once, in the program's own words: `client_idle_timeout`, `timeout client`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

impl fmt::Display for Middlebox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.through)?;
        for (index, (name, value)) in self.settings.iter().enumerate() {
            write!(f, "{}{name} = {value}", if index == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_readable_and_is_read() {
        let settings = vec![("timeout client".to_owned(), "2s".to_owned())];
        let haproxy = Middlebox { through: Program::HaProxy, settings };
        let pgbouncer = Middlebox { through: Program::PgBouncer, settings: Vec::new() };
        for (middlebox, stored, shown) in [
            (haproxy, r#"{"through":"haproxy","settings":[["timeout client","2s"]]}"#, "HAProxy: timeout client = 2s"),
            (pgbouncer, r#"{"through":"pgbouncer"}"#, "PgBouncer"),
        ] {
            assert_eq!(serde_json::to_string(&middlebox).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Middlebox>(stored).unwrap(), middlebox);
            assert_eq!(middlebox.to_string(), shown);
        }
    }

    #[test]
    fn words_are_those_of_scenario_files() {
        for (word, program) in Program::ALL {
            assert_eq!((program.word(), program.to_string().to_ascii_lowercase().as_str()), (word, word));
        }
    }
}
