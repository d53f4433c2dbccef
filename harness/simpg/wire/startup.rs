//! Parses the packets that a client sends before it is signed in.

use super::super::report::{Report, protocol_violation};
use super::frontend::{Broken, length_of};

/// The longest startup packet, as in Postgres. *Units*: bytes.
const LONGEST: usize = 10_000;

const SSL_REQUEST: i32 = 80_877_103;
const GSS_REQUEST: i32 = 80_877_104;
const CANCEL_REQUEST: i32 = 80_877_102;

/// A packet without a kind byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    /// SSLRequest.
    Tls,
    /// GSSENCRequest, which this server declines.
    Gssapi,
    Cancel {
        pid: i32,
        key: i32,
    },
    Startup(Startup<'a>),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Startup<'a> {
    pub user: &'a str,
    pub database: &'a str,
    /// Settings of the session, in the order of the packet.
    pub settings: Vec<(&'a str, &'a str)>,
    /// Whether the client requests a minor version newer than 3.0.
    pub newer: bool,
    /// Protocol options (`_pq_.`), none of which this server supports.
    pub unknown: Vec<&'a str>,
}

/// Returns the first packet and its length in bytes; `None`: the packet is incomplete.
///
/// *Errors*: an impossible length, a malformed packet, another major version than 3, or no user name.
pub(crate) fn packet(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Broken> {
    let Some(length) = length_of(bytes)? else { return Ok(None) };
    if !(8..=LONGEST).contains(&length) {
        return Err(Broken::Silent);
    }
    let Some(packet) = bytes.get(4..length) else { return Ok(None) };
    let Some((code, body)) = packet.split_first_chunk::<4>() else { return Err(Broken::Silent) };
    let packet = match i32::from_be_bytes(*code) {
        SSL_REQUEST => Packet::Tls,
        GSS_REQUEST => Packet::Gssapi,
        CANCEL_REQUEST => match (body.first_chunk::<4>(), body.get(4..8).and_then(|key| key.first_chunk::<4>())) {
            (Some(pid), Some(key)) => Packet::Cancel { pid: i32::from_be_bytes(*pid), key: i32::from_be_bytes(*key) },
            _ => return Err(Broken::Silent),
        },
        code => Packet::Startup(startup(code, body).map_err(|report| Broken::Told(report.made_fatal()))?),
    };
    Ok(Some((packet, length)))
}

fn startup(code: i32, body: &[u8]) -> Result<Startup<'_>, Report> {
    let (major, minor) = (code >> 16, code & 0xffff);
    if major != 3 {
        let text = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0");
        return Err(Report::fatal("0A000", text));
    }
    let mut found = Startup { newer: minor > 0, ..Startup::default() };
    let mut rest = body;
    loop {
        let name = string(&mut rest)?;
        if name.is_empty() {
            break;
        }
        let value = string(&mut rest)?;
        match name {
            "user" => found.user = value,
            "database" => found.database = value,
            _ if name.starts_with("_pq_.") => found.unknown.push(name),
            _ => found.settings.push((name, value)),
        }
    }
    if !rest.is_empty() {
        return Err(protocol_violation("invalid startup packet layout: expected terminator as last byte"));
    }
    if found.user.is_empty() {
        return Err(Report::fatal("28000", "no PostgreSQL user name specified in startup packet"));
    }
    if found.database.is_empty() {
        found.database = found.user;
    }
    Ok(found)
}

fn string<'a>(rest: &mut &'a [u8]) -> Result<&'a str, Report> {
    let end = rest.iter().position(|byte| *byte == 0);
    let end =
        end.ok_or_else(|| protocol_violation("invalid startup packet layout: expected terminator as last byte"))?;
    let text = std::str::from_utf8(&rest[..end])
        .map_err(|_| Report::error("22021", "invalid byte sequence for encoding \"UTF8\""))?;
    *rest = &rest[end + 1..];
    Ok(text)
}

/// Returns the body and the total length in bytes of a password message; `None`: the message is incomplete.
///
/// *Errors*: 08P01 for a message of another kind; an impossible length.
pub(crate) fn password(bytes: &[u8]) -> Result<Option<(&[u8], usize)>, Broken> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    if kind != b'p' {
        let text = format!("expected SASL response, got message type {kind}");
        return Err(Broken::Told(protocol_violation(text).made_fatal()));
    }
    let length = length_of(rest)?.filter(|length| rest.len() >= *length);
    Ok(length.map(|length| (&rest[4..length], 1 + length)))
}
