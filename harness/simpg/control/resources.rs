//! Shortages of a simulated server: connection slots, memory, disks; and the lock on the ledger.

use super::super::world::Taken;
use super::Postgres;
use crate::gateway::transport::Host;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Gives every connection slot, or all that are not reserved for superusers, to other clients, then terminates the
    /// sessions of a role; returns how many those were.
    ///
    /// *Errors*: as [`terminate_sessions`](Postgres::terminate_sessions).
    pub async fn occupy(&self, role: &str, ordinary_only: bool) -> Result<usize, ServerError> {
        self.change(|server| server.taken = if ordinary_only { Taken::Ordinary } else { Taken::All });
        self.terminate_sessions(role).await
    }

    /// Gives all free slots, except those reserved for superusers, to other clients; returns how many. Sessions stay.
    pub fn occupy_ordinary(&self) -> usize {
        self.change(|server| {
            let slots = server.settings.max_connections - server.settings.superuser_reserved_connections;
            let free = slots.saturating_sub(server.backends.len());
            server.taken = Taken::Some(free);
            free
        })
    }

    /// Frees one of the slots that [`occupy_ordinary`](Postgres::occupy_ordinary) took.
    pub fn vacate_one(&self) {
        self.change(|server| {
            if let Taken::Some(taken) = &mut server.taken {
                *taken = taken.saturating_sub(1);
            }
        });
    }

    /// Frees all slots that other clients hold.
    pub fn vacate(&self) {
        self.change(|server| server.taken = Taken::None);
    }

    /// Makes allocations fail: access to the ledger and sign-ins of ordinary roles fail with 53200.
    pub fn exhaust_memory(&self, exhausted: bool) {
        self.change(|server| server.memory_short = exhausted);
    }

    /// Fills the disk of the tables: writes fail with 53100.
    pub fn fill_disk(&self, full: bool) {
        self.change(|server| server.disk_full = full);
    }

    /// Fills the disk of the WAL: the next commit of a write fails with 53100 as a PANIC, and the server ends. It
    /// cannot start until the disk has room.
    pub fn fill_wal(&self, full: bool) {
        self.change(|server| server.wal_full = full);
    }

    /// Locks the ledger as another session would: statements that read or write it wait.
    pub fn lock_ledger(&self, locked: bool) {
        self.change(|server| server.ledger_locked = locked);
    }
}
