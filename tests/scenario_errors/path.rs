//! Mistakes in `[path]`, the middlebox and its settings, and faults that need a middlebox in a scenario without one.

use insta::assert_snapshot;

use crate::{CLOSE, body};

/// Returns the error for a line in `[path.settings]` with this program.
fn setting(program: &str, line: &str) -> String {
    body(&format!("{CLOSE}[path]\nthrough = \"{program}\"\n[path.settings]\n{line}\n"))
}

#[test]
fn middlebox_program() {
    assert_snapshot!(body(&format!("{CLOSE}[path]\n")), @r#"
    mine.toml:6:1: the path has no `through`
      [path]
      ^^^^^^
    hint: say what connections pass through: through = "pgbouncer" or "haproxy"
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[path]\nthrough = \"pgbuoncer\"\n")), @r#"
    mine.toml:7:11: unknown program in the path "pgbuoncer"
      through = "pgbuoncer"
                ^^^^^^^^^^^
    hint: did you mean "pgbouncer"? there are: pgbouncer, haproxy
    "#);
    assert_snapshot!(body(&format!("{CLOSE}[path]\nthrough = \"haproxy\"\nport = 5433\n")), @r#"
    mine.toml:8:1: unknown key "port"
      port = 5433
      ^^^^
    hint: keys here: through, settings
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"middlebox-restart\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: middlebox-restart needs something in the path to the server
      kind = "middlebox-restart"
             ^^^^^^^^^^^^^^^^^^^
    hint: add [path] with through = "pgbouncer" or "haproxy"
    "#);
    let rotation = "[[fault]]\nkind = \"rotate-password\"\nat = \"2s\"\nfor = \"3s\"\n[client]\npassword = \"file\"\n";
    assert_snapshot!(body(&format!("{rotation}[path]\nthrough = \"pgbouncer\"\n")), @r#"
    mine.toml:4:8: rotate-password changes the server's password, and PgBouncer has its own list of passwords
      kind = "rotate-password"
             ^^^^^^^^^^^^^^^^^
    hint: remove [path], or write through = "haproxy"
    "#);
    assert_snapshot!(body("[[fault]]\nkind = \"idle-expiry\"\nat = \"2s\"\nfor = \"3s\"\n"), @r#"
    mine.toml:4:8: idle-expiry needs something in the path to the server
      kind = "idle-expiry"
             ^^^^^^^^^^^^^
    hint: add [path] with through = "pgbouncer" or "haproxy"
    "#);
}

#[test]
fn settings_of_pgbouncer() {
    assert_snapshot!(setting("pgbouncer", "listen_port = 6432"), @r#"
    mine.toml:9:1: `listen_port` belongs to the harness
      listen_port = 6432
      ^^^^^^^^^^^
    hint: leave it out: pgsquall needs it to reach PgBouncer
    "#);
    assert_snapshot!(setting("pgbouncer", "\"timeout client\" = \"2s\""), @r#"
    mine.toml:9:1: "timeout client" is not the name of a setting of PgBouncer
      "timeout client" = "2s"
      ^^^^^^^^^^^^^^^^
    hint: small letters, digits and `_`, like client_idle_timeout
    "#);
    assert_snapshot!(setting("pgbouncer", "client_idle_timeout = \"2\\nlogfile = /tmp/x\""), @r#"
    mine.toml:9:23: `client_idle_timeout` cannot have this value
      client_idle_timeout = "2\nlogfile = /tmp/x"
                            ^^^^^^^^^^^^^^^^^^^^^
    hint: one line of text, a number, true or false
    "#);
    assert_snapshot!(setting("pgbouncer", "\"[users]\" = 1"), @r#"
    mine.toml:9:1: "[users]" is not the name of a setting of PgBouncer
      "[users]" = 1
      ^^^^^^^^^
    hint: small letters, digits and `_`, like client_idle_timeout
    "#);
}

#[test]
fn settings_of_haproxy() {
    assert_snapshot!(setting("haproxy", "timeout.client = \"2s\""), @r#"
    mine.toml:9:1: "timeout" is no setting of HAProxy that a scenario may have
      timeout.client = "2s"
      ^^^^^^^
    hint: "timeout client", "timeout server" and the like, or retries
    "#);
    assert_snapshot!(setting("haproxy", "bind = \"*:80\""), @r#"
    mine.toml:9:1: "bind" is no setting of HAProxy that a scenario may have
      bind = "*:80"
      ^^^^
    hint: "timeout client", "timeout server" and the like, or retries
    "#);
    assert_snapshot!(setting("haproxy", "\"timeout client\" = \"2s\"\n\"timeout  client\" = \"3s\""), @r#"
    mine.toml:9:1: `timeout client` is set twice
      "timeout client" = "2s"
      ^^^^^^^^^^^^^^^^
    hint: remove one of them
    "#);
}
