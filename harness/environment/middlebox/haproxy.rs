//! HAProxy in TCP mode: its configuration and its log lines.
//!
//! Measured with 2.6: when `timeout client` or `timeout server` expires, HAProxy closes both sides at the same instant:
//! the client gets a FIN, and an RST if it sends anything afterwards; the server gets a FIN and at once an RST. During
//! a query that takes longer than the timeout, the connection counts as idle: the client gets only the FIN, while the
//! server continues the query.

use std::net::SocketAddr;

/// Default settings; a scenario's settings replace them. Timeouts are set because HAProxy warns without them; an hour
/// is far longer than any run.
const SETTINGS: [(&str, &str); 4] =
    [("timeout connect", "5s"), ("timeout client", "1h"), ("timeout server", "1h"), ("retries", "0")];

/// Returns the text of the configuration file. One thread is enough for the load.
pub(super) fn config(listen: SocketAddr, server: SocketAddr, settings: &[(String, String)]) -> String {
    let mut text = "global\n  log stdout format raw local0\n  nbthread 1\n\n\
                    defaults\n  mode tcp\n  log global\n  option tcplog\n"
        .to_owned();
    let is_ours = |name: &str| !settings.iter().any(|(own, _)| own == name);
    for (name, value) in SETTINGS.iter().filter(|(name, _)| is_ours(name)) {
        text += &format!("  {name} {value}\n");
    }
    for (name, value) in settings {
        text += &format!("  {name} {value}\n");
    }
    text + &format!("\nlisten postgres\n  bind {listen}\n  server postgres {server}\n")
}

/// Returns whether a log line reports a connection closed by the client's or the server's idle timeout.
pub(super) fn is_expiry(line: &str) -> bool {
    matches!(termination(line), Some("cD" | "sD"))
}

/// Returns whether a log line reports a client disconnected because the server was unreachable or disconnected.
pub(super) fn is_refusal(line: &str) -> bool {
    matches!(termination(line), Some("SC" | "sC" | "SD"))
}

/// Returns the termination state of a connection from its log line; `None` for other lines.
///
/// *Source*: HAProxy configuration manual, "TCP log format" and "Session state at disconnection".
fn termination(line: &str) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let state = fields.nth(6)?;
    // "127.0.0.1:32790 [21/Nov/2026:11:54:51.523] postgres postgres/postgres 1/0/2002 514 cD 1/1/0/0/0 0/0"
    (line.contains(" postgres/") && state.len() == 2).then_some(state)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn scenario_settings_replace_defaults() {
        let settings = ["timeout client", "timeout server"].map(|name| (name.to_owned(), "2s".to_owned()));
        let config = config("127.0.0.1:11000".parse().unwrap(), "127.0.0.1:12000".parse().unwrap(), &settings);
        assert_snapshot!(config, @r"
        global
          log stdout format raw local0
          nbthread 1

        defaults
          mode tcp
          log global
          option tcplog
          timeout connect 5s
          retries 0
          timeout client 2s
          timeout server 2s

        listen postgres
          bind 127.0.0.1:11000
          server postgres 127.0.0.1:12000
        ");
    }

    #[test]
    fn log_lines_are_classified() {
        let line = |state| {
            format!(
                "127.0.0.1:3279 [21/Nov/2026:11:54:51.523] postgres postgres/postgres 1/0/2002 514 {state} 1/1/0/0/0 0/0"
            )
        };
        let ends = ["cD", "sD", "--", "SC", "SD", "CD"].map(line);
        assert_eq!(ends.each_ref().map(|line| is_expiry(line)), [true, true, false, false, false, false]);
        assert_eq!(ends.each_ref().map(|line| is_refusal(line)), [false, false, false, true, true, false]);
        assert!(!is_expiry("[NOTICE]   (1) : haproxy version is 2.6.12-1+deb12u4 cD") && !is_refusal(""));
    }
}
