//! Messages of the client before its session starts. They have no tag; a code in place of the protocol version
//! distinguishes them.
//!
//! *Source*: PostgreSQL manual, "Message Formats": CancelRequest, GSSENCRequest, SSLRequest, StartupMessage.

use super::frame::PREFIX;
use super::state::{Encryption, Packet, Phase, State};
use super::walk::{self, Dialect, Measure, Unframed, reach};
use super::{Inspected, Note, Opaque, Struck, Watch};
use crate::model::fault::Point;

/// Bytes of length and code.
const HEADER: usize = 8;

/// Longest startup packet that is parsed, in bytes.
///
/// *Source*: PostgreSQL, `MAX_STARTUP_PACKET_LENGTH`; the server does not count the four bytes of the length itself.
const LONGEST: u32 = 10_000;

const CANCEL: u32 = 1234 << 16 | 5678;
const SSL: u32 = 1234 << 16 | 5679;
const GSS: u32 = 1234 << 16 | 5680;

/// The first byte of a TLS handshake record (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// The dialect of a client that has not started its session.
pub(super) struct Startup;

impl Dialect for Startup {
    const HEADER: usize = HEADER;
    const ENDS: bool = true;

    fn is_plain(_state: &State, _tag: u8, _watch: &impl Watch) -> bool {
        false
    }

    fn begin(_state: &mut State, first: u8, _watch: &mut impl Watch) -> Result<Option<Struck>, Unframed> {
        match first {
            // The first byte of a length below 16 MiB.
            0 => Ok(None),
            TLS_HANDSHAKE => Err(Unframed::Opaque(Opaque::DirectTls)),
            _ => Err(Unframed::Opaque(Opaque::NotPostgres)),
        }
    }

    fn measure(state: &mut State, header: &[u8], _watch: &impl Watch) -> Result<Measure, Unframed> {
        let (length, code) = length_and_code(header);
        state.packet = match (code, length) {
            (SSL, 8) => Packet::Encryption(Encryption::Tls),
            (GSS, 8) => Packet::Encryption(Encryption::Gss),
            // The key has 4 bytes up to protocol 3.0, and up to 256 from 3.2.
            (CANCEL, 16..=LONGEST) => Packet::Cancel,
            (_, 8..=LONGEST) if code >> 16 == 3 => Packet::Startup,
            _ => return Err(Unframed::Opaque(Opaque::NotPostgres)),
        };
        Ok(Measure { total: length.into(), wanted: HEADER })
    }

    fn look(
        state: &mut State,
        head: &[u8],
        total: u64,
        _torn: bool,
        watch: &mut impl Watch,
    ) -> (usize, Option<Struck>) {
        match state.packet {
            Packet::Encryption(_) => {
                watch.note(Note::EncryptionRequested);
                (0, reach(Point::EncryptionRequest, watch))
            }
            Packet::Cancel => {
                watch.note(Note::CancelRequested);
                (0, None)
            }
            // The first look reaches the point; the second reads the content.
            Packet::Startup if !state.started => {
                state.started = true;
                (total.min(PREFIX as u64) as usize, reach(Point::Startup, watch))
            }
            Packet::Startup => {
                watch.note(parse_startup(head));
                (0, None)
            }
        }
    }

    fn end(state: &mut State, _tag: u8, swallowed: bool, watch: &mut impl Watch) -> Option<Struck> {
        match state.packet {
            // A server that has not seen the request does not answer it.
            Packet::Encryption(_) if swallowed => None,
            Packet::Encryption(encryption) => {
                state.phase = Phase::EncryptionRequested(encryption);
                None
            }
            Packet::Cancel => None,
            Packet::Startup => {
                state.phase = Phase::Typed;
                if swallowed { None } else { reach(Point::StartupForwarded, watch) }
            }
        }
    }
}

/// Parses the server's answer to an encryption request. `None`: an error, to be parsed like any other message.
pub(super) fn parse_encryption_answer(
    state: &mut State,
    encryption: Encryption,
    answer: u8,
    watch: &mut impl Watch,
) -> Option<Inspected> {
    match (answer, encryption) {
        (b'S', Encryption::Tls) => Some(walk::give_up(state, Opaque::Tls, &[answer], watch)),
        (b'G', Encryption::Gss) => Some(walk::give_up(state, Opaque::Gss, &[answer], watch)),
        (b'N', _) => {
            state.phase = Phase::Startup;
            Some(Inspected::passed(1))
        }
        // The server does not support the request, or could not fork.
        (b'E', _) => {
            state.phase = Phase::Startup;
            None
        }
        _ => Some(walk::give_up(state, Opaque::NotPostgres, &[answer], watch)),
    }
}

/// Parses the beginning of a startup packet.
fn parse_startup(packet: &[u8]) -> Note<'_> {
    let (_, version) = length_and_code(packet);
    let (mut user, mut database, mut replication) = (None, None, false);
    let mut body = &packet[HEADER..];
    while let Some((name, rest)) = c_string(body)
        && let Some((value, rest)) = c_string(rest)
        && !name.is_empty()
    {
        match name {
            b"user" => user = std::str::from_utf8(value).ok(),
            b"database" => database = std::str::from_utf8(value).ok(),
            // A boolean in any of its spellings, or "database".
            b"replication" => replication = !is_false(value),
            _ => {}
        }
        body = rest;
    }
    Note::Startup { major: (version >> 16) as u16, minor: version as u16, user, database, replication }
}

/// Whether the server reads a value as false: "0", or a prefix of "off", "false" or "no"; "o" alone is ambiguous.
fn is_false(value: &[u8]) -> bool {
    let begins = |word: &[u8]| value.len() <= word.len() && value.eq_ignore_ascii_case(&word[..value.len()]);
    value == b"0" || (begins(b"off") && value.len() != 1) || begins(b"false") || begins(b"no")
}

/// Splits bytes behind a text that ends with NUL; returns the text without NUL, and the rest.
fn c_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Reads length and code from a header.
fn length_and_code(header: &[u8]) -> (u32, u32) {
    match header.first_chunk() {
        Some(&[a, b, c, d, e, f, g, h]) => (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])),
        None => (0, 0),
    }
}
