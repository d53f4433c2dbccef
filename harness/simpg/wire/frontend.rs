//! Parses the messages of a signed-in client.

use std::ffi::CStr;

use super::super::report::{Report, protocol_violation};
use super::value::utf8;

/// The longest message accepted: a forged length must not allocate memory. *Units*: bytes.
const LONGEST: usize = 1 << 20;

/// One message of the client, borrowed from the input buffer.
#[derive(Debug)]
pub(crate) enum Frontend<'a> {
    Query(&'a str),
    Parse {
        name: &'a str,
        sql: &'a str,
        types: Vec<u32>,
    },
    Bind(Bind<'a>),
    Describe {
        what: Named,
        name: &'a str,
    },
    Execute {
        portal: &'a str,
        limit: i32,
    },
    Close {
        what: Named,
        name: &'a str,
    },
    Flush,
    Sync,
    Terminate,
    FunctionCall,
    /// A message of the COPY protocol outside a COPY; servers ignore it.
    Stray,
}

#[derive(Debug)]
pub(crate) struct Bind<'a> {
    pub portal: &'a str,
    pub statement: &'a str,
    pub formats: Vec<i16>,
    pub values: Vec<Option<&'a [u8]>>,
    pub results: Vec<i16>,
}

/// The kind of object that a name refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Statement,
    Portal,
}

/// Why no further input can be read.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The server sends this error before it closes.
    Told(Report),
    /// The server closes without a message.
    Silent,
}

/// Returns kind and total length of the first message, in bytes; `None`: the message is incomplete.
///
/// *Errors*: 08P01 for an unknown kind; an impossible length.
pub(crate) fn frame(bytes: &[u8]) -> Result<Option<(u8, usize)>, Broken> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    if !b"QPBDECHSXFdcf".contains(&kind) {
        return Err(Broken::Told(protocol_violation(format!("invalid frontend message type {kind}")).made_fatal()));
    }
    let length = length_of(rest)?;
    Ok(length.filter(|length| rest.len() >= *length).map(|length| (kind, 1 + length)))
}

/// Reads the length field of a message, which includes the field itself; `None`: it is incomplete.
///
/// *Errors*: less than 4, or more than `LONGEST`.
pub(crate) fn length_of(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let Some(header) = bytes.first_chunk::<4>() else { return Ok(None) };
    match usize::try_from(i32::from_be_bytes(*header)) {
        Ok(length) if (4..=LONGEST).contains(&length) => Ok(Some(length)),
        _ => Err(Broken::Silent),
    }
}

/// Parses a message body.
///
/// *Errors*: 08P01 if the body is too short, too long or otherwise malformed; 22021 if a text is not UTF-8.
pub(crate) fn parse(kind: u8, body: &[u8]) -> Result<Frontend<'_>, Report> {
    let mut body = Body(body);
    let message = match kind {
        b'Q' => Frontend::Query(body.text()?),
        b'P' => {
            let (name, sql, count) = (body.text()?, body.text()?, body.count()?);
            let types = (0..count).map(|_| body.i32().map(|oid| oid as u32)).collect::<Result<_, _>>()?;
            Frontend::Parse { name, sql, types }
        }
        b'B' => Frontend::Bind(body.bind()?),
        b'D' => Frontend::Describe { what: body.named("DESCRIBE")?, name: body.text()? },
        b'E' => Frontend::Execute { portal: body.text()?, limit: body.i32()? },
        b'C' => Frontend::Close { what: body.named("CLOSE")?, name: body.text()? },
        b'H' => Frontend::Flush,
        b'S' => Frontend::Sync,
        b'X' => Frontend::Terminate,
        b'F' => return Ok(Frontend::FunctionCall),
        _ => return Ok(Frontend::Stray),
    };
    match body.0 {
        [] => Ok(message),
        _ => Err(protocol_violation("invalid message format")),
    }
}

struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Report> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or_else(|| protocol_violation("insufficient data left in message"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Report> {
        let (taken, rest) =
            self.0.split_first_chunk().ok_or_else(|| protocol_violation("insufficient data left in message"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn i16(&mut self) -> Result<i16, Report> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32, Report> {
        self.array().map(i32::from_be_bytes)
    }

    fn count(&mut self) -> Result<u16, Report> {
        self.array().map(u16::from_be_bytes)
    }

    fn text(&mut self) -> Result<&'a str, Report> {
        let found = CStr::from_bytes_until_nul(self.0).map_err(|_| protocol_violation("invalid string in message"))?;
        self.take(found.count_bytes() + 1)?;
        utf8(found.to_bytes())
    }

    fn formats(&mut self) -> Result<Vec<i16>, Report> {
        (0..self.count()?).map(|_| self.i16()).collect()
    }

    fn named(&mut self, command: &str) -> Result<Named, Report> {
        match self.array::<1>()? {
            [b'S'] => Ok(Named::Statement),
            [b'P'] => Ok(Named::Portal),
            [other] => Err(protocol_violation(format!("invalid {command} message subtype {other}"))),
        }
    }

    fn bind(&mut self) -> Result<Bind<'a>, Report> {
        let (portal, statement, formats) = (self.text()?, self.text()?, self.formats()?);
        let mut values = Vec::new();
        for _ in 0..self.count()? {
            values.push(match self.i32()? {
                -1 => None,
                length => Some(
                    usize::try_from(length)
                        .map_err(|_| protocol_violation("insufficient data left in message"))
                        .and_then(|length| self.take(length))?,
                ),
            });
        }
        Ok(Bind { portal, statement, formats, values, results: self.formats()? })
    }
}
