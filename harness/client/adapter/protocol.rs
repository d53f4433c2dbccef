//! The adapter protocol, version 1: what the lines mean.
//!
//! Pure: text in, values out. Whether an answer was asked for is `session`'s to know. Unknown keys are errors, so that
//! a misspelt `retryable` is not silently without effect.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lines::{LINE_LIMIT, Line};
use crate::history::{ClientFacts, ErrorKind, OpError, OpKind};

/// More at once than any pool worth testing holds; a bound on what a misprint can make us start.
const CONCURRENCY_LIMIT: u32 = 1024;

/// Messages go into the history and into reports: enough for any sentence, too little for a stack trace.
const MESSAGE_CHARS: usize = 1000;

const HELLO_REMEDY: &str = "the first line must be {\"hello\":{\"name\":\"…\",\"version\":\"…\",\"concurrency\":4}}, with \
                            \"capabilities\" and \"timeout_ms\" if it has them";
const STDOUT_REMEDY: &str =
    "print logs to stderr: stdout carries one JSON object per line and nothing else, flushed after each";
const ANSWER_REMEDY: &str =
    "answer {\"id\":7,\"ok\":true}, for a read also \"found\", or {\"id\":7,\"error\":{\"message\":\"…\"}}";

#[derive(Serialize)]
struct Request {
    id: u64,
    op: OpKind,
    key: i64,
}

/// What the harness writes to ask for one operation, its line end included.
pub(super) fn request(id: u64, op: OpKind, key: i64) -> String {
    // Three plain fields cannot fail to serialize; an empty line would be told by the adapter's own error.
    let mut line = serde_json::to_string(&Request { id, op, key }).unwrap_or_default();
    line.push('\n');
    line
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    hello: Hello,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    name: String,
    version: String,
    concurrency: u32,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// Reads the first line.
///
/// *Errors*: what is wrong with it and what to do.
pub(super) fn hello(line: &Line) -> Result<ClientFacts, String> {
    let remedy = format!("{HELLO_REMEDY}; {STDOUT_REMEDY}");
    let Greeting { hello } = parse(line, "is not the hello", &remedy)?;
    if !(1..=CONCURRENCY_LIMIT).contains(&hello.concurrency) {
        let wrong = format!("has \"concurrency\":{}", hello.concurrency);
        return Err(line.blame(&wrong, &format!("it must be from 1 to {CONCURRENCY_LIMIT}")));
    }
    Ok(ClientFacts {
        name: hello.name,
        version: hello.version,
        concurrency: hello.concurrency,
        capabilities: hello.capabilities,
        timeout: hello.timeout_ms.map(Duration::from_millis),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    id: u64,
    #[serde(default)]
    ok: Option<bool>,
    #[serde(default)]
    found: Option<bool>,
    #[serde(default)]
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawError {
    message: String,
    #[serde(default)]
    sqlstate: Option<String>,
    #[serde(default)]
    retryable: Option<bool>,
    #[serde(default)]
    kind: Option<ErrorKind>,
}

/// One line after the hello.
#[derive(Debug)]
pub(super) struct Answer {
    pub id: u64,
    /// `found` as it stood there, or the error.
    pub result: Result<Option<bool>, OpError>,
}

/// Reads an answer.
///
/// *Errors*: what is wrong with it and what to do.
pub(super) fn answer(line: &Line) -> Result<Answer, String> {
    let raw: RawAnswer = parse(line, "is not an answer", STDOUT_REMEDY)?;
    let result = match (raw.ok, raw.error) {
        (Some(true), None) => Ok(raw.found),
        (Some(true), Some(_)) => return Err(line.blame("says both ok and error", ANSWER_REMEDY)),
        (_, None) => return Err(line.blame("says neither ok nor error", ANSWER_REMEDY)),
        (_, Some(error)) => Err(op_error(error).map_err(|wrong| line.blame(&wrong, ANSWER_REMEDY))?),
    };
    Ok(Answer { id: raw.id, result })
}

/// What is wrong with an answer to a read that does not say whether the key was there.
pub(super) fn without_found(line: &Line) -> String {
    line.blame("answers a read without \"found\"", ANSWER_REMEDY)
}

fn op_error(raw: RawError) -> Result<OpError, String> {
    let well_formed =
        |code: &str| code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if let Some(code) = raw.sqlstate.as_deref().filter(|code| !well_formed(code)) {
        return Err(format!("has the sqlstate {code:?}, which is not five characters of 0-9 and A-Z"));
    }
    let implied = if raw.sqlstate.is_some() { ErrorKind::Server } else { ErrorKind::Other };
    Ok(OpError {
        message: raw.message.chars().take(MESSAGE_CHARS).collect(),
        kind: raw.kind.unwrap_or(implied),
        sqlstate: raw.sqlstate,
        retryable: raw.retryable,
    })
}

fn parse<T: DeserializeOwned>(line: &Line, wrong: &str, remedy: &str) -> Result<T, String> {
    if !line.whole {
        return Err(line.blame(&format!("is longer than {LINE_LIMIT} bytes"), STDOUT_REMEDY));
    }
    serde_json::from_slice(&line.text).map_err(|error| {
        let wrong = match error.is_data() {
            true => wrong,
            false => "is not JSON",
        };
        // serde counts lines within the text it was given: always 1, and not the number that matters.
        let detail = error.to_string().replace(" at line 1 column ", " at column ");
        line.blame(&format!("{wrong} ({detail})"), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { number: 3, text: text.into(), whole: true }
    }

    #[test]
    fn asks_in_one_line() {
        assert_eq!(request(7, OpKind::Write, -1), "{\"id\":7,\"op\":\"write\",\"key\":-1}\n");
    }

    #[test]
    fn the_hello_may_leave_out_what_is_optional() {
        let facts = hello(&line(r#"{"hello":{"name":"a","version":"1","concurrency":1024}}"#)).unwrap();
        assert_eq!((facts.concurrency, facts.capabilities, facts.timeout), (1024, vec![], None));
        let facts = hello(&line(
            r#"{"hello":{"name":"a","version":"1","concurrency":1,"capabilities":["listen"],"timeout_ms":1500}}"#,
        ));
        assert_eq!(facts.unwrap().timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn says_what_is_wrong_with_a_hello() {
        for (text, wrong) in [
            (r#"{"hello":{"name":"a","version":"1","concurrency":0}}"#, "from 1 to 1024"),
            (r#"{"hello":{"name":"a","version":"1","concurrency":1025}}"#, "from 1 to 1024"),
            (r#"{"hello":{"name":"a","version":"1"}}"#, "missing field `concurrency`"),
            (r#"{"hello":{"name":"a","version":"1","concurrency":1,"timeout":3}}"#, "unknown field `timeout`"),
            ("Listening on port 80", "line 3 is not JSON"),
        ] {
            let error = hello(&line(text)).unwrap_err();
            assert!(error.contains(wrong) && error.contains("must be"), "{error}");
        }
    }

    #[test]
    fn reads_answers() {
        let result = |text| answer(&line(text)).unwrap().result;
        assert_eq!(result(r#"{"id":7,"ok":true}"#), Ok(None));
        assert_eq!(result(r#"{"id":7,"ok":true,"found":false,"error":null}"#), Ok(Some(false)));
        assert_eq!(result(r#"{"id":7,"error":{"message":"m"}}"#), Err(OpError::new(ErrorKind::Other, "m")));
        assert_eq!(
            result(r#"{"id":7,"ok":false,"error":{"message":"m","sqlstate":"57P01","retryable":true}}"#),
            Err(OpError::new(ErrorKind::Other, "m").with_sqlstate("57P01").with_retryable(true))
        );
        let deadline = result(r#"{"id":7,"error":{"message":"m","sqlstate":"57014","kind":"deadline"}}"#);
        assert_eq!(deadline.unwrap_err().kind, ErrorKind::Deadline);
    }

    #[test]
    fn says_what_is_wrong_with_an_answer() {
        for (text, wrong) in [
            (r#"{"id":7}"#, "neither ok nor error"),
            (r#"{"id":7,"ok":false}"#, "neither ok nor error"),
            (r#"{"id":7,"ok":true,"error":{"message":"m"}}"#, "both ok and error"),
            (r#"{"ok":true}"#, "missing field `id`"),
            (r#"{"id":-7,"ok":true}"#, "is not an answer"),
            (r#"{"id":7,"error":{"message":"m","sqlstate":"57p01"}}"#, "five characters"),
            (r#"{"id":7,"error":{"message":"m","kind":"bad"}}"#, "unknown variant `bad`"),
            (r#"{"id":7,"error":{"message":"m","retriable":true}}"#, "unknown field `retriable`"),
            ("", "is not JSON"),
            (r#"{"id":7,"ok":true}{"id":8,"ok":true}"#, "is not JSON (trailing characters at column 19)"),
        ] {
            let error = answer(&line(text)).unwrap_err();
            assert!(error.starts_with("stdout line 3 ") && error.contains(wrong), "{error}");
        }
    }
}
