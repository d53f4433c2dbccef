//! How busy the machine is that all of it runs on: a client that is slow on one with nothing to spare need not be slow.

use std::fs;
use std::time::Duration;

use tokio::time::sleep;

use crate::history::Event;
use crate::recorder::Recorder;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Records how busy the machine is, for as long as it is asked to; where the system does not say, nothing.
pub(crate) async fn watch(recorder: &Recorder) -> std::convert::Infallible {
    let mut before = times();
    loop {
        sleep(LOOK_EVERY).await;
        let now = times();
        if let Some(busy) = before.zip(now).and_then(|(before, now)| share(before, now)) {
            recorder.record_now(|at| Event::Machine { at, busy });
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
    #[cfg(target_os = "linux")]
    fn this_machine_says_it() {
        let (all, idle) = times().expect("/proc/stat");
        assert!(idle <= all && all > 0);
    }
}
