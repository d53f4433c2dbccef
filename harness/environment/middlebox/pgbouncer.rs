//! PgBouncer: its configuration, and what its log says.
//!
//! Measured with 1.18: a client that was idle too long gets FATAL 08P01 `client_idle_timeout` and a FIN, in transaction
//! pooling only; in session pooling a client keeps its server session, and is never too idle. SIGTERM is "fast exit": a
//! FIN to everybody and no error. A server that goes away is told to clients that hold one of its sessions, after what
//! the server itself said, as FATAL 08P01 `server conn crashed?`. While there is no server, PgBouncer signs clients in
//! by itself and refuses their first query with FATAL 08P01 `server login has been failing`.

use std::net::SocketAddr;

use crate::credentials::address::Address;

/// Who may sign in: PgBouncer uses the plain password for both SCRAM exchanges, the client's and its own.
pub(super) const USERS: &str = "userlist.txt";

/// Settings of every PgBouncer; a scenario's own come after and win.
const SETTINGS: [(&str, &str); 8] = [
    ("unix_socket_dir", ""),
    ("auth_type", "scram-sha-256"),
    ("pool_mode", "session"),
    // More than any load has workers (256), and then some for pools that grow.
    ("max_client_conn", "500"),
    // Below the server's default max_connections (100), of which superusers and the harness need some.
    ("default_pool_size", "80"),
    // Seconds. Its default, 15, would be most of what is measured after an outage.
    ("server_login_retry", "1"),
    // JDBC's driver sends the one with every startup packet; the other is how clients of libpq set a statement_timeout.
    // PgBouncer lets nobody in who sends what it is not told to ignore, and the options before its version 1.20.
    ("ignore_startup_parameters", "extra_float_digits,options"),
    ("log_stats", "0"),
];

/// The text of its configuration file.
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

/// The text of [`USERS`]; a quote is doubled.
pub(super) fn users(address: &Address) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    format!("{} {}\n", quoted(&address.user), quoted(&address.password))
}

/// Whether a line says that a client was sent away for having been idle.
pub(super) fn is_expiry(line: &str) -> bool {
    line.contains(" LOG C-") && line.contains("closing because: client_idle_timeout")
}

/// Whether a line says that a client was told FATAL 08P01 for want of a server.
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
    fn a_scenarios_settings_take_the_place_of_ours() {
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
    fn any_password_can_be_written_down() {
        let gateway: std::net::SocketAddr = "127.0.0.1:10432".parse().unwrap();
        let address = Address::plain(gateway, "u", "a\"b\\", "d");
        assert_eq!(users(&address), "\"u\" \"a\"\"b\\\"\n");
    }

    #[test]
    fn lines_of_its_log_are_told_apart() {
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
