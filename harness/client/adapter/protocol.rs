//! The adapter protocol, version 1: what the lines mean.
//!
//! Pure: text in, values out, for both sides: the harness's, and that of a built-in client which is served as an adapter.
//! Whether an answer was asked for is `session`'s to know. Unknown keys are errors, so that
//! a misspelt `retryable` is not silently without effect.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lines::{LINE_LIMIT, Line};
use crate::client::{Call, Notice};
use crate::model::history::{ClientFacts, ErrorKind, OpError, OpKind};

/// More at once than any pool worth testing holds; a bound on what a misprint can make us start.
const CONCURRENCY_LIMIT: u32 = 1024;

/// Messages go into the history and into reports: enough for any sentence, too little for a stack trace.
const MESSAGE_CHARS: usize = 1000;

const HELLO_REMEDY: &str = "the first line must be {\"hello\":{\"name\":\"…\",\"version\":\"…\",\"concurrency\":4}}, with \
                            \"capabilities\" and \"timeout_ms\" if it has them";
const STDOUT_REMEDY: &str =
    "print logs to stderr: stdout carries one JSON object per line and nothing else, flushed after each";
const NOTICE_REMEDY: &str = "hand on a notification as {\"notification\":{\"payload\":\"17\"}}, and a gap as {\"gap\":true}, each in a line of its own";
const ANSWER_REMEDY: &str =
    "answer {\"id\":7,\"ok\":true}, for a read also \"found\", or {\"id\":7,\"error\":{\"message\":\"…\"}}";

/// The id of the request to listen; operations count from 1.
pub(super) const LISTENING: u64 = 0;

/// What is asked of an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    Write,
    Read,
    Transaction,
    /// To listen for as long as the run lasts.
    Listen,
}

impl From<OpKind> for Word {
    fn from(kind: OpKind) -> Word {
        match kind {
            OpKind::Write => Word::Write,
            OpKind::Read => Word::Read,
            OpKind::Transaction => Word::Transaction,
        }
    }
}

/// One request, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    id: u64,
    op: Word,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<i64>,
    /// The application's own, after which the adapter is to cancel the call by the means of its library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
}

/// One request, as an adapter understands it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Op(Call),
    Listen { id: u64 },
}

/// What the harness writes to ask for one operation, its line end included.
pub(super) fn request(call: Call) -> String {
    let Call { id, kind, key, deadline } = call;
    let deadline_ms = deadline.map(|deadline| deadline.as_millis() as u64);
    line_of(&Request { id, op: kind.into(), key: Some(key), deadline_ms })
}

/// What the harness writes to have an adapter listen.
///
/// It is answered once, when it listens or cannot. From then on, at any time, `{"notification":{"payload":"17"}}` hands on
/// what it has heard on the channel `pgsquall_news`, and `{"gap":true}` says that it was not listening for a while.
pub(super) fn listen() -> String {
    line_of(&Request { id: LISTENING, op: Word::Listen, key: None, deadline_ms: None })
}

/// Reads what the harness asks for, as an adapter does.
///
/// *Errors*: it is no request.
pub(crate) fn asked(line: &str) -> Result<Asked, String> {
    let wrong = |error: String| format!("stdin holds {line:?}, which is no request: {error}");
    let Request { id, op, key, deadline_ms } = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    let kind = match op {
        Word::Listen => return Ok(Asked::Listen { id }),
        Word::Write => OpKind::Write,
        Word::Read => OpKind::Read,
        Word::Transaction => OpKind::Transaction,
    };
    let key = key.ok_or_else(|| wrong("missing field `key`".into()))?;
    Ok(Asked::Op(Call { id, kind, key, deadline: deadline_ms.map(Duration::from_millis) }))
}

fn line_of(value: &impl Serialize) -> String {
    // Plain fields cannot fail to serialize; an empty line would be told by the other side's own error.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    hello: Hello,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    name: String,
    version: String,
    concurrency: u32,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

/// The first line of an adapter that is this client.
pub(crate) fn greeting(facts: &ClientFacts) -> String {
    let ClientFacts { name, version, concurrency, capabilities, timeout } = facts.clone();
    let timeout_ms = timeout.map(|timeout| timeout.as_millis() as u64);
    line_of(&Greeting { hello: Hello { name, version, concurrency, capabilities, timeout_ms } })
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

/// Any line after the hello: an answer has an id, and nothing else has.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    found: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<RawError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notification: Option<RawNotification>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotification {
    payload: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawError {
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sqlstate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<ErrorKind>,
}

/// An adapter's answer to one operation.
pub(crate) fn answered(id: u64, result: Result<Option<bool>, OpError>) -> String {
    let id = Some(id);
    line_of(&match result {
        Ok(found) => RawLine { id, ok: Some(true), found, ..RawLine::default() },
        Err(OpError { message, kind, sqlstate, retryable }) => {
            let error = RawError { message, sqlstate, retryable, kind: Some(kind) };
            RawLine { id, error: Some(error), ..RawLine::default() }
        }
    })
}

/// What an adapter says of its subscription.
pub(crate) fn noticed(notice: Notice) -> String {
    line_of(&match notice {
        Notice::Heard(payload) => RawLine { notification: Some(RawNotification { payload }), ..RawLine::default() },
        Notice::Gap => RawLine { gap: Some(true), ..RawLine::default() },
    })
}

/// One line after the hello.
#[derive(Debug)]
pub(super) enum Said {
    Answer {
        id: u64,
        /// `found` as it stood there, or the error.
        result: Result<Option<bool>, OpError>,
    },
    Notice(Notice),
}

/// Reads a line after the hello.
///
/// *Errors*: what is wrong with it and what to do.
pub(super) fn said(line: &Line) -> Result<Said, String> {
    let raw: RawLine = parse(line, "is not an answer", STDOUT_REMEDY)?;
    match raw {
        RawLine { id: None, ok: None, found: None, error: None, notification: Some(heard), gap: None } => {
            return Ok(Said::Notice(Notice::Heard(heard.payload)));
        }
        RawLine { id: None, ok: None, found: None, error: None, notification: None, gap: Some(true) } => {
            return Ok(Said::Notice(Notice::Gap));
        }
        RawLine { notification: None, gap: None, .. } => {}
        _ => return Err(line.blame("mixes a notification or a gap with something else", NOTICE_REMEDY)),
    }
    let Some(id) = raw.id else {
        return Err(line.blame("is not an answer (missing field `id`)", STDOUT_REMEDY));
    };
    let result = match (raw.ok, raw.error) {
        (Some(true), None) => Ok(raw.found),
        (Some(true), Some(_)) => return Err(line.blame("says both ok and error", ANSWER_REMEDY)),
        (_, None) => return Err(line.blame("says neither ok nor error", ANSWER_REMEDY)),
        (_, Some(error)) => Err(op_error(error).map_err(|wrong| line.blame(&wrong, ANSWER_REMEDY))?),
    };
    Ok(Said::Answer { id, result })
}

/// What is wrong with a notice that nobody waits for.
pub(super) fn unasked(line: &Line) -> String {
    line.blame("hands on a notification or a gap, though it was not asked to listen", ANSWER_REMEDY)
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
        let call = Call { id: 7, kind: OpKind::Write, key: -1, deadline: None };
        assert_eq!(request(call), "{\"id\":7,\"op\":\"write\",\"key\":-1}\n");
        let call = Call { deadline: Some(Duration::from_millis(500)), ..call };
        assert_eq!(request(call), "{\"id\":7,\"op\":\"write\",\"key\":-1,\"deadline_ms\":500}\n");
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

    /// A line of ours, as the other side reads it.
    fn heard(text: &str) -> Line {
        line(text.strip_suffix('\n').unwrap())
    }

    fn answer(text: &str) -> (u64, Result<Option<bool>, OpError>) {
        match said(&line(text.trim_end())).unwrap() {
            Said::Answer { id, result } => (id, result),
            Said::Notice(notice) => panic!("{notice:?}"),
        }
    }

    #[test]
    fn either_side_understands_the_other() {
        for deadline in [None, Some(Duration::from_millis(250))] {
            let call = Call { id: 7, kind: OpKind::Transaction, key: -3, deadline };
            assert_eq!(asked(&request(call)), Ok(Asked::Op(call)));
        }
        assert_eq!(listen(), "{\"id\":0,\"op\":\"listen\"}\n");
        assert_eq!(asked(&listen()), Ok(Asked::Listen { id: LISTENING }));
        assert!(asked("{\"id\":7,\"op\":\"write\"}").is_err_and(|error| error.contains("missing field `key`")));
        let facts = ClientFacts {
            name: "a \"b\"".into(),
            version: "1".into(),
            concurrency: 4,
            capabilities: vec!["transaction".into()],
            timeout: Some(Duration::from_millis(9_500)),
        };
        assert_eq!(hello(&heard(&greeting(&facts))), Ok(facts.clone()));
        let facts = ClientFacts { timeout: None, ..facts };
        assert_eq!(hello(&heard(&greeting(&facts))), Ok(facts));
        for result in [
            Ok(None),
            Ok(Some(false)),
            Err(OpError::new(ErrorKind::Timeout, "took\ntoo long")),
            Err(OpError::new(ErrorKind::Other, "gone").with_sqlstate("57P01").with_retryable(false)),
        ] {
            assert_eq!(answer(&answered(7, result.clone())), (7, result));
        }
        for notice in [Notice::Heard("17 \"x\"".into()), Notice::Gap] {
            let Said::Notice(found) = said(&heard(&noticed(notice.clone()))).unwrap() else { panic!("{notice:?}") };
            assert_eq!(found, notice);
        }
    }

    #[test]
    fn reads_answers() {
        let result = |text| answer(text).1;
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
            (r#"{"gap":false}"#, "each in a line of its own"),
            (r#"{"gap":true,"ok":true}"#, "mixes a notification or a gap"),
            (r#"{"id":7,"notification":{"payload":"1"}}"#, "mixes a notification or a gap"),
            (r#"{"notification":"1"}"#, "is not an answer"),
            (r#"{"id":-7,"ok":true}"#, "is not an answer"),
            (r#"{"id":7,"error":{"message":"m","sqlstate":"57p01"}}"#, "five characters"),
            (r#"{"id":7,"error":{"message":"m","kind":"bad"}}"#, "unknown variant `bad`"),
            (r#"{"id":7,"error":{"message":"m","retriable":true}}"#, "unknown field `retriable`"),
            ("", "is not JSON"),
            (r#"{"id":7,"ok":true}{"id":8,"ok":true}"#, "is not JSON (trailing characters at column 19)"),
        ] {
            let error = said(&line(text)).unwrap_err();
            assert!(error.starts_with("stdout line 3 ") && error.contains(wrong), "{error}");
        }
    }
}
