//! The rows of one server's ledger: which are durable, which visible, and which transaction holds which key.
//!
//! Rows are never changed or deleted, so that a snapshot is a number: how many rows were visible when it was taken.

use std::collections::{BTreeMap, BTreeSet};

/// The number of a transaction that writes.
pub(super) type Xid = u64;

/// One row of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub id: i64,
    pub key: Option<i64>,
}

/// The holder of an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    /// An open transaction.
    Open(Xid),
    /// The visible row at this index.
    Row(usize),
}

/// The result of a transaction's claim to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The transaction holds the key now.
    Taken,
    /// A visible row has the key, and every snapshot of at least this many rows includes that row. 0: the claiming
    /// transaction itself holds the key.
    Duplicate(usize),
    /// Another open transaction holds the key: the claimant has to wait for its end.
    Held(Xid),
}

/// The durable and the visible rows of a ledger, and its idempotency keys.
#[derive(Debug, Default)]
pub(super) struct Store {
    /// All durable rows, in the order of commits; a standby replays this.
    log: Vec<Row>,
    /// Rows of commits that are durable but not confirmed, and therefore not visible.
    unconfirmed: BTreeMap<Xid, Vec<Row>>,
    visible: Vec<Row>,
    by_id: BTreeSet<(i64, usize)>,
    keys: BTreeMap<i64, Holder>,
}

impl Store {
    /// The number of rows visible now.
    pub fn snapshot(&self) -> usize {
        self.visible.len()
    }

    /// The number of durable rows, which a standby has to replay.
    pub fn durable(&self) -> usize {
        self.log.len()
    }

    /// Claims an idempotency key for a transaction.
    pub fn claim(&mut self, key: i64, by: Xid) -> Claim {
        match self.keys.get(&key) {
            None => {
                self.keys.insert(key, Holder::Open(by));
                Claim::Taken
            }
            Some(Holder::Open(holder)) if *holder == by => Claim::Duplicate(0),
            Some(Holder::Open(holder)) => Claim::Held(*holder),
            Some(Holder::Row(place)) => Claim::Duplicate(place + 1),
        }
    }

    /// Whether the transaction holds the key, and has neither made its row visible nor released it.
    pub fn is_held(&self, key: i64, by: Xid) -> bool {
        self.keys.get(&key) == Some(&Holder::Open(by))
    }

    /// Releases the keys of rows that a transaction rolls back.
    pub fn release(&mut self, rows: &[Row], by: Xid) {
        for key in rows.iter().filter_map(|row| row.key) {
            if self.keys.get(&key) == Some(&Holder::Open(by)) {
                self.keys.remove(&key);
            }
        }
    }

    /// Makes rows durable; they become visible by [`confirm`](Store::confirm).
    pub fn write(&mut self, rows: Vec<Row>, by: Xid) {
        self.log.extend_from_slice(&rows);
        self.unconfirmed.insert(by, rows);
    }

    /// Makes the durable rows of a transaction visible.
    pub fn confirm(&mut self, by: Xid) {
        for row in self.unconfirmed.remove(&by).unwrap_or_default() {
            self.show(row);
        }
    }

    fn show(&mut self, row: Row) {
        let place = self.visible.len();
        self.visible.push(row);
        self.by_id.insert((row.id, place));
        if let Some(key) = row.key {
            self.keys.insert(key, Holder::Row(place));
        }
    }

    /// Appends the durable rows of another server that are missing here, and makes them visible.
    pub fn replay(&mut self, other: &Store) {
        let behind = other.log.get(self.log.len()..).unwrap_or_default();
        for row in behind {
            self.log.push(*row);
            self.show(*row);
        }
    }

    /// Rows with this id in a snapshot.
    pub fn with_id(&self, id: i64, snapshot: usize) -> impl Iterator<Item = Row> {
        self.by_id.range((id, 0)..(id, snapshot)).map(|(_, place)| self.visible[*place])
    }

    /// The row with this key, if a snapshot has it.
    pub fn with_key(&self, key: i64, snapshot: usize) -> Option<Row> {
        match self.keys.get(&key)? {
            Holder::Row(place) if *place < snapshot => Some(self.visible[*place]),
            _ => None,
        }
    }

    /// All rows of a snapshot, in the order of commits.
    pub fn seen(&self, snapshot: usize) -> &[Row] {
        &self.visible[..snapshot.min(self.visible.len())]
    }

    /// All visible rows, as runs `(first id, last id, copies)`, ascending.
    pub fn runs(&self) -> Vec<(i64, i64, u64)> {
        let mut copies: Vec<(i64, u64)> = Vec::new();
        for (id, _) in &self.by_id {
            match copies.last_mut() {
                Some((last, count)) if last == id => *count += 1,
                _ => copies.push((*id, 1)),
            }
        }
        let mut runs: Vec<(i64, i64, u64)> = Vec::new();
        for (id, count) in copies {
            match runs.last_mut() {
                Some((_, last, same)) if last.checked_add(1) == Some(id) && *same == count => *last = id,
                _ => runs.push((id, id, count)),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, key: Option<i64>) -> Row {
        Row { id, key }
    }

    #[test]
    fn what_is_durable_shows_once_it_is_confirmed_and_old_snapshots_never_see_it() {
        let mut store = Store::default();
        let before = store.snapshot();
        assert_eq!(store.claim(1, 7), Claim::Taken);
        store.write(vec![row(1, Some(1)), row(2, None)], 7);
        assert_eq!((store.snapshot(), store.durable()), (0, 2));
        assert_eq!(store.claim(1, 8), Claim::Held(7), "it is not decided yet");
        store.confirm(7);
        assert_eq!(store.with_id(1, store.snapshot()).count(), 1);
        assert_eq!(store.with_id(1, before).count(), 0);
        assert_eq!(store.claim(1, 8), Claim::Duplicate(1));
    }

    #[test]
    fn a_key_that_is_given_up_is_free_and_nobody_elses_is_touched() {
        let mut store = Store::default();
        assert_eq!(store.claim(1, 7), Claim::Taken);
        assert_eq!(store.claim(1, 7), Claim::Duplicate(0));
        store.release(&[row(1, Some(1))], 8);
        assert_eq!(store.claim(1, 8), Claim::Held(7));
        store.release(&[row(1, Some(1))], 7);
        assert_eq!(store.claim(1, 8), Claim::Taken);
    }

    #[test]
    fn a_standby_replays_what_is_durable_and_each_row_once() {
        let (mut primary, mut standby) = (Store::default(), Store::default());
        primary.write(vec![row(1, Some(1))], 1);
        standby.replay(&primary);
        standby.replay(&primary);
        primary.write(vec![row(3, None), row(3, None), row(2, None)], 2);
        standby.replay(&primary);
        assert_eq!(standby.runs(), [(1, 2, 1), (3, 3, 2)]);
        assert_eq!(primary.runs(), []);
    }
}
