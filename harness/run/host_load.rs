//! The load of the host, and how much work had to wait for a processor: a client that is slow on an overloaded machine
//! need not be slow.
//!
//! Measured for the whole machine, not for the threads of this process, because client and server can be other
//! processes. Also, a thread that works for microseconds waits as long on a quiet machine (half of its runnable time),
//! so thread statistics do not tell a quiet machine from a busy one.
//!
//! A low rate is the client's fault only if the machine had capacity to spare. Once a second this records how busy all
//! processors are (without lower-priority work) and the kernel's CPU pressure. The judge calls a low rate unknown if
//! the processors were 95 % busy after recovery, or 75 % while tasks waited for a quarter of the time. A sleeping
//! client raises neither figure. A client that itself uses all processors is excused, because these figures do not
//! distinguish it from other processes.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::history::Event;
use crate::recorder::Recorder;

/// Interval of the samples.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Records the load until the future is dropped; nothing if the system does not report it.
pub(crate) async fn watch(recorder: &Recorder) -> std::convert::Infallible {
    let mut before = (times(), pressure(), Instant::now());
    loop {
        sleep(LOOK_EVERY).await;
        let now = (times(), pressure(), Instant::now());
        let waited = before.1.zip(now.1).and_then(|(before, now)| now.checked_sub(before));
        let waited = waited.and_then(|waited| part(waited, now.2 - before.2));
        if let Some(busy) = before.0.zip(now.0).and_then(|(before, now)| share(before, now)) {
            recorder.record_now(|at| Event::Machine { at, busy, waited });
        }
        before = now;
    }
}

/// Ticks of all processors together: all, and those that were idle or spent on niced processes.
type Times = (u64, u64);

fn times() -> Option<Times> {
    read(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal; the fields after these
/// are included in the first two.
fn read(text: &str) -> Option<Times> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().take(8).map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    let idle = ticks.get(3)? + ticks.get(4)?;
    // Niced processes take nothing from a client.
    let gives_way = ticks.get(1)?;
    Some((ticks.iter().sum(), idle + gives_way))
}

/// The busy part of the time in between, in percent.
fn share(before: Times, now: Times) -> Option<u8> {
    let all = now.0.checked_sub(before.0).filter(|all| *all > 0)?;
    let idle = now.1.checked_sub(before.1)?.min(all);
    Some(((all - idle) * 100 / all) as u8)
}

/// Microseconds since boot in which a runnable task waited for a processor; `None` if the kernel does not count them
/// (`CONFIG_PSI`).
fn pressure() -> Option<u64> {
    read_pressure(&fs::read_to_string("/proc/pressure/cpu").ok()?)
}

/// Reads the total from the `some` line of the kernel's pressure stall information.
fn read_pressure(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Microseconds as a share of a time, in percent.
fn part(micros: u64, of: Duration) -> Option<u8> {
    let percent = (u128::from(micros) * 100).checked_div(of.as_micros())?;
    // The two clocks are not read at the same instant.
    Some(percent.min(100) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_excludes_iowait_and_nice() {
        let before = read("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 2 3 4\n").unwrap();
        assert_eq!(before, (1_000, 850));
        let now = read("cpu  150 10 60 900 70 5 5 0 9 9\n").unwrap();
        assert_eq!(share(before, now), Some(35));
        assert_eq!(share(now, now), None);
        for other in ["", "intr 1 2 3\n", "cpu  1 2 three 4 5\n"] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }

    #[test]
    fn pressure_is_a_share_of_the_interval() {
        let text =
            "some avg10=3.45 avg60=4.00 avg300=2.91 total=14347935\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(read_pressure(text), Some(14_347_935));
        for other in ["", "full avg10=0.00 total=7\n", "some avg10=0.00 total=many\n"] {
            assert_eq!(read_pressure(other), None, "{other:?}");
        }
        assert_eq!(part(250_000, Duration::from_secs(1)), Some(25));
        assert_eq!(part(1_001_000, Duration::from_secs(1)), Some(100));
        assert_eq!(part(1, Duration::ZERO), None);
    }

    #[test]
    fn this_machine_reports_load() {
        let (all, idle) = times().expect("/proc/stat");
        assert!(idle <= all && all > 0);
    }
}
