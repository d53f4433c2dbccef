//! The text of a `pg_hba.conf` under which only some come in over TCP. Pure.

use super::range::Range;

/// The same rules, with those for connections over TCP left to the superuser alone, who heals; then, for everybody,
/// those that come from the given ranges. Rules for the server's own socket stay.
///
/// `method`: how those in the ranges prove who they are.
pub(super) fn only_from(rules: &str, superuser: &str, ranges: &[Range], method: &str) -> String {
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
        let rules = only_from("host all all all md5\n", "postgres", &[Range::ALL], "md5");
        assert_eq!(rules, "host\tall\tpostgres\tall\tmd5\nhost\tall\tall\t0.0.0.0/0\tmd5\n");
    }
}
