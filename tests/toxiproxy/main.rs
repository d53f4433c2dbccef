//! Tests the stand-alone proxy over HTTP: statuses and bodies as in Toxiproxy, and the effects of toxics on connections
//! to an echo server.
#![cfg(feature = "proxy")]

mod errors;
mod extensions;
mod faults;
mod new_connections;
mod proxies;
mod tls;
mod toxics;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use pgsquall::model::seed::Seed;
use pgsquall::toxiproxy::{Service, Settings};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// Time limit for operations that take milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service and its runtime.
struct Api {
    runtime: Runtime,
    service: Option<Service>,
}

impl Api {
    fn new() -> Api {
        Api::with(Settings::default())
    }

    fn with_tap(tap: Option<PathBuf>) -> Api {
        Api::with(Settings { tap, ..Settings::default() })
    }

    fn with(settings: Settings) -> Api {
        let runtime = Runtime::new().unwrap();
        let settings = Settings { api: Some("127.0.0.1:0".into()), seed: Seed(7), ..settings };
        let service = Some(runtime.block_on(Service::start(settings)).unwrap());
        Api { runtime, service }
    }

    fn address(&self) -> SocketAddr {
        self.service.as_ref().unwrap().api().unwrap()
    }

    /// Sends a raw request; returns status and body.
    fn raw(&self, request: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let length = body.len();
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// Sends a request; asserts this status and returns the JSON body.
    #[track_caller]
    fn request(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (got, text) = self.send(method, path, &body);
        assert_eq!(got, status, "{method} {path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    #[track_caller]
    fn read(&self, path: &str) -> Value {
        self.request("GET", path, Value::Null, 200)
    }

    /// Sends a request; asserts 204 without a body.
    #[track_caller]
    fn expect_no_content(&self, method: &str, path: &str) {
        assert_eq!(self.send(method, path, ""), (204, String::new()), "{method} {path}");
    }

    /// Creates a proxy `echo` in front of a new echo server; returns the proxy's address.
    fn echo(&self) -> SocketAddr {
        let proxy = json!({"name": "echo", "listen": "127.0.0.1:0", "upstream": echo_server().to_string()});
        address_of(&self.request("POST", "/proxies", proxy, 201))
    }

    /// Adds a toxic to `echo`.
    #[track_caller]
    fn toxic(&self, toxic: Value) -> Value {
        self.request("POST", "/proxies/echo/toxics", toxic, 200)
    }

    fn tap(&self) -> Value {
        self.read("/proxies/echo/tap")
    }

    fn shutdown(&mut self) {
        if let Some(service) = self.service.take() {
            self.runtime.block_on(service.shutdown()).unwrap();
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // After a panic, a second one in `shutdown` would abort; dropping the service is enough.
        if !thread::panicking() {
            self.shutdown();
        }
    }
}

fn address_of(proxy: &Value) -> SocketAddr {
    proxy["listen"].as_str().unwrap().parse().unwrap()
}

/// Starts a server that echoes all bytes, and closes a connection when the client does; returns its address.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut bytes) {
                    if stream.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a word and waits for its echo; returns the time that it took.
#[track_caller]
fn echo(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    stream.write_all(b"word").unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"word");
    began.elapsed()
}

/// Reads a connection to its end; returns `Ok` for a FIN, otherwise the error.
fn end_of(stream: &mut TcpStream) -> Result<(), ErrorKind> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(|_| ()).map_err(|error| error.kind())
}

/// Whether neither a byte nor an end arrives within 300 ms, which is long on an idle machine.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let silent = matches!(stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    silent
}

/// Waits until a condition holds; panics with `what` after [`PATIENCE`].
#[track_caller]
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
