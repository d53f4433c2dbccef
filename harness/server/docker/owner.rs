//! The process that owns a container or network, stored as a label, so that other processes can check whether the owner
//! still runs.

use std::fmt;
use std::fs;

/// The identity of a process. Pids are reused, but not with the same start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub uid: u32,
    pub pid: u32,
    /// The start time, in clock ticks since boot.
    pub started: u64,
    /// The kernel's random identifier of this boot.
    pub boot: String,
    /// The pid namespace. The harness may itself run in a container, where it cannot see other containers' processes.
    pub namespace: String,
}

impl Owner {
    /// Returns the identity of this process; `None` without /proc: then its containers are never removed as leftovers.
    pub fn this_process() -> Option<Owner> {
        let pid = std::process::id();
        Some(Owner {
            uid: nix::unistd::getuid().as_raw(),
            pid,
            started: started(pid)?,
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned(),
            namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.trim_matches(|c| !char::is_numeric(c)).into(),
        })
    }

    /// Parses the output of [`Display`](fmt::Display); `None` for other texts.
    pub fn parse(label: &str) -> Option<Owner> {
        let mut parts = label.split(':');
        let owner = Owner {
            uid: parts.next()?.parse().ok()?,
            pid: parts.next()?.parse().ok()?,
            started: parts.next()?.parse().ok()?,
            boot: parts.next()?.to_owned(),
            namespace: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(owner)
    }

    /// Returns whether the owner has certainly ended; `false` if its user, boot or pid namespace differs from those of
    /// `here`.
    pub fn is_gone(&self, here: &Owner) -> bool {
        self.uid == here.uid
            && self.boot == here.boot
            && self.namespace == here.namespace
            && started(self.pid) != Some(self.started)
    }
}

/// `uid:pid:start time:boot id:pid namespace`.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Owner { uid, pid, started, boot, namespace } = self;
        write!(f, "{uid}:{pid}:{started}:{boot}:{namespace}")
    }
}

fn started(pid: u32) -> Option<u64> {
    start_time(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Returns field 22 of `/proc/PID/stat`. Field 2 is a name in brackets, which may itself contain spaces and brackets.
///
/// *Source*: proc(5).
fn start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_round_trips() {
        let owner = Owner::this_process().unwrap();
        assert_eq!(Owner::parse(&owner.to_string()), Some(owner.clone()));
        assert!(owner.namespace.parse::<u64>().is_ok(), "{owner}");
        assert_eq!(Owner::parse("0:1:2:boot"), None);
        assert_eq!(Owner::parse("me:1:2:boot:3"), None);
    }

    #[test]
    fn process_name_with_brackets_does_not_shift_fields() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 99 100";
        assert_eq!(start_time(stat), Some(4242));
    }

    #[test]
    fn gone_only_in_the_same_boot_and_namespace() {
        let here = Owner::this_process().unwrap();
        assert!(!here.is_gone(&here));
        let earlier = Owner { started: here.started - 1, ..here.clone() };
        assert!(earlier.is_gone(&here));
        assert!(!Owner { uid: here.uid + 1, ..earlier.clone() }.is_gone(&here));
        assert!(!Owner { boot: "another".into(), ..earlier.clone() }.is_gone(&here));
        assert!(!Owner { namespace: "1".into(), ..earlier }.is_gone(&here));
    }
}
