//! Who comes in how: the rules of `pg_hba.conf` under which the client's role must use TLS. Pure.

use crate::server::bootstrap::{OCCUPANT, ROLE};

/// Rules under which the client's role comes in by TLS alone, and with a certificate where one is asked for; those who
/// serve the harness come in as before, in plaintext.
///
/// What is left of `before` are the rules for the socket and for replication, which no client uses.
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

/// How passwords are asked for over TCP: version 13 stores them for `md5`, later ones for `scram-sha-256`.
fn method(before: &str) -> &str {
    let last = before.lines().rev().find_map(|line| {
        let mut fields = line.split_whitespace();
        let everybody = fields.next() == Some("host") && fields.next() == Some("all") && fields.next() == Some("all");
        fields.nth(1).filter(|_| everybody)
    });
    last.unwrap_or("scram-sha-256")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_and_replication_keep_their_rules() {
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
