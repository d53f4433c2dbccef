//! The real programs before a real server, seen from a client's socket. What is not installed is skipped, with a word.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::*;
use crate::model::fault::StopMode;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{Binaries, LocalServer, Readiness, Server};

/// How long a slow, busy machine may take for what takes milliseconds; no test waits for it unless it fails.
const LONG: Duration = Duration::from_secs(60);

/// Fields are dropped in this order.
struct Bench {
    middlebox: MiddleboxProcess,
    server: LocalServer,
    address: Address,
    folder: RunFolder,
}

impl Bench {
    async fn new(through: Program, settings: &[(&str, &str)]) -> Option<Bench> {
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
        Some(Bench { middlebox, server, address, folder })
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

    /// A client's bare socket after its first query, with nobody reading from it but the test.
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

fn skip(error: &dyn std::fmt::Display) -> Option<Bench> {
    eprintln!("skipped: {error}");
    None
}

async fn one(client: &Client) -> Result<(), String> {
    let answer = timeout(LONG, client.simple_query("SELECT 1")).await.map_err(|_| "no answer".to_owned())?;
    let rows = answer.map_err(|error| error.to_string())?;
    assert!(rows.iter().any(|row| matches!(row, SimpleQueryMessage::Row(row) if row.get(0) == Some("1"))));
    Ok(())
}

/// All that comes until the end of the stream, which must be a FIN; what is sent then is answered by an RST.
fn until_fin_then_reset(socket: &mut TcpStream) -> Vec<u8> {
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
async fn pgbouncer_tells_an_idle_client_08p01_and_closes_it_in_transaction_pooling() {
    let settings = [("pool_mode", "transaction"), ("client_idle_timeout", "1")];
    let Some(bench) = Bench::new(Program::PgBouncer, &settings).await else { return };
    let mut socket = bench.silent_socket().await;
    let last_words = until_fin_then_reset(&mut socket);
    assert_eq!(last_words, b"E\0\0\0(SFATAL\0C08P01\0Mclient_idle_timeout\0\0");
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_never_finds_a_client_idle_that_has_a_session_of_its_own() {
    let settings = [("pool_mode", "session"), ("client_idle_timeout", "1")];
    let Some(bench) = Bench::new(Program::PgBouncer, &settings).await else { return };
    let (client, ..) = bench.client().await;
    // Three times its limit.
    sleep(Duration::from_secs(3)).await;
    assert_eq!(one(&client).await, Ok(()));
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_closes_an_idle_client_without_a_word() {
    let settings = [("timeout client", "1s"), ("timeout server", "1s")];
    let Some(bench) = Bench::new(Program::HaProxy, &settings).await else { return };
    let mut socket = bench.silent_socket().await;
    assert_eq!(until_fin_then_reset(&mut socket), b"");
    assert_eq!(bench.count(MiddleboxProcess::is_expiry), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_stopped_at_once_and_started_again_on_the_same_port() {
    for (_, program) in Program::ALL {
        let Some(bench) = Bench::new(program, &[]).await else { continue };
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
        assert_eq!((end, last_words), (Ok(0), Vec::new()), "{program} says nothing, and a FIN");
        bench.client().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pgbouncer_stays_and_refuses_by_itself_while_the_server_is_away() {
    let Some(bench) = Bench::new(Program::PgBouncer, &[]).await else { return };
    let mut socket = bench.silent_socket().await;
    bench.server.stop(StopMode::Fast).await.unwrap();
    let last_words = until_fin_then_reset(&mut socket);
    let said = |code: &[u8]| last_words.windows(code.len()).position(|words| words == code);
    let (first, second) = (said(b"C57P01\0").unwrap(), said(b"C08P01\0Mserver conn crashed?\0").unwrap());
    assert!(first < second);
    assert_eq!(bench.count(MiddleboxProcess::is_refusal), 1);
    assert!(TcpStream::connect(bench.middlebox.address()).is_ok());

    bench.server.start().await.unwrap();
    bench.server.wait(Readiness::AcceptingQueries, LONG).await.unwrap();
    bench.middlebox.wait().await.unwrap();
    bench.client().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_follows_a_server_that_has_moved() {
    for (_, program) in Program::ALL {
        let Some(bench) = Bench::new(program, &[]).await else { continue };
        let Some(other) = Bench::new(program, &[]).await else { continue };
        bench.server.stop(StopMode::Fast).await.unwrap();
        bench.middlebox.route_to(other.server.address()).await.unwrap();
        bench.middlebox.wait().await.unwrap_or_else(|error| panic!("{error}"));
        bench.client().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_it_does_not_know_is_an_error_with_its_own_words() {
    for (program, name) in [(Program::PgBouncer, "client_idle_timeuot"), (Program::HaProxy, "timeout cleint")] {
        let Some(bench) = Bench::new(program, &[]).await else { continue };
        let wrong = Middlebox { through: program, settings: vec![(name.to_owned(), "2".to_owned())] };
        let other = RunFolder::create().unwrap();
        let middlebox = MiddleboxProcess::create(&wrong, &other, bench.server.address(), &bench.address).unwrap();
        let error = middlebox.start().await.unwrap_err().to_string();
        let word = name.rsplit(' ').next().unwrap();
        assert!(error.contains("it has ended") && error.contains(word), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_one_that_is_dropped() {
    for (_, program) in Program::ALL {
        let Some(bench) = Bench::new(program, &[]).await else { continue };
        let (folder, address) = (bench.folder.path().to_owned(), bench.middlebox.address());
        drop(bench);
        assert!(!folder.exists());
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
