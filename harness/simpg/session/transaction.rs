//! Transactions: begin, commit, rollback, savepoints, and the effects of each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::mailbox::{Ending, Interrupt, Notification};
use super::super::report::{self, Report};
use super::super::sql::statement::Modes;
use super::super::store::{Row, Xid};
use super::super::world::replicate;
use super::guc::setting;
use super::{End, Session, Stop};

/// An open transaction.
pub(super) struct Transaction {
    /// Whether BEGIN began it; an implicit one ends with its Query message or at a Sync.
    pub explicit: bool,
    pub failed: bool,
    /// Assigned at the first write.
    pub xid: Option<Xid>,
    pub rows: Vec<Row>,
    pub isolation: &'static str,
    /// Whether all statements see one snapshot (repeatable read and serializable).
    pub one_snapshot: bool,
    pub snapshot: Option<usize>,
    pub read_only: bool,
    pub began: Instant,
    pub savepoints: Vec<Savepoint>,
    /// LISTEN (`true`) and UNLISTEN (`false`), which take effect at the commit; `None`: all channels.
    pub channels: Vec<(Option<Arc<str>>, bool)>,
    pub notifications: Vec<(String, String)>,
}

/// The lengths of a transaction's lists at a savepoint.
pub(super) struct Savepoint {
    name: String,
    rows: usize,
    channels: usize,
    notifications: usize,
    settings: usize,
}

impl Session {
    /// Begins an implicit transaction, if none is open.
    pub(super) fn begin_implicit(&mut self) {
        if self.transaction.is_some() {
            return;
        }
        let began = Instant::now();
        let isolation = match self.guc.own(setting::DEFAULT_ISOLATION) {
            Some("repeatable read") => "repeatable read",
            Some("serializable") => "serializable",
            _ => "read committed",
        };
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        let read_only = server.in_recovery || self.reads_only_by_default(server.read_only);
        if let Some(own) = server.backends.get_mut(&self.pid) {
            (own.transaction, own.may_write) = (Some(began), !read_only);
        }
        drop(servers);
        self.transaction = Some(Transaction {
            explicit: false,
            failed: false,
            xid: None,
            rows: Vec::new(),
            isolation,
            one_snapshot: isolation != "read committed",
            snapshot: None,
            read_only,
            began,
            savepoints: Vec::new(),
            channels: Vec::new(),
            notifications: Vec::new(),
        });
    }

    /// Executes BEGIN: makes the implicit transaction an explicit one.
    pub(super) fn begin(&mut self, modes: Modes) -> Result<(), Stop> {
        self.begin_implicit();
        let already = self.transaction.as_mut().is_some_and(|open| std::mem::replace(&mut open.explicit, true));
        if already {
            self.report(&Report::warning("25001", "there is already a transaction in progress"));
        }
        self.change_modes(modes)
    }

    /// Changes the modes of the open transaction.
    ///
    /// *Errors*: 25001 if a query has run already, 0A000 for READ WRITE on a standby.
    pub(super) fn change_modes(&mut self, modes: Modes) -> Result<(), Stop> {
        let in_recovery = self.world.lock()[self.index].in_recovery;
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if let (Some(isolation), Some(one_snapshot)) = (modes.isolation, modes.one_snapshot) {
            if open.snapshot.is_some() && isolation != open.isolation {
                let text = "SET TRANSACTION ISOLATION LEVEL must be called before any query";
                return Err(Report::error("25001", text).into());
            }
            (open.isolation, open.one_snapshot) = (isolation, one_snapshot);
        }
        match modes.read_only {
            Some(false) if in_recovery => {
                return Err(Report::error("0A000", "cannot set transaction read-write mode during recovery").into());
            }
            Some(false) if open.read_only && open.snapshot.is_some() => {
                let text = "transaction read-write mode must be set before any query";
                return Err(Report::error("25001", text).into());
            }
            Some(read_only) => {
                open.read_only = read_only;
                if let Some(own) = self.world.lock()[self.index].backends.get_mut(&self.pid) {
                    own.may_write = !read_only;
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Fails the transaction after an error: rolls an implicit one back, and in another undoes all since the last
    /// savepoint.
    pub(super) fn fail(&mut self) {
        let Some(open) = &mut self.transaction else { return };
        if !open.explicit {
            return self.undo();
        }
        open.failed = true;
        let kept = open.savepoints.last().map_or(0, |savepoint| savepoint.rows);
        self.guc.back_to(open.savepoints.last().map_or(0, |savepoint| savepoint.settings));
        let given_up = open.rows.split_off(kept.min(open.rows.len()));
        if let Some(xid) = open.xid {
            self.world.lock()[self.index].store.release(&given_up, xid);
            self.world.changed();
        }
    }

    /// Rolls the open transaction back.
    pub(super) fn undo(&mut self) {
        let Some(open) = self.transaction.take() else { return };
        self.guc.end_transaction(false);
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        if let Some(xid) = open.xid {
            server.store.release(&open.rows, xid);
        }
        if let Some(own) = server.backends.get_mut(&self.pid) {
            (own.transaction, own.may_write, own.xid, own.waits_for) = (None, false, None, None);
        }
        drop(servers);
        self.portals.clear();
        self.world.changed();
    }

    /// Commits the open transaction, if it is implicit.
    pub(super) async fn end_implicit(&mut self) -> Result<(), Stop> {
        match &self.transaction {
            Some(open) if !open.explicit => self.commit().await,
            _ => Ok(()),
        }
    }

    /// Commits the open transaction. Its rows are durable at once, and replayed on a standby that follows. They become
    /// visible, and the commit is acknowledged, once the standby has confirmed them.
    ///
    /// *Errors*: 53100 as a PANIC if the WAL has no room; the session ends while the commit waits for the standby.
    pub(super) async fn commit(&mut self) -> Result<(), Stop> {
        let Some(mut open) = self.transaction.take() else { return Ok(()) };
        self.guc.end_transaction(true);
        self.portals.clear();
        if let Some(xid) = open.xid.filter(|_| !open.rows.is_empty()) {
            if self.lacks_room() {
                // Rolled back when the session is dropped.
                self.transaction = Some(open);
                return Err(report::wal_full(self.pid).into());
            }
            let rows = std::mem::take(&mut open.rows);
            let until = {
                let mut servers = self.world.lock();
                servers[self.index].store.write(rows, xid);
                replicate(&mut servers, self.index);
                let server = &mut servers[self.index];
                let until = server.store.durable();
                let waits = server.standby.is_some() && server.confirmed < until;
                if let Some(own) = server.backends.get_mut(&self.pid) {
                    own.unconfirmed = waits;
                }
                waits.then_some(until)
            };
            self.committing = Some(xid);
            if let Some(until) = until {
                self.wait_for_standby(until).await?;
            }
        }
        self.finish(open);
        Ok(())
    }

    /// Whether the WAL has no room for a commit; if so, crashes the server, which cannot recover.
    fn lacks_room(&self) -> bool {
        let server = &mut self.world.lock()[self.index];
        if server.wal_full && server.runs() {
            server.collapse(self.pid, "6: Aborted", Some(Duration::ZERO));
        }
        server.wal_full
    }

    /// Waits until the standby has replayed `until` rows, or the client cancels the wait.
    ///
    /// *Errors*: the session ends.
    async fn wait_for_standby(&mut self, until: usize) -> Result<(), Stop> {
        let index = self.index;
        let interrupt = tokio::select! {
            biased;
            interrupt = self.mailbox.interrupted() => interrupt,
            () = self.world.until(|servers| (servers[index].confirmed >= until).then_some(())) => return Ok(()),
        };
        match interrupt {
            Interrupt::Cancel => {
                self.report(&report::unconfirmed());
                Ok(())
            }
            Interrupt::End(Ending::Terminated) => {
                // This report is only logged: the client receives the warning.
                self.world.lock()[self.index].log(self.pid, &self.role, &report::administrator());
                Err(Stop::End(End::Told(report::ended_unconfirmed())))
            }
            Interrupt::End(how) => Err(Stop::End(self.ending(how, true))),
        }
    }

    /// Makes the commit visible: rows, channels and notifications.
    fn finish(&mut self, open: Transaction) {
        let mut servers = self.world.lock();
        let server = &mut servers[self.index];
        if let Some(xid) = self.committing.take() {
            server.store.confirm(xid);
        }
        if let Some(own) = server.backends.get_mut(&self.pid) {
            (own.transaction, own.may_write, own.xid, own.unconfirmed) = (None, false, None, false);
            for (channel, listens) in open.channels {
                match (channel, listens) {
                    (Some(channel), true) => drop(own.channels.insert(channel)),
                    (Some(channel), false) => drop(own.channels.remove(&channel)),
                    (None, _) => own.channels.clear(),
                }
            }
        }
        for (channel, payload) in &open.notifications {
            let sent =
                Notification { pid: self.pid, channel: channel.as_str().into(), payload: payload.as_str().into() };
            server.notify(&self.database, &sent);
        }
        drop(servers);
        self.world.changed();
    }

    pub(super) fn savepoint(&mut self, name: &str) -> Result<(), Report> {
        let settings = self.guc.mark();
        let open = self.block("SAVEPOINT")?;
        open.savepoints.push(Savepoint {
            name: name.to_owned(),
            rows: open.rows.len(),
            channels: open.channels.len(),
            notifications: open.notifications.len(),
            settings,
        });
        Ok(())
    }

    pub(super) fn release_savepoint(&mut self, name: &str) -> Result<(), Report> {
        let open = self.block("RELEASE SAVEPOINT")?;
        let place = position(open, name)?;
        open.savepoints.truncate(place);
        Ok(())
    }

    pub(super) fn back_to_savepoint(&mut self, name: &str) -> Result<(), Report> {
        let open = self.block("ROLLBACK TO SAVEPOINT")?;
        let place = position(open, name)?;
        open.savepoints.truncate(place + 1);
        let Some(savepoint) = open.savepoints.last() else { return Ok(()) };
        let given_up = open.rows.split_off(savepoint.rows.min(open.rows.len()));
        open.channels.truncate(savepoint.channels);
        open.notifications.truncate(savepoint.notifications);
        open.failed = false;
        let (settings, xid) = (savepoint.settings, open.xid);
        self.guc.back_to(settings);
        if let Some(xid) = xid {
            self.world.lock()[self.index].store.release(&given_up, xid);
            self.world.changed();
        }
        Ok(())
    }

    fn block(&mut self, command: &str) -> Result<&mut Transaction, Report> {
        let open = self.transaction.as_mut().filter(|open| open.explicit);
        open.ok_or_else(|| Report::error("25P01", format!("{command} can only be used in transaction blocks")))
    }
}

fn position(open: &Transaction, name: &str) -> Result<usize, Report> {
    let place = open.savepoints.iter().rposition(|savepoint| savepoint.name == name);
    place.ok_or_else(|| Report::error("3B001", format!("savepoint \"{name}\" does not exist")))
}
