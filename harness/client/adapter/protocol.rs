//! The adapter protocol, version 1: what the lines mean.
//!
//! Pure: text in, values out, for both sides: the harness, and a built-in client served as an adapter. `pending`
//! checks whether an answer belongs to a request. Unknown keys are errors, so that a misspelt `retryable` is not
//! silently ignored.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::lines::{LINE_LIMIT, Line};
use crate::client::{Call, Notice};
use crate::model::history::{ClientFacts, ErrorKind, OpError, OpKind};

/// The maximum `concurrency` of a hello: more than any realistic pool; limits the damage of a misprint.
const CONCURRENCY_LIMIT: u32 = 1024;

/// Characters of an error message that are kept, because messages are stored in histories and reports: enough for a
/// sentence, too little for a stack trace.
const MESSAGE_CHARS: usize = 1000;

const HELLO_REMEDY: &str = "the first line must be {\"hello\":{\"name\":\"…\",\"version\":\"…\",\"concurrency\":4}}, with \
                            \"capabilities\" and \"timeout_ms\" if it has them";
const STDOUT_REMEDY: &str =
    "print logs to stderr: stdout carries one JSON object per line and nothing else, flushed after each";
const NOTICE_REMEDY: &str = "send a notification as {\"notification\":{\"payload\":\"17\"}}, and a gap as {\"gap\":true}, each in a line of its own";
const ANSWER_REMEDY: &str =
    "answer {\"id\":7,\"ok\":true}, for a read also \"found\", or {\"id\":7,\"error\":{\"message\":\"…\"}}";

/// The id of the request to listen; operations count from 1.
pub(super) const LISTENING: u64 = 0;

/// The operation of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RequestKind {
    Write,
    Read,
    Transaction,
    /// Listen for as long as the run lasts.
    Listen,
}

impl From<OpKind> for RequestKind {
    fn from(kind: OpKind) -> RequestKind {
        match kind {
            OpKind::Write => RequestKind::Write,
            OpKind::Read => RequestKind::Read,
            OpKind::Transaction => RequestKind::Transaction,
        }
    }
}

/// One request line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    id: u64,
    op: RequestKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<i64>,
    /// The application's deadline, after which the adapter must cancel the call by the means of its library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline_ms: Option<u64>,
}

/// One parsed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Op(Call),
    Listen { id: u64 },
}

/// The request line of one operation, with its newline.
pub(super) fn format_request(call: Call) -> String {
    let Call { id, kind, key, deadline } = call;
    let deadline_ms = deadline.map(|deadline| deadline.as_millis() as u64);
    to_line(&RawRequest { id, op: kind.into(), key: Some(key), deadline_ms })
}

/// The request line of a subscription.
///
/// The adapter answers once, when it listens or cannot. From then on, at any time, `{"notification":{"payload":"17"}}`
/// passes on a notification of the channel `pgsquall_news`, and `{"gap":true}` reports that the subscription was
/// interrupted.
pub(super) fn format_listen() -> String {
    to_line(&RawRequest { id: LISTENING, op: RequestKind::Listen, key: None, deadline_ms: None })
}

/// Parses a request line, on the adapter's side.
///
/// *Errors*: the line is not a request.
pub(crate) fn parse_request(line: &str) -> Result<Request, String> {
    let wrong = |error: String| format!("cannot parse the request {line:?}: {error}");
    let RawRequest { id, op, key, deadline_ms } =
        serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
    let kind = match op {
        RequestKind::Listen => return Ok(Request::Listen { id }),
        RequestKind::Write => OpKind::Write,
        RequestKind::Read => OpKind::Read,
        RequestKind::Transaction => OpKind::Transaction,
    };
    let key = key.ok_or_else(|| wrong("missing field `key`".into()))?;
    Ok(Request::Op(Call { id, kind, key, deadline: deadline_ms.map(Duration::from_millis) }))
}

fn to_line(value: &impl Serialize) -> String {
    // Plain fields cannot fail to serialize; an empty line would be rejected by the other side.
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

/// The hello line for these facts.
pub(crate) fn format_hello(facts: &ClientFacts) -> String {
    let ClientFacts { name, version, concurrency, capabilities, timeout } = facts.clone();
    let timeout_ms = timeout.map(|timeout| timeout.as_millis() as u64);
    to_line(&Greeting { hello: Hello { name, version, concurrency, capabilities, timeout_ms } })
}

/// Parses the hello.
///
/// *Errors*: what is wrong with it and what to do.
pub(super) fn parse_hello(line: &Line) -> Result<ClientFacts, String> {
    let remedy = format!("{HELLO_REMEDY}; {STDOUT_REMEDY}");
    let Greeting { hello } = parse(line, "is not the hello", &remedy, &remedy)?;
    if !(1..=CONCURRENCY_LIMIT).contains(&hello.concurrency) {
        let wrong = format!("has \"concurrency\":{}", hello.concurrency);
        return Err(line.protocol_error(&wrong, &format!("it must be from 1 to {CONCURRENCY_LIMIT}")));
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

/// The answer line to one operation.
pub(crate) fn format_answer(id: u64, result: Result<Option<bool>, OpError>) -> String {
    let id = Some(id);
    to_line(&match result {
        Ok(found) => RawLine { id, ok: Some(true), found, ..RawLine::default() },
        Err(OpError { message, kind, sqlstate, retryable }) => {
            let error = RawError { message, sqlstate, retryable, kind: Some(kind) };
            RawLine { id, error: Some(error), ..RawLine::default() }
        }
    })
}

/// The line for a notification or a gap.
pub(crate) fn format_notice(notice: Notice) -> String {
    to_line(&match notice {
        Notice::Received(payload) => RawLine { notification: Some(RawNotification { payload }), ..RawLine::default() },
        Notice::Gap => RawLine { gap: Some(true), ..RawLine::default() },
    })
}

/// A parsed line after the hello.
#[derive(Debug)]
pub(super) enum AdapterLine {
    Answer {
        id: u64,
        /// `found` as the line has it, or the error.
        result: Result<Option<bool>, OpError>,
    },
    Notice(Notice),
}

/// Parses a line after the hello.
///
/// *Errors*: what is wrong with it and what to do.
pub(super) fn parse_line(line: &Line) -> Result<AdapterLine, String> {
    let raw: RawLine = parse(line, "is not an answer", ANSWER_REMEDY, STDOUT_REMEDY)?;
    match raw {
        RawLine { id: None, ok: None, found: None, error: None, notification: Some(received), gap: None } => {
            return Ok(AdapterLine::Notice(Notice::Received(received.payload)));
        }
        RawLine { id: None, ok: None, found: None, error: None, notification: None, gap: Some(true) } => {
            return Ok(AdapterLine::Notice(Notice::Gap));
        }
        RawLine { notification: None, gap: None, .. } => {}
        _ => return Err(line.protocol_error("mixes a notification or a gap with something else", NOTICE_REMEDY)),
    }
    let Some(id) = raw.id else {
        return Err(line.protocol_error("is not an answer (missing field `id`)", STDOUT_REMEDY));
    };
    let result = match (raw.ok, raw.error) {
        (Some(true), None) => Ok(raw.found),
        (Some(true), Some(_)) => return Err(line.protocol_error("has both \"ok\":true and \"error\"", ANSWER_REMEDY)),
        (_, None) => return Err(line.protocol_error("has neither \"ok\":true nor \"error\"", ANSWER_REMEDY)),
        (_, Some(error)) => Err(op_error(error).map_err(|wrong| line.protocol_error(&wrong, ANSWER_REMEDY))?),
    };
    Ok(AdapterLine::Answer { id, result })
}

/// The error for a notification without a subscription.
pub(super) fn unexpected_notice(line: &Line) -> String {
    line.protocol_error("has a notification or a gap, but no request to listen was sent", ANSWER_REMEDY)
}

/// The error for an answer to a read without `found`.
pub(super) fn missing_found(line: &Line) -> String {
    line.protocol_error("answers a read without \"found\"", ANSWER_REMEDY)
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

/// Parses a line. `wrong` and `data_remedy` are for JSON of another shape, `remedy` is for a line that is no JSON.
fn parse<T: DeserializeOwned>(line: &Line, wrong: &str, data_remedy: &str, remedy: &str) -> Result<T, String> {
    if !line.whole {
        return Err(line.protocol_error(&format!("is longer than {LINE_LIMIT} bytes"), STDOUT_REMEDY));
    }
    serde_json::from_slice(&line.text).map_err(|error| {
        let (wrong, remedy) = match error.is_data() {
            true => (wrong, data_remedy),
            false => ("is not JSON", remedy),
        };
        // serde counts lines within this text, always 1: not the number of the stdout line.
        let detail = error.to_string().replace(" at line 1 column ", " at column ");
        line.protocol_error(&format!("{wrong} ({detail})"), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { number: 3, text: text.into(), whole: true }
    }

    #[test]
    fn request_is_one_line() {
        let call = Call { id: 7, kind: OpKind::Write, key: -1, deadline: None };
        assert_eq!(format_request(call), "{\"id\":7,\"op\":\"write\",\"key\":-1}\n");
        let call = Call { deadline: Some(Duration::from_millis(500)), ..call };
        assert_eq!(format_request(call), "{\"id\":7,\"op\":\"write\",\"key\":-1,\"deadline_ms\":500}\n");
    }

    #[test]
    fn hello_without_optional_keys() {
        let facts = parse_hello(&line(r#"{"hello":{"name":"a","version":"1","concurrency":1024}}"#)).unwrap();
        assert_eq!((facts.concurrency, facts.capabilities, facts.timeout), (1024, vec![], None));
        let facts = parse_hello(&line(
            r#"{"hello":{"name":"a","version":"1","concurrency":1,"capabilities":["listen"],"timeout_ms":1500}}"#,
        ));
        assert_eq!(facts.unwrap().timeout, Some(Duration::from_millis(1500)));
    }

    #[test]
    fn answer_errors_name_the_remedy() {
        for (text, wrong, remedy) in [
            (r#"{"id":"3","ok":true}"#, "expected u64", ANSWER_REMEDY),
            (r#"{"id":3,"ok":true,"found":1}"#, "expected a boolean", ANSWER_REMEDY),
            ("connected", "is not JSON", STDOUT_REMEDY),
        ] {
            let error = parse_line(&line(text)).unwrap_err();
            assert!(error.contains(wrong) && error.ends_with(remedy), "{error}");
        }
    }

    #[test]
    fn hello_errors_name_the_cause() {
        for (text, wrong) in [
            (r#"{"hello":{"name":"a","version":"1","concurrency":0}}"#, "from 1 to 1024"),
            (r#"{"hello":{"name":"a","version":"1","concurrency":1025}}"#, "from 1 to 1024"),
            (r#"{"hello":{"name":"a","version":"1"}}"#, "missing field `concurrency`"),
            (r#"{"hello":{"name":"a","version":"1","concurrency":1,"timeout":3}}"#, "unknown field `timeout`"),
            ("Listening on port 80", "line 3 is not JSON"),
        ] {
            let error = parse_hello(&line(text)).unwrap_err();
            assert!(error.contains(wrong) && error.contains("must be"), "{error}");
        }
    }

    /// A written line, as the other side reads it.
    fn received(text: &str) -> Line {
        line(text.strip_suffix('\n').unwrap())
    }

    fn answer(text: &str) -> (u64, Result<Option<bool>, OpError>) {
        match parse_line(&line(text.trim_end())).unwrap() {
            AdapterLine::Answer { id, result } => (id, result),
            AdapterLine::Notice(notice) => panic!("{notice:?}"),
        }
    }

    #[test]
    fn both_sides_parse_each_others_lines() {
        for deadline in [None, Some(Duration::from_millis(250))] {
            let call = Call { id: 7, kind: OpKind::Transaction, key: -3, deadline };
            assert_eq!(parse_request(&format_request(call)), Ok(Request::Op(call)));
        }
        assert_eq!(format_listen(), "{\"id\":0,\"op\":\"listen\"}\n");
        assert_eq!(parse_request(&format_listen()), Ok(Request::Listen { id: LISTENING }));
        assert!(parse_request("{\"id\":7,\"op\":\"write\"}").is_err_and(|error| error.contains("missing field `key`")));
        let facts = ClientFacts {
            name: "a \"b\"".into(),
            version: "1".into(),
            concurrency: 4,
            capabilities: vec!["transaction".into()],
            timeout: Some(Duration::from_millis(9_500)),
        };
        assert_eq!(parse_hello(&received(&format_hello(&facts))), Ok(facts.clone()));
        let facts = ClientFacts { timeout: None, ..facts };
        assert_eq!(parse_hello(&received(&format_hello(&facts))), Ok(facts));
        for result in [
            Ok(None),
            Ok(Some(false)),
            Err(OpError::new(ErrorKind::Timeout, "took\ntoo long")),
            Err(OpError::new(ErrorKind::Other, "gone").with_sqlstate("57P01").with_retryable(false)),
        ] {
            assert_eq!(answer(&format_answer(7, result.clone())), (7, result));
        }
        for notice in [Notice::Received("17 \"x\"".into()), Notice::Gap] {
            let AdapterLine::Notice(found) = parse_line(&received(&format_notice(notice.clone()))).unwrap() else {
                panic!("{notice:?}")
            };
            assert_eq!(found, notice);
        }
    }

    #[test]
    fn answers_are_parsed() {
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
    fn answer_errors_name_the_cause() {
        for (text, wrong) in [
            (r#"{"id":7}"#, "has neither"),
            (r#"{"id":7,"ok":false}"#, "has neither"),
            (r#"{"id":7,"ok":true,"error":{"message":"m"}}"#, "has both"),
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
            let error = parse_line(&line(text)).unwrap_err();
            assert!(error.starts_with("stdout line 3 ") && error.contains(wrong), "{error}");
        }
    }
}
