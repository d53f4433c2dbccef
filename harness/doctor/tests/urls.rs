//! URLs with libpq's meaning.

use std::time::Duration;

use crate::doctor::Target;
use crate::doctor::target::{Root, SslMode};

#[test]
fn parameters_have_their_libpq_meaning() {
    let url = "postgresql://app:p%40ss?word@db.example.com/orders?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.crt\
               &tcp_user_timeout=30000&keepalives_idle=60&keepalives_count=5&connect_timeout=0&pgbouncer=true";
    let target: Target = url.parse().unwrap();
    assert_eq!(target.redacted(), "postgres://app@db.example.com:5432/orders");
    assert_eq!(target.config.get_password(), Some(b"p@ss?word".as_slice()));
    assert_eq!(target.tls.mode, SslMode::VerifyFull);
    assert_eq!(target.tls.root, Some(Root::File("/etc/ca.crt".into())));
    assert_eq!(target.client_settings.tcp_user_timeout, Some(Duration::from_secs(30)), "in ms, unlike tokio-postgres");
    assert_eq!(target.client_settings.keepalives_count, Some(5), "a name that tokio-postgres does not know");
    assert_eq!(target.client_settings.connect_timeout, None, "zero is no limit");
    assert_eq!(target.unused, ["pgbouncer"]);
    let system: Target = "postgres://u@h/d?sslrootcert=system".parse().unwrap();
    assert_eq!(system.tls.mode, SslMode::VerifyFull, "as libpq 16 has it");
}

#[test]
fn url_errors_hide_the_password() {
    for (url, wanted) in [
        ("mysql://u:secret@h/d", "does not begin with postgres://"),
        ("postgres://:secret@h/d", "names no user"),
        ("postgres://u:secret@/d", "names no host"),
        ("postgres://u:secret@h:secret/d", "port"),
        ("postgres://u:secret@h1,h2/d", "several hosts"),
        ("postgres://u:secret@%2Ftmp/d", "socket file"),
        ("postgres://u:secret@h/d?sslmode=strict", "verify-full"),
        ("postgres://u:secret@h/d?sslmode=allow", "two attempts"),
        ("postgres://u:secret@h/d?connect_timeout=soon", "whole number"),
        ("postgres://u@h/d?password:secret", "no value"),
        ("postgres://u:secret@h/d?sslcert=/c", "go together"),
    ] {
        let error = url.parse::<Target>().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(wanted) && error.contains("postgres://user:password@"), "{url}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
