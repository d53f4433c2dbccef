//! PgBouncer: its configuration and its log lines.
//!
//! Measured with 1.18: a client that was idle too long gets FATAL 08P01 `client_idle_timeout` and a FIN, in transaction
//! pooling only; in session pooling a client keeps its server session, and the timeout never applies. SIGTERM is "fast
//! exit": a FIN to every client, without an error. If a server ends, clients with one of its sessions get the server's
//! error and FATAL 08P01 `server conn crashed?`. While the server is down, PgBouncer itself signs clients in, and
//! refuses their first query with FATAL 08P01 `server login has been failing`.

use std::net::SocketAddr;

use crate::credentials::address::Address;

/// The name of the users file. It holds plain passwords, because PgBouncer needs them for both SCRAM exchanges: with
/// the client and with the server.
pub(super) const USERS: &str = "userlist.txt";

/// Default settings; a scenario's settings follow and override them.
const SETTINGS: [(&str, &str); 8] = [
    ("unix_socket_dir", ""),
    ("auth_type", "scram-sha-256"),
    ("pool_mode", "session"),
    // More than the maximum number of workers (256), with room for clients that open more connections.
    ("max_client_conn", "500"),
    // Below the server's default max_connections (100), of which superusers and the harness need some.
    ("default_pool_size", "80"),
    // Seconds. The default, 15, would dominate the time-to-recover after an outage.
    ("server_login_retry", "1"),
    // pgjdbc sends extra_float_digits in every startup packet; libpq clients set statement_timeout with options.
    // PgBouncer refuses startup parameters that it neither knows nor ignores, and options before version 1.20.
    ("ignore_startup_parameters", "extra_float_digits,options"),
    ("log_stats", "0"),
];

/// Returns the text of the configuration file. Connections to any database go to `server`.
pub(super) fn config(listen: SocketAddr, server: SocketAddr, settings: &[(String, String)]) -> String {
    let mut text = format!("[databases]\n* = host={} port={}\n\n[pgbouncer]\n", server.ip(), server.port());
    text += &format!("listen_addr = {}\nlisten_port = {}\nauth_file = {USERS}\n", listen.ip(), listen.port());
    let is_ours = |name: &str| !settings.iter().any(|(own, _)| own == name);
    for (name, value) in SETTINGS.iter().filter(|(name, _)| is_ours(name)) {
        text += format!("{name} = {value}").trim_end();
        text += "\n";
    }
    for (name, value) in settings {
        text += &format!("{name} = {value}\n");
    }
    text
}

/// Returns the text of [`USERS`], with quotes doubled.
pub(super) fn users(address: &Address) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{} {}\n", quoted(&address.user), quoted(&address.password))
}

/// Returns whether a log line reports a client disconnected by `client_idle_timeout`.
pub(super) fn is_expiry(line: &str) -> bool {
    line.contains(" LOG C-") && line.contains("closing because: client_idle_timeout")
}

/// Returns whether a log line reports that a client got FATAL 08P01 because the server was unreachable.
pub(super) fn is_refusal(line: &str) -> bool {
    let reasons = ["server conn crashed?", "server login has been failing", "query_wait_timeout", "connect failed"];
    line.contains(" WARNING C-")
        && line.split_once("pooler error: ").is_some_and(|(_, what)| reasons.iter().any(|known| what.contains(known)))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn scenario_settings_override_defaults() {
        let settings = [("client_idle_timeout", "2"), ("pool_mode", "transaction")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = config("127.0.0.1:11000".parse().unwrap(), "127.0.0.1:12000".parse().unwrap(), &settings);
        assert_snapshot!(config, @r"
        [databases]
        * = host=127.0.0.1 port=12000

        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = 11000
        auth_file = userlist.txt
        unix_socket_dir =
        auth_type = scram-sha-256
        max_client_conn = 500
        default_pool_size = 80
        server_login_retry = 1
        ignore_startup_parameters = extra_float_digits,options
        log_stats = 0
        client_idle_timeout = 2
        pool_mode = transaction
        ");
    }

    #[test]
    fn quotes_in_passwords_are_doubled() {
        let gateway: std::net::SocketAddr = "127.0.0.1:10432".parse().unwrap();
        let address = Address::plain(gateway, "u", "a\"b\\", "d");
        assert_eq!(users(&address), "\"u\" \"a\"\"b\\\"\n");
    }

    #[test]
    fn log_lines_are_classified() {
        const HEAD: &str = "2026-01-02 03:04:05.678 UTC [42]";
        let client = "C-0x55c364da5630: squall/squall@127.0.0.1:57158";
        let closed = format!("{HEAD} LOG {client} closing because: client_idle_timeout (age=2s)");
        let told = format!("{HEAD} WARNING {client} pooler error: client_idle_timeout");
        let crashed = format!("{HEAD} WARNING {client} pooler error: server conn crashed?");
        let failing = format!(
            "{HEAD} WARNING {client} pooler error: server login has been failing, try again later (server_login_retry)"
        );
        let left = format!("{HEAD} LOG {client} closing because: client unexpected eof (age=6s)");
        let server =
            format!("{HEAD} LOG S-0x1: squall/squall@127.0.0.1:1 closing because: server conn crashed? (age=0s)");
        let lines = [&closed, &told, &crashed, &failing, &left, &server];
        assert_eq!(lines.map(|line| is_expiry(line)), [true, false, false, false, false, false]);
        assert_eq!(lines.map(|line| is_refusal(line)), [false, false, true, true, false, false]);
    }
}
