//! Sample messages, and the common beginning of conversations.

use super::{Said, down, up};

/// A message with a tag.
pub fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap() + 4;
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A message of the startup.
pub fn untyped(code: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap() + 8;
    [&length.to_be_bytes()[..], &code.to_be_bytes(), body].concat()
}

pub fn ssl_request() -> Vec<u8> {
    untyped(80_877_103, b"")
}

pub fn gss_request() -> Vec<u8> {
    untyped(80_877_104, b"")
}

pub fn cancel_request(key: &[u8]) -> Vec<u8> {
    untyped(80_877_102, &[b"\0\0\x10\x92", key].concat())
}

pub fn startup() -> Vec<u8> {
    untyped(3 << 16, b"user\0alice\0database\0shop\0\0")
}

pub fn authentication(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes()[..], rest].concat())
}

pub fn key() -> Vec<u8> {
    message(b'K', b"\0\0\x10\x92\x01\x02\x03\x04")
}

pub fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

pub fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

pub fn complete(tag: &str) -> Vec<u8> {
    message(b'C', format!("{tag}\0").as_bytes())
}

/// A row of one column.
pub fn row(column: &[u8]) -> Vec<u8> {
    let length = u32::try_from(column.len()).unwrap();
    message(b'D', &[b"\0\x01", &length.to_be_bytes()[..], column].concat())
}

/// An error or a notice.
pub fn report(tag: u8, severity: &str, sqlstate: &str) -> Vec<u8> {
    let fields = format!("S{severity}\0V{severity}\0C{sqlstate}\0Mwhat happened\0Fpostgres.c\0L42\0Rfunction\0\0");
    message(tag, fields.as_bytes())
}

pub fn error(sqlstate: &str) -> Vec<u8> {
    report(b'E', "ERROR", sqlstate)
}

pub fn parse() -> Vec<u8> {
    message(b'P', b"s\0select $1\0\0\0")
}

pub fn bind() -> Vec<u8> {
    message(b'B', b"\0s\0\0\0\0\x01\0\0\0\x011\0\0")
}

pub fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

pub fn parse_complete() -> Vec<u8> {
    message(b'1', b"")
}

pub fn bind_complete() -> Vec<u8> {
    message(b'2', b"")
}

/// Returns the beginning of a session up to ReadyForQuery, followed by `rest`.
pub fn session(rest: Vec<Said>) -> Vec<Said> {
    let welcome = [authentication(0, b""), message(b'S', b"in_hot_standby\0off\0"), key(), ready(b'I')].concat();
    let mut said = vec![up(startup()), down(welcome)];
    said.extend(rest);
    said
}

/// Notes and points of the beginning that [`session`] returns.
pub const WELCOME: [&str; 6] =
    ["@startup", "startup 3.0 user=alice database=shop", "@startup-forwarded", "Authenticated", "pid 4242", "ready I"];
