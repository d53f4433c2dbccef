//! How busy the machine is that all of it runs on, and how much had to wait for it: a client that is slow on one with nothing
//! to spare need not be slow.
//!
//! All of the machine, not the threads of this process. A client in another process is not among those, nor is the server; and
//! a thread that works for microseconds waits as long on a quiet machine (half of the time in which it could run), so that
//! they do not tell a quiet machine from a busy one.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::model::history::Event;
use crate::recorder::Recorder;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Records how busy the machine is, for as long as it is asked to; where the system does not say, nothing.
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

/// Ticks of all processors together: all of them, and those in which there was nothing to do, or only what gives way.
type Times = (u64, u64);

fn times() -> Option<Times> {
    read(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the first line of the kernel's statistics: user, nice, system, idle, iowait, irq, softirq, steal; what follows is
/// part of the first two.
fn read(text: &str) -> Option<Times> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks = line.split_whitespace().take(8).map(str::parse).collect::<Result<Vec<u64>, _>>().ok()?;
    let idle = ticks.get(3)? + ticks.get(4)?;
    // What runs with a lower priority takes nothing from a client.
    let gives_way = ticks.get(1)?;
    Some((ticks.iter().sum(), idle + gives_way))
}

/// The busy part of the time in between, in percent.
fn share(before: Times, now: Times) -> Option<u8> {
    let all = now.0.checked_sub(before.0).filter(|all| *all > 0)?;
    let idle = now.1.checked_sub(before.1)?.min(all);
    Some(((all - idle) * 100 / all) as u8)
}

/// Microseconds since boot in which something that could run waited for a processor; `None` where the kernel does not
/// count them (`CONFIG_PSI`).
fn pressure() -> Option<u64> {
    read_pressure(&fs::read_to_string("/proc/pressure/cpu").ok()?)
}

/// Reads the kernel's pressure stall information: `some`, three averages, and the total that the averages are made of.
fn read_pressure(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// What so many microseconds are of a time, in percent.
fn part(micros: u64, of: Duration) -> Option<u8> {
    let percent = (u128::from(micros) * 100).checked_div(of.as_micros())?;
    // The two clocks are not read in the same instant.
    Some(percent.min(100) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_all_processors_without_waiting_for_a_disk_and_without_what_gives_way() {
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
    fn what_waited_is_part_of_the_time_in_between() {
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
    fn this_machine_says_it() {
        let (all, idle) = times().expect("/proc/stat");
        assert!(idle <= all && all > 0);
    }
}
