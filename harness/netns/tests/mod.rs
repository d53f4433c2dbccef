//! The kernel plane on the real kernel: what it creates, what it leaves behind, and which packets it lets through.

mod calibration;
mod filters;
mod planes;

use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::{ClientNetns, Kernel, PacketRule, Way, available};
use crate::gateway::port::Reservation;

/// Time limit of anything that takes milliseconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Environment variable that marks a test process as running alone in a network namespace.
const ALONE: &str = "PGSQUALL_TEST_ALONE";

/// Returns whether a plane can be created for this client side; prints the reason if not.
async fn can_create(side: ClientNetns) -> bool {
    let here = available().await;
    let found = match side {
        ClientNetns::Machine => &here.in_process,
        ClientNetns::Own => &here.process,
    };
    if let Err(reason) = found {
        println!("skipped: {side:?}: {reason}");
    }
    found.is_ok()
}

/// Runs a test again, in a process with its own network namespace instead of the host's, so that no other test
/// creates interfaces there. `name`: the path of the test.
fn alone<Body: Future>(name: &str, body: impl FnOnce() -> Body) {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(body());
        return;
    }
    // Without root, a user namespace makes the test process root in its own network.
    let is_root = nix::unistd::geteuid().is_root();
    let words: &[&str] = if is_root { &["--net"] } else { &["--net", "--map-root-user"] };
    let unshare = |program: &str| {
        let mut command = Command::new("unshare");
        command.args(words).arg("--").arg(program);
        command
    };
    if !unshare("true").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: no network namespace for a test of its own");
        return;
    }
    let name = name.split_once("::").map_or(name, |(_, inside)| inside);
    let program = std::env::current_exe().unwrap();
    let mut again = unshare(program.to_str().unwrap());
    let output = again.args([name, "--exact", "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "in a network of its own");
}

/// Returns the output of a tool in the namespace of this process.
fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap();
    assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until a condition holds; returns the time that this took.
async fn until(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(2)).await;
    }
    began.elapsed()
}

/// A plane with a listener in place of the gateway.
struct NetnsBench {
    kernel: Kernel,
    port: Reservation,
    listener: TcpListener,
}

impl NetnsBench {
    /// Creates one with the client in a namespace of its own; `None`, with a message, if that is not possible.
    async fn new() -> Option<NetnsBench> {
        if !can_create(ClientNetns::Own).await {
            return None;
        }
        Some(NetnsBench::on(ClientNetns::Own).await)
    }

    async fn on(side: ClientNetns) -> NetnsBench {
        let kernel = Kernel::create(side).await.unwrap();
        let port = kernel.reservation(0).unwrap();
        let listener = TcpListener::from_std(port.listen().unwrap()).unwrap();
        NetnsBench { kernel, port, listener }
    }

    /// Connects with these socket options of the client; returns the client's end, then the server's.
    async fn connect(&self, set: impl FnOnce(&SockRef<'_>)) -> (TcpStream, TcpStream) {
        let client = self.dial(set).await.unwrap();
        let (server, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        (client, server)
    }

    /// Connects with these socket options of the client; the server's end stays in the listener's queue.
    async fn dial(&self, set: impl FnOnce(&SockRef<'_>)) -> io::Result<TcpStream> {
        let socket = self.kernel.client_socket()?;
        socket.set_nonblocking(true)?;
        set(&SockRef::from(&socket));
        tokio::net::TcpSocket::from_std_stream(socket.into()).connect(self.port.address()).await
    }
}

/// Asserts that a word sent at one end arrives at the other.
async fn assert_passes(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"word").await.unwrap();
    let mut word = [0; 4];
    timeout(PATIENCE, to.read_exact(&mut word)).await.unwrap().unwrap();
    assert_eq!(&word, b"word");
}

/// Returns a rule that counts its packets.
fn rule(way: Way, matches: &str, verdict: &'static str) -> PacketRule {
    PacketRule { way, matches: matches.into(), counted: Some("packets"), verdict }
}

/// Returns rules that drop every packet.
fn blackhole() -> [PacketRule; 2] {
    [rule(Way::Up, "", "drop"), rule(Way::Down, "", "drop")]
}
