//! This machine's keepalive defaults, for sockets that set none.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::doctor::facts::Keepalive;

/// The folder of Linux's settings; other systems have none.
const FOLDER: &str = "/proc/sys/net/ipv4";

/// Reads the defaults; `None` if this system has no such files.
pub(super) fn keepalive() -> Option<Keepalive> {
    let number = |name| fs::read_to_string(Path::new(FOLDER).join(name)).ok()?.trim().parse::<u32>().ok();
    let seconds = |name| number(name).map(|seconds| Duration::from_secs(seconds.into()));
    Some(Keepalive {
        idle: seconds("tcp_keepalive_time")?,
        interval: seconds("tcp_keepalive_intvl")?,
        count: number("tcp_keepalive_probes")?,
    })
}
