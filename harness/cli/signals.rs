//! Signals that stop the program.

use std::fs;
use std::future::pending;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Completes at Ctrl-C, at SIGTERM, and at SIGHUP, which a closed terminal sends. Catches signals from the call on, not
/// only from the first poll. A SIGHUP that the parent ignores, as `nohup` does, stays ignored.
pub fn stop_requested() -> impl Future<Output = ()> {
    let interrupt = signal(SignalKind::interrupt()).ok();
    let terminate = signal(SignalKind::terminate()).ok();
    let hangup = SignalKind::hangup();
    let hangup = if is_ignored(hangup) { None } else { signal(hangup).ok() };
    async move {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
            () = received(hangup) => {}
        }
    }
}

/// Completes at the signal; never for `None`. A signal that cannot be caught ends the program at once, and the next run
/// cleans up.
async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Whether this process ignores a signal, according to its status; false if that cannot be read.
///
/// *Source*: `proc_pid_status(5)`, `SigIgn`.
fn is_ignored(kind: SignalKind) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, kind.as_raw_value()))
}

fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores("", 1));
    }
}
