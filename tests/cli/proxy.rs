//! `pgsquall proxy`: prints its addresses, forwards bytes, and stops at a signal.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use nix::sys::signal::Signal;

use super::common::postgres::Postgres;
use super::common::{Output, Running, Workspace, signal};

/// Starts a server that echoes all bytes.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || {
                let stream = stream.unwrap();
                // Fails if the connection is reset.
                let _ = std::io::copy(&mut &stream, &mut &stream);
            });
        }
    });
    address
}

type Lines<'a> = std::io::Lines<BufReader<&'a mut std::process::ChildStdout>>;

/// Returns the next line that the proxy prints.
#[track_caller]
fn next(lines: &mut Lines) -> String {
    lines.next().expect("it ended early").unwrap()
}

/// Finds the addresses in a line, in order.
fn addresses(line: &str) -> impl Iterator<Item = SocketAddr> {
    line.split_whitespace().filter_map(|word| word.trim_matches([',', ';', '(', ')']).parse().ok())
}

/// Returns the address on which a proxy listens, from the next line: that has its name, this address and its upstream.
#[track_caller]
fn listens(lines: &mut Lines, name: &str, upstream: &str) -> String {
    let line = next(lines);
    assert!(line.starts_with(&format!("{name} ")), "{line}");
    let found: Vec<_> = addresses(&line).map(|address| address.to_string()).collect();
    assert!(found.len() == 2 && found[1] == upstream, "{line}");
    found[0].clone()
}

/// Returns the API's address, from the next line.
#[track_caller]
fn api(lines: &mut Lines, seed: &str) -> String {
    let line = next(lines);
    assert!(line.contains(seed), "{line}");
    let address = line.split_once("http://").unwrap_or_else(|| panic!("{line}")).1;
    address.split([';', ' ', '/', ',']).next().unwrap().to_owned()
}

#[track_caller]
fn echoes(through: &str) -> TcpStream {
    let mut stream = TcpStream::connect(through).unwrap();
    stream.write_all(b"word").unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"word");
    stream
}

/// Sends a request to the API; returns the whole response, head included.
fn request(api: &str, what: &str, body: &str) -> String {
    let mut http = TcpStream::connect(api).unwrap();
    let length = body.len();
    let text = format!("{what} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    http.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    answer
}

/// Stops the proxy with a signal; asserts exit code 0 and an empty stderr.
#[track_caller]
fn stops(mut child: Running, with: Signal) {
    signal(&child, with);
    let output = Output::of(&mut child);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output}");
}

#[test]
fn proxy_forwards_and_serves_its_api_until_stopped() {
    let workspace = Workspace::new();
    let upstream = echo_server().to_string();
    for with in [Signal::SIGTERM, Signal::SIGINT] {
        let words = ["proxy", "--upstream", &upstream, "--api", "127.0.0.1:0", "--seed", "7", "--tap", "tap.jsonl"];
        let mut child = workspace.start(&words);
        let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let address = listens(&mut lines, "postgres", &upstream);
        let api = api(&mut lines, "seed 7");
        let mut open = echoes(&address);

        let answer = request(&api, "GET /proxies/postgres", "");
        assert!(
            answer.starts_with("HTTP/1.1 200 OK") && answer.contains(&format!("\"listen\":\"{address}\"")),
            "{answer}"
        );

        stops(child, with);
        assert_eq!(open.read(&mut [0]).unwrap(), 0, "it ends in order");
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let tap = workspace.read("tap.jsonl");
        assert!(
            tap.starts_with("{\"pgsquall_tap\":1}\n") && tap.contains("\"opened\"") && tap.contains("\"ended\""),
            "{tap}"
        );
    }
}

#[tokio::test]
async fn commit_reply_cut_point_keeps_the_commit() {
    let Some(server) = Postgres::start() else { return };
    let workspace = Workspace::new();
    let upstream = format!("127.0.0.1:{}", server.port);
    let mut child = workspace.start(&["proxy", "--upstream", &upstream, "--api", "127.0.0.1:0"]);
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let address = listens(&mut lines, "postgres", &upstream);
    let api = api(&mut lines, "seed ");
    let url = server.url("Secret-1").replace(&upstream, &address);
    let connect = async || {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    };

    let client = connect().await;
    client.batch_execute("CREATE TABLE kept (id int)").await.unwrap();
    let code = client.batch_execute("SELECT 1 / 0").await.unwrap_err().code().unwrap().code().to_owned();
    let toxic = r#"{"type": "cut_point", "attributes": {"point": "commit-reply", "times": 1}}"#;
    let answer = request(&api, "POST /proxies/postgres/toxics", toxic);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    client.batch_execute("BEGIN").await.unwrap();
    client.batch_execute("INSERT INTO kept VALUES (1)").await.unwrap();
    let error = client.batch_execute("COMMIT").await.unwrap_err();
    assert!(error.as_db_error().is_none(), "the connection is gone: {error}");
    assert_eq!(server.sql("SELECT count(*) FROM kept"), "1");
    connect().await.batch_execute("BEGIN; COMMIT").await.expect("it was to be done once");

    let tap = request(&api, "GET /proxies/postgres/tap", "");
    for text in [&format!("\"{code}\":1"), "\"authenticated\":2", "\"struck\":1", "\"strikes\":1"] {
        assert!(tap.contains(text), "{text} is not in {tap}");
    }
    stops(child, Signal::SIGTERM);
}

#[test]
fn proxies_from_a_file_without_api() {
    let workspace = Workspace::new();
    let upstream = echo_server();
    let list = format!(
        r#"[{{"name": "a", "listen": "127.0.0.1:0", "upstream": "{upstream}"}},
            {{"name": "b", "listen": "127.0.0.1:0", "upstream": "{upstream}", "enabled": false}}]"#
    );
    workspace.write("proxies.json", &list);
    let mut child = workspace.start(&["proxy", "--config", "proxies.json", "--api", "off"]);
    let mut lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let address = listens(&mut lines, "a", &upstream.to_string());
    // For a disabled proxy, the line has only its upstream.
    let disabled = next(&mut lines);
    assert!(disabled.starts_with("b ") && addresses(&disabled).eq([upstream]), "{disabled}");
    let none = next(&mut lines);
    assert!(none.contains("seed ") && !none.contains("http://"), "{none}");
    echoes(&address);
    stops(child, Signal::SIGTERM);
}

#[test]
fn port_in_use_is_refused() {
    let workspace = Workspace::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _held = TcpListener::bind(taken).unwrap();
    let taken = taken.to_string();
    let words = ["proxy", "--listen", &taken, "--upstream", "127.0.0.1:1", "--api", "off"];
    workspace.run(&words).refuses(69, &["postgres", &taken, "port"]);
    let words = ["proxy", "--upstream", "127.0.0.1:1", "--api", &taken];
    workspace.run(&words).refuses(69, &[&taken, "--api"]);
    let words = ["proxy", "--upstream", "127.0.0.1:1", "--api", "off", "--tap", "/nowhere/tap"];
    workspace.run(&words).refuses(69, &["/nowhere/tap"]);
}

#[test]
fn invalid_arguments_are_refused() {
    let workspace = Workspace::new();
    let refused = |words: &[&str], texts: &[&str]| {
        workspace.run(&[&["proxy"], words].concat()).refuses(64, texts);
    };
    refused(&["--api", "off"], &["--upstream HOST:PORT"]);
    refused(&["--listen", "127.0.0.1:0"], &["--upstream"]);
    refused(&["--upstream", "localhost", "--api", "off"], &["upstream", "\"localhost\"", "127.0.0.1:5432"]);
    refused(&["--upstream", "no-such-host.invalid:1", "--api", "off"], &["\"no-such-host.invalid:1\""]);
    refused(&["--upstream", "127.0.0.1:1", "--api", "on"], &["\"on\"", "port"]);
    refused(&["--upstream", "127.0.0.1:1", "--seed", "x"], &["--seed"]);
    refused(&["--config", "no.json"], &["no.json"]);
    workspace.write("bad.json", r#"[{"name": "a"}]"#);
    refused(&["--config", "bad.json"], &["bad.json: ", "missing required field: upstream at proxy 1"]);
}
