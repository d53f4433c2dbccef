//! Whether this user can have a kernel plane here: tried, not guessed.

use std::io;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{ClientNetns, Kernel, KernelError, MARK, PacketRule, Way};

/// Longest for a connection over wires that are all in this machine: the kernel asks a second time after one second.
const PATIENCE: Duration = Duration::from_secs(3);

/// What there is here, each with the reason where there is none.
#[derive(Clone, Debug)]
pub struct Availability {
    /// For clients in this process.
    pub in_process: Result<(), String>,
    /// For clients that are processes.
    pub process: Result<(), String>,
}

/// Tries it out, once in the life of this process.
pub async fn available() -> &'static Availability {
    static FOUND: OnceCell<Availability> = OnceCell::const_new();
    FOUND
        .get_or_init(|| async {
            let (in_process, process) = tokio::join!(try_create(ClientNetns::Machine), try_create(ClientNetns::Own));
            let to_text = |found: Result<(), KernelError>| found.map_err(|error| error.to_string());
            Availability { in_process: to_text(in_process), process: to_text(process) }
        })
        .await
}

/// One of each thing that faults are made of, and a connection that comes through.
async fn try_create(side: ClientNetns) -> Result<(), KernelError> {
    let kernel = Kernel::create(side).await?;
    let rule = |matches: &str, verdict| PacketRule { way: Way::Up, matches: matches.into(), counted: None, verdict };
    let rules = [
        rule("ct state new", MARK.set),
        rule("ct state invalid", "drop"),
        rule("ct mark 1", "reject with tcp reset"),
        rule("ip saddr 0.0.0.0 ip protocol tcp", "reject with icmp type admin-prohibited"),
        rule("numgen random mod 1000000 < 1", "drop"),
    ];
    let filter = kernel.install(&rules).await?;
    connect(&kernel).await.map_err(KernelError::NoWay)?;
    kernel.remove(&filter).await?;
    kernel.forget_after(None)
}

/// A connection through the filter: a firewall of the machine's own may keep its client from it.
async fn connect(kernel: &Kernel) -> io::Result<()> {
    let port = kernel.reservation(0)?;
    let _listener = port.listen()?;
    match timeout(PATIENCE, kernel.dial(port.address())).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "a connection has no answer")),
    }
}
