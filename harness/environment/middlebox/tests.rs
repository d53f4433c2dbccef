//! Installed middleboxes in front of a real server, observed from a client's socket. Tests skip programs that are not
//! installed.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;
use crate::model::fault::StopMode;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{Binaries, LocalServer, Readiness, Server};

/// Deadline for steps that take milliseconds, on a slow, busy machine; a passing test never waits that long.
const LONG: Duration = Duration::from_secs(60);

/// A middlebox and its server. The fields must be dropped in this order.
struct MiddleboxBench {
    middlebox: MiddleboxProcess,
    server: LocalServer,
    address: Address,
    folder: RunFolder,
}

impl MiddleboxBench {
    async fn new(through: Program, settings: &[(&str, &str)]) -> Option<MiddleboxBench> {
        let (binaries, _) = match (Binaries::find(), find(through)) {
            (Ok(binaries), Ok(found)) => (binaries, found),
            (Err(error), _) => return skip(&error),
            (_, Err(error)) => return skip(&error),
        };
        let folder = RunFolder::create().unwrap();
        let server = LocalServer::create(&binaries, &folder, &[]).await.unwrap();
        server.start().await.unwrap();
        server.wait(Readiness::AcceptingQueries, LONG).await.unwrap();
        set_password(&server.superuser().connect().await.unwrap(), ROLE, "secret").await.unwrap();
        let gateway = server.address();
        let address = Address::plain(gateway, ROLE, "secret", DATABASE);
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let middlebox = Middlebox { through, settings };
        let middlebox = MiddleboxProcess::create(&middlebox, &folder, server.address(), &address).unwrap();
        middlebox.start().await.unwrap_or_else(|error| panic!("{error}"));
        Some(MiddleboxBench { middlebox, server, address, folder })
    }

    async fn client(&self) -> (Client, TcpStream, tokio::task::JoinHandle<()>) {
        let stream = TcpStream::connect(self.middlebox.address()).unwrap();
        let ours = stream.try_clone().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::TcpStream::from_std(stream).unwrap();
        let config = self.address.at(self.middlebox.address());
        let (client, connection) = timeout(LONG, config.connect_raw(stream, NoTls)).await.unwrap().unwrap();
        let driver = tokio::spawn(async move { drop(connection.await) });
        assert_eq!(one(&client).await, Ok(()));
        (client, ours, driver)
    }

    /// Returns a client's socket after its first query; afterwards only the test reads from it.
    async fn silent_socket(&self) -> TcpStream {
        let (client, socket, driver) = self.client().await;
        driver.abort();
        let _ = driver.await;
        drop(client);
        socket.set_nonblocking(false).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        socket
    }

    fn count(&self, is: impl Fn(&MiddleboxProcess, &str) -> bool) -> usize {
        self.middlebox.log().unwrap().iter().filter(|line| is(&self.middlebox, line)).count()
    }
}

fn skip(error: &dyn std::fmt::Display) -> Option<MiddleboxBench> {
    eprintln!("skipped: {error}");
    None
}

async fn one(client: &Client) -> Result<(), String> {
    let answer = timeout(LONG, client.simple_query("SELECT 1")).await.map_err(|_| "no answer".to_owned())?;
    let rows = answer.map_err(|error| error.to_string())?;
    assert!(rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some("1"))));
    Ok(())
}

/// Reads to the end of the stream, which must be a FIN; expects an RST for data sent afterwards.
fn read_to_fin_then_reset(socket: &mut TcpStream) -> Vec<u8> {
    let mut last_words = Vec::new();
    socket.read_to_end(&mut last_words).expect("a FIN, no RST");
    socket.write_all(b"Q\0\0\0\rSELECT 1\0").expect("the first bytes after a FIN still go out");
    let begun = std::time::Instant::now();
    let refused = loop {
        match socket.write_all(b"X\0\0\0\x04") {
            Err(error) => break error.kind(),
            Ok(()) => assert!(begun.elapsed() < LONG, "no RST"),
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset].contains(&refused), "{refused}");
    last_words
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_transaction_pooling_closes_idle_clients() {
    let settings = [("pool_mode", "transaction"), ("client_idle_timeout", "1")];
    let Some(bench) = MiddleboxBench::new(Program::PgBouncer, &settings).await else { return };
    let mut socket = bench.silent_socket().await;
    let last_words = read_to_fin_then_reset(&mut socket);
    assert_eq!(last_words, b"E\0\0\0(SFATAL\0C08P01\0Mclient_idle_timeout\0\0");
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_session_pooling_keeps_idle_clients() {
    let settings = [("pool_mode", "session"), ("client_idle_timeout", "1")];
    let Some(bench) = MiddleboxBench::new(Program::PgBouncer, &settings).await else { return };
    let (client, ..) = bench.client().await;
    // 3 s is three times the timeout.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(one(&client).await, Ok(()));
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_closes_idle_clients_with_a_fin() {
    let settings = [("timeout client", "1s"), ("timeout server", "1s")];
    let Some(bench) = MiddleboxBench::new(Program::HaProxy, &settings).await else { return };
    let mut socket = bench.silent_socket().await;
    assert_eq!(read_to_fin_then_reset(&mut socket), b"");
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn middlebox_restarts_on_the_same_port() {
    for (_, program) in Program::ALL {
        let Some(bench) = MiddleboxBench::new(program, &[]).await else { continue };
        let mut socket = bench.silent_socket().await;
        for _ in 0..2 {
            assert!(bench.middlebox.stop().await.unwrap().is_some());
            let refused = TcpStream::connect(bench.middlebox.address()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{program}");
            assert_eq!(bench.middlebox.stop().await.unwrap(), None);
            bench.middlebox.start().await.unwrap();
        }
        let mut last_words = Vec::new();
        let end = socket.read_to_end(&mut last_words).map_err(|error| error.kind());
        assert_eq!((end, last_words), (Ok(0), Vec::new()), "{program} sends only a FIN");
        bench.client().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_refuses_clients_while_the_server_is_away() {
    let Some(bench) = MiddleboxBench::new(Program::PgBouncer, &[]).await else { return };
    let mut socket = bench.silent_socket().await;
    bench.server.stop(StopMode::Fast).await.unwrap();
    let last_words = read_to_fin_then_reset(&mut socket);
    let position = |code: &[u8]| last_words.windows(code.len()).position(|words| words == code);
    let (first, second) = (position(b"C57P01\0").unwrap(), position(b"C08P01\0Mserver conn crashed?\0").unwrap());
    assert!(first < second);
    assert_eq!(bench.count(MiddleboxProcess::is_refusal), 1);
    assert!(TcpStream::connect(bench.middlebox.address()).is_ok());

    bench.server.start().await.unwrap();
    bench.server.wait(Readiness::AcceptingQueries, LONG).await.unwrap();
    bench.middlebox.wait().await.unwrap();
    bench.client().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn middlebox_follows_a_moved_server() {
    for (_, program) in Program::ALL {
        let Some(bench) = MiddleboxBench::new(program, &[]).await else { continue };
        let Some(other) = MiddleboxBench::new(program, &[]).await else { continue };
        bench.server.stop(StopMode::Fast).await.unwrap();
        bench.middlebox.route_to(other.server.address()).await.unwrap();
        bench.middlebox.wait().await.unwrap_or_else(|error| panic!("{error}"));
        bench.client().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_setting_is_an_error_with_the_log() {
    for (program, name) in [(Program::PgBouncer, "client_idle_timeuot"), (Program::HaProxy, "timeout cleint")] {
        let Some(bench) = MiddleboxBench::new(program, &[]).await else { continue };
        let wrong = Middlebox { through: program, settings: vec![(name.to_owned(), "2".to_owned())] };
        let other = RunFolder::create().unwrap();
        let middlebox = MiddleboxProcess::create(&wrong, &other, bench.server.address(), &bench.address).unwrap();
        let error = middlebox.start().await.unwrap_err().to_string();
        let word = name.rsplit(' ').next().unwrap();
        assert!(error.contains("has ended") && error.contains(word), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_middlebox_leaves_no_process() {
    for (_, program) in Program::ALL {
        let Some(bench) = MiddleboxBench::new(program, &[]).await else { continue };
        let (folder, address) = (bench.folder.path().to_owned(), bench.middlebox.address());
        drop(bench);
        assert!(!folder.exists());
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
