//! Resources of a simulated server that run short: slots, memory, disks; and the ledger's lock.

use super::super::world::Taken;
use super::Postgres;
use crate::gateway::transport::Host;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Others take every connection slot, or all that are not reserved for superusers; sessions of this role are ended
    /// first. Returns how many there were.
    pub async fn occupy(&self, role: &str, ordinary_only: bool) -> Result<usize, ServerError> {
        self.change(|server| server.taken = if ordinary_only { Taken::Ordinary } else { Taken::All });
        self.terminate_sessions(role).await
    }

    /// Others take all slots but those that are reserved for superusers; returns how many that is.
    pub fn occupy_ordinary(&self) -> usize {
        self.change(|server| {
            let slots = server.settings.max_connections - server.settings.superuser_reserved_connections;
            let free = slots.saturating_sub(server.backends.len());
            server.taken = Taken::Some(free);
            free
        })
    }

    /// One of those others leaves.
    pub fn vacate_one(&self) {
        self.change(|server| {
            if let Taken::Some(taken) = &mut server.taken {
                *taken = taken.saturating_sub(1);
            }
        });
    }

    /// Gives back what [`occupy`](Postgres::occupy) took.
    pub fn vacate(&self) {
        self.change(|server| server.taken = Taken::None);
    }

    /// Allocations fail: statements that read or write, and new sessions of ordinary roles, get 53200.
    pub fn exhaust_memory(&self, exhausted: bool) {
        self.change(|server| server.memory_short = exhausted);
    }

    /// Writes get 53100.
    pub fn fill_disk(&self, full: bool) {
        self.change(|server| server.disk_full = full);
    }

    /// A commit of a write gets 53100 as a PANIC, and the server ends; it cannot start before there is room.
    pub fn fill_wal(&self, full: bool) {
        self.change(|server| server.wal_full = full);
    }

    /// Another session has locked the ledger: statements that read or write it wait.
    pub fn lock_ledger(&self, locked: bool) {
        self.change(|server| server.ledger_locked = locked);
    }
}
