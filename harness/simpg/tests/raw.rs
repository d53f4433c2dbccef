//! A raw protocol client that formats each received message as one line.

use std::time::Duration;

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Longest wait for an answer, in virtual time.
const PATIENCE: Duration = Duration::from_secs(100);

pub struct Raw<S> {
    pub stream: S,
    input: BytesMut,
}

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.put_i32(body.len() as i32 + 4);
    bytes.extend_from_slice(body);
    bytes
}

pub fn packet(code: i32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_i32(body.len() as i32 + 8);
    bytes.put_i32(code);
    bytes.extend_from_slice(body);
    bytes
}

pub fn startup(user: &str, more: &str) -> Vec<u8> {
    packet(3 << 16, format!("user\0{user}\0database\0squall\0{more}\0").as_bytes())
}

pub fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let mut body = format!("{name}\0{sql}\0").into_bytes();
    body.put_i16(types.len() as i16);
    types.iter().for_each(|oid| body.put_u32(*oid));
    message(b'P', &body)
}

/// Parameters in text format; results in text or binary.
pub fn bind(portal: &str, statement: &str, values: &[Option<&str>], binary: bool) -> Vec<u8> {
    let mut body = format!("{portal}\0{statement}\0").into_bytes();
    body.put_i16(0);
    body.put_i16(values.len() as i16);
    for value in values {
        match value {
            None => body.put_i32(-1),
            Some(value) => {
                body.put_i32(value.len() as i32);
                body.extend_from_slice(value.as_bytes());
            }
        }
    }
    body.put_i16(1);
    body.put_i16(i16::from(binary));
    message(b'B', &body)
}

pub fn describe(what: u8, name: &str) -> Vec<u8> {
    message(b'D', &[&[what], name.as_bytes(), b"\0"].concat())
}

pub fn execute(portal: &str, limit: i32) -> Vec<u8> {
    message(b'E', &[portal.as_bytes(), b"\0", &limit.to_be_bytes()].concat())
}

pub fn close(what: u8, name: &str) -> Vec<u8> {
    message(b'C', &[&[what], name.as_bytes(), b"\0"].concat())
}

pub fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// Parse, Bind, Describe, Execute and Sync of one statement.
pub fn extended(sql: &str, values: &[Option<&str>], binary: bool) -> Vec<u8> {
    [parse("", sql, &[]), bind("", "", values, binary), describe(b'P', ""), execute("", 0), sync()].concat()
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub fn new(stream: S) -> Raw<S> {
        Raw { stream, input: BytesMut::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next message as one line, or the end of the connection.
    pub async fn next(&mut self) -> String {
        loop {
            if let Some(header) = self.input.first_chunk::<5>() {
                let length = 1 + i32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
                if self.input.len() >= length {
                    let message = self.input.split_to(length);
                    return words(message[0], &message[5..]);
                }
            }
            match timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await {
                Err(_) => return "nothing".into(),
                Ok(Ok(0)) if self.input.is_empty() => return "FIN".into(),
                Ok(Ok(0)) => return format!("FIN after {:?}", self.input),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return format!("{:?}", error.kind()),
            }
        }
    }

    /// All messages up to the next ReadyForQuery, or the end.
    pub async fn answer(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            let next = self.next().await;
            let is_last = next.starts_with("Z ") || next == "nothing" || !next.contains(' ');
            said.push(next);
            if is_last {
                return said;
            }
        }
    }

    pub async fn ask(&mut self, bytes: &[u8]) -> Vec<String> {
        self.send(bytes).await;
        self.answer().await
    }
}

fn text(body: &mut &[u8]) -> String {
    let end = body.iter().position(|byte| *byte == 0).unwrap();
    let text = String::from_utf8_lossy(&body[..end]).into_owned();
    body.advance(end + 1);
    text
}

fn words(kind: u8, mut body: &[u8]) -> String {
    let body = &mut body;
    let kind = char::from(kind);
    match kind {
        'E' | 'N' => {
            let mut fields = Vec::new();
            while body[0] != 0 {
                let field = body.get_u8();
                let value = text(body);
                if b"VCMDH".contains(&field) {
                    fields.push(value);
                }
            }
            format!("{kind} {}", fields.join(" / "))
        }
        'C' => format!("C {}", text(body)),
        'S' => format!("S {}={}", text(body), text(body)),
        'Z' => format!("Z {}", char::from(body.get_u8())),
        'A' => {
            body.get_i32();
            format!("A {}: {}", text(body), text(body))
        }
        'T' => {
            let columns = (0..body.get_i16()).map(|_| {
                let name = text(body);
                body.advance(6);
                let (oid, size, _, format) = (body.get_u32(), body.get_i16(), body.get_i32(), body.get_i16());
                format!("{name}:{oid}:{size}:{format}")
            });
            format!("T {}", columns.collect::<Vec<_>>().join(","))
        }
        'D' => {
            let cells = (0..body.get_i16()).map(|_| match body.get_i32() {
                -1 => "NULL".to_owned(),
                length => body.split_to_vec(length as usize).escape_ascii().to_string(),
            });
            format!("D {}", cells.collect::<Vec<_>>().join("|"))
        }
        't' => {
            let types = (0..body.get_i16()).map(|_| body.get_u32().to_string());
            format!("t {}", types.collect::<Vec<_>>().join(","))
        }
        'R' => format!("R {}", body.get_i32()),
        'K' => "K ".into(),
        'v' => format!("v {} {}", body.get_i32(), body.get_i32()),
        _ => format!("{kind} "),
    }
}

trait SplitTo {
    fn split_to_vec(&mut self, length: usize) -> Vec<u8>;
}

impl SplitTo for &[u8] {
    fn split_to_vec(&mut self, length: usize) -> Vec<u8> {
        let taken = self[..length].to_vec();
        self.advance(length);
        taken
    }
}
