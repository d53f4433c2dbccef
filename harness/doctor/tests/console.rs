//! PgBouncer's admin console: accepts every sign-in, and is no database.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::bench::{assert_finding, concerns, examine_url};
use crate::doctor::{Level, Stage, Topic};

/// A message of the protocol.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], length.as_slice(), body].concat()
}

/// Answers like PgBouncer 1.18 on its console: `SHOW` works, and SQL is a syntax error.
async fn console(mut stream: TcpStream) {
    let mut startup = [0; 4];
    stream.read_exact(&mut startup).await.unwrap();
    let mut rest = vec![0; u32::from_be_bytes(startup) as usize - 4];
    stream.read_exact(&mut rest).await.unwrap();
    let ready = message(b'Z', b"I");
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await.unwrap();
    let mut header = [0; 5];
    while stream.read_exact(&mut header).await.is_ok() && header[0] == b'Q' {
        let mut query = vec![0; u32::from_be_bytes(header[1..].try_into().unwrap()) as usize - 4];
        stream.read_exact(&mut query).await.unwrap();
        let answer = match query.starts_with(b"SHOW VERSION") {
            true => {
                let row = b"PgBouncer 1.18.0";
                let column =
                    [b"\0\x01version\0", [0; 6].as_slice(), &[0, 0, 0, 25, 255, 255, 0, 0, 0, 0, 0, 0]].concat();
                let data = [&[0, 1, 0, 0, 0, row.len() as u8], row.as_slice()].concat();
                [message(b'T', &column), message(b'D', &data), message(b'C', b"SHOW\0")].concat()
            }
            false => message(b'E', b"SERROR\0C08P01\0Minvalid command 'SELECT', use SHOW HELP;\0\0"),
        };
        stream.write_all(&[answer, ready.clone()].concat()).await.unwrap();
    }
}

#[tokio::test]
async fn pgbouncer_console_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { console(listener.accept().await.unwrap().0).await });
    let url = format!("postgres://admin:test-password@127.0.0.1:{port}/pgbouncer?sslmode=disable&connect_timeout=5");
    let diagnosis = examine_url(&url).await;
    assert_eq!(diagnosis.failed, Some(Stage::Queries), "{diagnosis}");
    let about_server = diagnosis.findings.iter().find(|finding| finding.topic == Topic::Server).unwrap();
    assert_finding(
        about_server,
        Topic::Server,
        Level::Problem,
        &["admin console of PgBouncer 1.18.0", "name a database"],
    );
    assert!(!concerns(&diagnosis).iter().any(|finding| finding.topic == Topic::ReplicationSlots), "{diagnosis}");
    server.await.unwrap();
}
