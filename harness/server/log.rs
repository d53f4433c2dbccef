//! Parses the server's log, which provides evidence that a fault took effect.

/// `log_line_prefix` of every server that the harness starts: time, pid, SQLSTATE and role.
pub(crate) const LINE_PREFIX: &str = "%m|%p|%e|%u|";

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub pid: i32,
    /// `00000` for messages that are no errors, and for continuation lines, so that each error counts once.
    pub sqlstate: String,
    /// The session's role; `[unknown]` before the startup packet, empty for the server's own processes.
    pub role: String,
    /// The first line of the message, with its severity: `FATAL:  sorry, too many clients already`.
    pub text: String,
}

/// The first words of continuation lines. Postgres writes the prefix, with the SQLSTATE, on each of these lines.
///
/// *Source*: `src/backend/utils/error/elog.c`, `send_message_to_server_log`.
const ADDITIONS: [&str; 7] = ["DETAIL:", "HINT:", "QUERY:", "CONTEXT:", "LOCATION:", "BACKTRACE:", "STATEMENT:"];

/// Parses a log. Skips lines without the prefix (further lines of a message, output of an image's entrypoint).
pub(crate) fn parse_log(log: &str) -> Vec<LogLine> {
    log.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<LogLine> {
    let mut parts = line.splitn(5, '|');
    let _time = parts.next()?;
    let pid = parts.next()?.parse().ok()?;
    let sqlstate = parts.next().filter(|code| code.len() == 5)?;
    let role = parts.next()?.to_owned();
    let text = parts.next()?.to_owned();
    let adds = ADDITIONS.iter().any(|addition| text.starts_with(addition));
    let sqlstate = if adds { "00000" } else { sqlstate }.to_owned();
    Some(LogLine { pid, sqlstate, role, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_the_prefix_are_left_out() {
        let log = "initdb: hello\n\
                   2026-01-02 03:04:05.678 UTC|42|53300|squall|FATAL:  sorry | too many\n\
                   \tcontinued\n\
                   2026-01-02 03:04:05.678 UTC|42|53300|squall|DETAIL:  none left\n";
        let lines = parse_log(log);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].sqlstate, "00000", "the same error is not counted twice");
        assert_eq!((lines[0].pid, lines[0].sqlstate.as_str(), lines[0].role.as_str()), (42, "53300", "squall"));
        assert_eq!(lines[0].text, "FATAL:  sorry | too many");
    }
}
