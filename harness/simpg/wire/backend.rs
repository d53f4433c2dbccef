//! Writes the server's messages into a buffer that the session reuses.

use bytes::{BufMut, BytesMut};

use super::super::report::{Report, Severity};
use super::value::{Type, Value};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub name: String,
    pub kind: Type,
}

/// Writes one message; its length is filled in afterwards.
fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_slice(&[kind, 0, 0, 0, 0]);
    let start = out.len() - 4;
    body(out);
    let length = (out.len() - start) as i32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn text(out: &mut BytesMut, text: &str) {
    match text.as_bytes().contains(&0) {
        false => out.put_slice(text.as_bytes()),
        // A NUL would end the string early.
        true => out.extend(text.bytes().filter(|byte| *byte != 0)),
    }
    out.put_u8(0);
}

/// Requests SCRAM-SHA-256, the only mechanism offered.
pub(crate) fn authentication_sasl(out: &mut BytesMut) {
    message(out, b'R', |out| {
        out.put_i32(10);
        out.put_slice(b"SCRAM-SHA-256\0\0");
    });
}

pub(crate) fn authentication_continue(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_i32(11);
        out.put_slice(data.as_bytes());
    });
}

pub(crate) fn authentication_final(out: &mut BytesMut, data: &str) {
    message(out, b'R', |out| {
        out.put_i32(12);
        out.put_slice(data.as_bytes());
    });
}

pub(crate) fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(0));
}

/// Writes NegotiateProtocolVersion: 3.0 is the newest supported. `unknown`: unsupported protocol options.
pub(crate) fn negotiate_version(out: &mut BytesMut, unknown: &[&str]) {
    message(out, b'v', |out| {
        out.put_i32(0);
        out.put_i32(unknown.len() as i32);
        unknown.iter().for_each(|option| text(out, option));
    });
}

pub(crate) fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

pub(crate) fn key_data(out: &mut BytesMut, pid: i32, key: i32) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_i32(key);
    });
}

/// Writes ReadyForQuery. `status`: `I` idle, `T` in a transaction, `E` in a failed one.
pub(crate) fn ready(out: &mut BytesMut, status: u8) {
    message(out, b'Z', |out| out.put_u8(status));
}

/// Writes an ErrorResponse, or a NoticeResponse for a warning.
pub(crate) fn report(out: &mut BytesMut, report: &Report) {
    let kind = if report.severity == Severity::Warning { b'N' } else { b'E' };
    message(out, kind, |out| {
        let word = report.severity.word();
        for (field, value) in [(b'S', word), (b'V', word), (b'C', report.code), (b'M', &report.message)] {
            out.put_u8(field);
            text(out, value);
        }
        for (field, value) in [(b'D', report.detail.as_deref()), (b'H', report.hint)] {
            if let Some(value) = value {
                out.put_u8(field);
                text(out, value);
            }
        }
        out.put_u8(0);
    });
}

pub(crate) fn notification(out: &mut BytesMut, pid: i32, channel: &str, payload: &str) {
    message(out, b'A', |out| {
        out.put_i32(pid);
        text(out, channel);
        text(out, payload);
    });
}

pub(crate) fn complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

/// Writes a message without a body.
pub(crate) fn bare(out: &mut BytesMut, kind: u8) {
    message(out, kind, |_| {});
}

pub(crate) const EMPTY_QUERY: u8 = b'I';
pub(crate) const NO_DATA: u8 = b'n';
pub(crate) const PARSE_COMPLETE: u8 = b'1';
pub(crate) const BIND_COMPLETE: u8 = b'2';
pub(crate) const CLOSE_COMPLETE: u8 = b'3';
pub(crate) const PORTAL_SUSPENDED: u8 = b's';

pub(crate) fn parameters(out: &mut BytesMut, types: &[u32]) {
    message(out, b't', |out| {
        out.put_i16(types.len() as i16);
        types.iter().for_each(|oid| out.put_u32(*oid));
    });
}

/// Writes a RowDescription. `binary`: whether the column of this index is sent in binary.
pub(crate) fn row_description(out: &mut BytesMut, columns: &[Column], binary: impl Fn(usize) -> bool) {
    message(out, b'T', |out| {
        out.put_i16(columns.len() as i16);
        for (index, column) in columns.iter().enumerate() {
            text(out, &column.name);
            // Table OID and column number are left 0; clients of workloads do not read them.
            out.put_i32(0);
            out.put_i16(0);
            out.put_u32(column.kind.oid());
            out.put_i16(column.kind.size());
            out.put_i32(-1);
            out.put_i16(i16::from(binary(index)));
        }
    });
}

pub(crate) fn data_row(out: &mut BytesMut, row: &[Value], binary: impl Fn(usize) -> bool) {
    message(out, b'D', |out| {
        out.put_i16(row.len() as i16);
        for (index, value) in row.iter().enumerate() {
            if matches!(value, Value::Null) {
                out.put_i32(-1);
                continue;
            }
            let start = out.len();
            out.put_i32(0);
            value.write(out, binary(index));
            let length = (out.len() - start - 4) as i32;
            out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
    });
}
