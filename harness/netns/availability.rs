//! Whether this user can create a kernel plane on this host. Creates one, because no list of conditions would be
//! complete.

use std::io;
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{ClientNetns, Kernel, KernelError, MARK, PacketRule, Way};

/// Time limit of the test connection: longer than the second after which the kernel sends a lost SYN again.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the kernel plane is available, and the reason if not.
#[derive(Clone, Debug)]
pub struct Availability {
    /// For clients in this process.
    pub in_process: Result<(), String>,
    /// For clients that are processes.
    pub process: Result<(), String>,
}

/// Returns the result of creating a plane of each kind, which is tried once in the life of this process.
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

/// Creates a plane, installs a rule of each kind that faults use, connects through it, and changes the idle timeout.
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

/// Connects from the client to the gateway through the filter, which a firewall of the host may prevent.
async fn connect(kernel: &Kernel) -> io::Result<()> {
    let port = kernel.reservation(0)?;
    let _listener = port.listen()?;
    match timeout(PATIENCE, kernel.dial(port.address())).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the connect timed out")),
    }
}
