//! DNS: a name for the run's servers, and a name server for the client's processes.
//!
//! Owns the zone, its server in the gateway's namespace, and the files that point a process in the client's namespace
//! to it. Faults are defined elsewhere: [`DnsAnswer`](super::DnsAnswer) selects the answer.

#[cfg(feature = "dns")]
mod files;
#[cfg(feature = "dns")]
mod server;
#[cfg(not(feature = "dns"))]
#[path = "no_server.rs"]
mod server;
#[cfg(feature = "dns")]
mod zone;

#[cfg(all(test, feature = "dns"))]
mod tests;

use std::net::Ipv4Addr;

use tokio::sync::OnceCell;

pub(crate) use self::server::Names;
use super::{ClientNetns, Kernel, KernelError};
use crate::run_folder::RunFolder;

/// Returns whether the client's processes can be given a name server, which is tried once in the life of this
/// process.
///
/// *Errors*: the reason, in words.
pub async fn names_available() -> &'static Result<(), String> {
    static FOUND: OnceCell<Result<(), String>> = OnceCell::const_new();
    FOUND.get_or_init(|| async { try_create().await.map_err(|error| error.to_string()) }).await
}

async fn try_create() -> Result<(), KernelError> {
    let folder = RunFolder::create().map_err(KernelError::Names)?;
    let mut kernel = Kernel::create(ClientNetns::Own).await?;
    kernel.give_name(vec![Ipv4Addr::LOCALHOST.into()], folder.path())
}
