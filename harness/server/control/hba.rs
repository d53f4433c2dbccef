//! Builds the text of a `pg_hba.conf` that admits only some connections: by address, or over TLS only. Pure.

use super::address_range::AddressRange;
use crate::server::bootstrap::{OCCUPANT, ROLE};

/// Changes `rules` so that over TCP only the superuser, who heals the fault, is admitted from everywhere, and all other
/// roles only from the given ranges. Rules for the Unix socket stay.
///
/// `method`: the authentication method for connections from the ranges.
pub(super) fn only_from(rules: &str, superuser: &str, ranges: &[AddressRange], method: &str) -> String {
    let mut text = String::new();
    for line in rules.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if let [kind, _, user, ..] = words.as_mut_slice()
            && kind.starts_with("host")
        {
            *user = superuser;
            text += &words.join("\t");
        } else {
            text += line;
        }
        text.push('\n');
    }
    for network in ranges.iter().flat_map(|range| range.networks()) {
        text += &format!("host\tall\tall\t{network}\t{method}\n");
    }
    text
}

/// Returns rules that admit the client's role over TLS only, and only with a client certificate if `certificate`; the
/// roles of the harness are admitted with or without TLS.
///
/// Of `before`, only the rules for the Unix socket and for replication stay; clients use neither.
pub(super) fn encrypted_alone(before: &str, superuser: &str, certificate: bool) -> String {
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

/// Returns the authentication method of the last `host all all` rule. It must match how passwords are stored: Postgres
/// 13 stores them for `md5`, later versions for `scram-sha-256`, the default here.
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

    const RULES: &str = "# TYPE  DATABASE  USER  ADDRESS  METHOD\n\
                         local all all trust\n\
                         host all all 127.0.0.1/32 scram-sha-256\n\
                         hostssl\tall\tall\tall\tscram-sha-256\n";

    #[test]
    fn nobody_but_the_superuser_is_left() {
        let rules = only_from(RULES, "postgres", &[], "md5");
        let expected = "# TYPE  DATABASE  USER  ADDRESS  METHOD\n\
                        local all all trust\n\
                        host\tall\tpostgres\t127.0.0.1/32\tscram-sha-256\n\
                        hostssl\tall\tpostgres\tall\tscram-sha-256\n";
        assert_eq!(rules, expected);
    }

    #[test]
    fn those_in_a_range_are_admitted_last() {
        let rules = only_from("host all all all md5\n", "postgres", &[AddressRange::ALL], "md5");
        assert_eq!(rules, "host\tall\tpostgres\tall\tmd5\nhost\tall\tall\t0.0.0.0/0\tmd5\n");
    }

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
