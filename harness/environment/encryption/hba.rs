//! The rules of `pg_hba.conf` that require TLS of the client's role. Pure.

use crate::server::bootstrap::{OCCUPANT, ROLE};

/// Rules that admit the client's role only over TLS, with a certificate if `certificate`; the harness's roles still
/// connect in plaintext.
///
/// Of `before`, the rules for the socket and for replication stay: no client uses those.
pub(crate) fn encrypted_alone(before: &str, superuser: &str, certificate: bool) -> String {
    let others = |line: &&str| {
        let mut fields = line.split_whitespace();
        let (kind, database) = (fields.next(), fields.next());
        kind == Some("local") || kind.is_some_and(|kind| kind.starts_with("host")) && database == Some("replication")
    };
    let mut rules: Vec<String> = before.lines().filter(others).map(str::to_owned).collect();
    let option = if certificate { " clientcert=verify-ca" } else { "" };
    let method = method(before);
    rules.push(format!("hostssl all {ROLE} all {method}{option}"));
    rules.push(format!("host all {superuser},{OCCUPANT} all {method}"));
    rules.join("\n") + "\n"
}

/// The password method over TCP: version 13 stores passwords for `md5`, later ones for `scram-sha-256`.
fn method(before: &str) -> &str {
    let last = before.lines().rev().find_map(|line| {
        let mut fields = line.split_whitespace();
        let all_roles = fields.next() == Some("host") && fields.next() == Some("all") && fields.next() == Some("all");
        fields.nth(1).filter(|_| all_roles)
    });
    last.unwrap_or("scram-sha-256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_and_replication_rules_stay() {
        let before = "# comment\nlocal all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n\
                      host\treplication all all trust\nhost all all all scram-sha-256\n";
        assert_eq!(
            encrypted_alone(before, "postgres", true),
            "local all postgres trust\nhost\treplication all all trust\n\
             hostssl all squall all scram-sha-256 clientcert=verify-ca\n\
             host all postgres,squall_occupant all scram-sha-256\n"
        );
        assert!(!encrypted_alone(before, "postgres", false).contains("clientcert"));
        let older = encrypted_alone("host all all 127.0.0.1/32 trust\nhost all all all md5\n", "postgres", false);
        assert_eq!(older, "hostssl all squall all md5\nhost all postgres,squall_occupant all md5\n");
    }
}
