//! The kernel plane where there is none: it takes Linux.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

pub(crate) use super::packets::{MARK, PacketRule, SECOND_MARK, Way};
use super::port::Reservation;
pub(crate) use super::saying::{NAME, Saying};

/// Where servers would listen.
pub(crate) const PORT: u16 = 5432;

/// Why there is no kernel plane.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    #[error("network namespaces are Linux's alone")]
    NotLinux,
}

/// What there is here, each with the reason where there is none.
#[derive(Clone, Debug)]
pub struct Availability {
    /// For clients in this process.
    pub in_process: Result<(), String>,
    /// For clients that are processes.
    pub process: Result<(), String>,
}

/// Nothing.
pub async fn available() -> &'static Availability {
    static FOUND: std::sync::LazyLock<Availability> = std::sync::LazyLock::new(|| {
        let none = || Err(KernelError::NotLinux.to_string());
        Availability { in_process: none(), process: none() }
    });
    &FOUND
}

/// No names either.
pub async fn names_available() -> &'static Result<(), String> {
    static FOUND: std::sync::LazyLock<Result<(), String>> =
        std::sync::LazyLock::new(|| Err(KernelError::NotLinux.to_string()));
    &FOUND
}

/// Where the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Machine,
    Own,
}

/// One that cannot be made.
pub(crate) struct Kernel(Infallible);

/// One that cannot be made.
#[derive(Debug)]
pub(crate) struct Space(#[allow(dead_code, reason = "it is never there to be read")] Infallible);

/// One that cannot be made.
#[derive(Debug)]
pub(crate) struct Filter(#[allow(dead_code, reason = "it is never there to be read")] Infallible);

/// One that cannot be made.
pub(crate) struct Names(Infallible);

impl Names {
    pub fn say(&self, _saying: Saying) {
        match self.0 {}
    }

    pub fn lead_to(&self, _addresses: Vec<IpAddr>) {
        match self.0 {}
    }

    pub fn answered(&self, _saying: Saying) -> u64 {
        match self.0 {}
    }
}

/// One that cannot be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flow(Infallible);

impl Flow {
    pub fn end(&self) -> SocketAddr {
        match self.0 {}
    }
}

/// One that cannot be read.
pub(crate) struct FlowTable(Infallible);

impl FlowTable {
    pub fn established(&mut self) -> io::Result<Vec<Flow>> {
        match self.0 {}
    }
}

/// One that cannot listen.
pub(crate) struct Listener(Infallible);

impl Listener {
    pub async fn next(&self) -> io::Result<Infallible> {
        match self.0 {}
    }
}

/// One that follows nothing.
#[derive(Default)]
pub(crate) struct Follower {
    pub probes: [u64; 2],
}

impl Follower {
    pub fn see(&mut self, segment: &Infallible, _at: Instant) {
        match *segment {}
    }

    pub fn is_kept_by_probes(&self, flow: &Flow, _idle: Duration, _since: Instant, _now: Instant) -> bool {
        match flow.0 {}
    }
}

impl Kernel {
    pub async fn create(_side: Side) -> Result<Kernel, KernelError> {
        Err(KernelError::NotLinux)
    }

    pub fn reservation(&self, _index: usize) -> io::Result<Reservation> {
        match self.0 {}
    }

    pub fn home(&self) -> Option<&Arc<Space>> {
        match self.0 {}
    }

    pub async fn dial(&self, _address: SocketAddr) -> io::Result<TcpStream> {
        match self.0 {}
    }

    pub async fn impose(&self, _rules: &[PacketRule]) -> Result<Filter, KernelError> {
        match self.0 {}
    }

    pub async fn lift(&self, _filter: &Filter) -> Result<(), KernelError> {
        match self.0 {}
    }

    pub async fn count(&self, _filter: &Filter) -> Result<Vec<(&'static str, u64)>, KernelError> {
        match self.0 {}
    }

    pub fn give_name(&mut self, _addresses: Vec<IpAddr>, _folder: &Path) -> Result<(), KernelError> {
        match self.0 {}
    }

    pub fn names(&self) -> Option<&Names> {
        match self.0 {}
    }

    pub fn flows(&self) -> Result<FlowTable, KernelError> {
        match self.0 {}
    }

    pub fn forget_after(&self, _idle: Option<Duration>) -> Result<(), KernelError> {
        match self.0 {}
    }

    pub fn listener(&self) -> io::Result<Listener> {
        match self.0 {}
    }

    pub fn held(&self) -> io::Result<BTreeSet<SocketAddr>> {
        match self.0 {}
    }
}
